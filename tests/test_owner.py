"""Root writes into a folder of somebody less trusted, who has planted links there: their targets stay as they are."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config.config_text import rewrite
from edge.config.sections import NO_KEYS
from edge.errors import WhosthereError
from edge.galleries.atomic_file import write_whole
from edge.galleries.daemon_status import GalleryStatus, StatusFile
from edge.galleries.file import write_gallery
from edge.galleries.history import LOG, History, HistoryEntry
from edge.galleries.receive import Receiver
from edge.galleries.store import drop_kept, remove_person, replace_gallery
from edge.owner import as_owner, decider
from edge.visits.strangers_file import NAME, StrangersFile, clear_pictures, forget_everybody
from support.box import family
from support.networks import embedder

NOBODY = 65534
SAME = "the same as ever"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has anything to lose")


@dataclass(frozen=True)
class Trap:
    """A folder of nobody's, and root's own files that nobody may change."""

    state: Path
    roots: Path

    @property
    def gallery(self) -> Path:
        return self.state / "gallery.whg"

    @property
    def secret(self) -> Path:
        return self.roots / "secret"

    def link(self, name: str, target: Path) -> None:
        """Plant a link, as nobody."""
        path = self.state / name
        path.parent.mkdir(exist_ok=True)
        os.lchown(path.parent, NOBODY, NOBODY)
        path.symlink_to(target)
        os.lchown(path, NOBODY, NOBODY)

    def untouched(self) -> bool:
        state = self.secret.stat()
        names = sorted(path.name for path in self.roots.iterdir())
        return (self.secret.read_text(), state.st_uid, state.st_mode & 0o777, names) == (SAME, 0, 0o600, ["secret"])


@pytest.fixture
def trap() -> Iterator[Trap]:
    # Not tmp_path, which nobody but root may enter.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    found = Trap(folder / "state", folder / "roots")
    found.state.mkdir()
    os.chown(found.state, NOBODY, NOBODY)
    found.roots.mkdir()
    found.secret.write_text(SAME)
    found.secret.chmod(0o600)
    yield found
    assert os.geteuid() == 0
    shutil.rmtree(folder)


ENTRY = HistoryEntry(at="2026-01-01T00:00:00Z", action="received", version=1)
STATUS = GalleryStatus(None, None, 1, 1, 1, None, 0.5, "2026-01-01T00:00:00Z")


def received(trap: Trap) -> object:
    other = trap.roots.parent / "bundle.whg"
    write_gallery(family(9), other)
    with other.open("rb") as stream:
        return Receiver(trap.gallery, NO_KEYS, embedder().id, 10_000_000, 3, 0.0).receive(stream)


WRITES: dict[str, Callable[[Trap], object]] = {
    "write_whole": lambda trap: write_whole(b"x", trap.gallery),
    "write_gallery": lambda trap: write_gallery(family(2), trap.gallery),
    "replace_gallery": lambda trap: replace_gallery(family(2), trap.gallery),
    "remove_person": lambda trap: remove_person("ada", family(3, "benny"), trap.gallery),
    "receive": received,
    "the log": lambda trap: History(trap.gallery).record(ENTRY),
    "keep": lambda trap: History(trap.gallery).keep(1, "0" * 64, 3),
    "drop_kept": lambda trap: drop_kept("ada", trap.gallery, NO_KEYS),
    "the status": lambda trap: StatusFile(trap.gallery).write(STATUS),
    "unknown faces": lambda trap: clear_pictures(trap.state / "faces"),
    "strangers": lambda trap: forget_everybody(trap.state / "faces" / NAME),
    "config.yaml": lambda trap: rewrite(trap.state / "config.yaml", {"device_id": "hall"}),
}
HISTORY = "gallery.whg.history"


def plant_names(trap: Trap) -> None:
    """Every name that was ever guessable, as a link to root's file."""
    pid = os.getpid()
    names = [f".gallery.whg.{pid}.new", f".gallery.whg.in-force.json.{pid}", ".gallery.whg.in-force.json"]
    for name in [*names, ".gallery.whg.running", "config.yaml", f"{HISTORY}/{LOG}", f"{HISTORY}/log.new"]:
        trap.link(name, trap.secret)
    trap.link("faces/1.part", trap.secret)
    trap.link(f"faces/{NAME}", trap.secret)


def plant_history(trap: Trap) -> None:
    """The folders as links to one of root's."""
    trap.link(HISTORY, trap.roots)
    trap.link("faces", trap.roots)


def plant_gallery(trap: Trap) -> None:
    """The gallery itself as a link to root's file, and to one that is not there yet."""
    trap.gallery.unlink()
    trap.link("gallery.whg", trap.secret)
    trap.link("config.yaml", trap.roots / "new.yaml")


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("plant", [plant_names, plant_history, plant_gallery])
def test_no_write_of_root_reaches_what_a_planted_link_leads_to(
    trap: Trap, plant: Callable[[Trap], None], write: str
) -> None:
    write_gallery(family(1), trap.gallery)
    plant(trap)
    try:
        WRITES[write](trap)
    except (WhosthereError, OSError) as error:
        print(error)
    assert trap.untouched()


def test_what_root_writes_belongs_to_the_owner_of_the_folder(trap: Trap) -> None:
    write_gallery(family(1), trap.gallery)
    replace_gallery(family(2), trap.gallery)
    History(trap.gallery).record(ENTRY)
    faces = trap.state / "faces"
    with as_owner(faces), closing(StrangersFile(faces / NAME)):
        pass
    forget_everybody(faces / NAME)
    assert {path.stat().st_uid for path in [faces, *faces.iterdir()]} == {NOBODY}
    found = [trap.gallery, *trap.gallery.with_name(HISTORY).iterdir(), trap.gallery.with_name(HISTORY)]
    assert len(found) == 4
    assert {path.stat().st_uid for path in found} == {NOBODY}


def test_root_gives_itself_up_only_while_it_writes(trap: Trap) -> None:
    groups = os.getgroups()
    with pytest.raises(PermissionError), as_owner(trap.gallery):
        assert (os.geteuid(), os.getegid(), 0 in os.getgroups()) == (NOBODY, os.getegid(), False)
        assert os.getegid() != 0
        trap.secret.read_text()
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, 0, groups)
    with as_owner(trap.secret):
        assert os.geteuid() == 0, "nobody but root decides where this leads"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["folder", "link", "up"]), max_size=6), st.integers(0, 6))
def test_whoever_owns_a_step_of_the_way_decides(steps: list[str], nobodys: int) -> None:
    """A way of folders, links and `..`, on which one step belongs to nobody."""
    with tempfile.TemporaryDirectory() as top:
        here = Path(top)
        decides = False
        for index, step in enumerate(steps):
            made = here / f"step{index}"
            if step == "link":
                (Path(top) / f"target{index}").mkdir()
                made.symlink_to(Path(top) / f"target{index}")
            else:
                made.mkdir()
            if index == nobodys:
                os.lchown(made, NOBODY, NOBODY)
                decides = True
            here = made / ".." / made.name if step == "up" else made
        assert decider(here / "gallery.whg") == (NOBODY if decides else None)
