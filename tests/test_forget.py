"""Somebody is forgotten: the gallery, its earlier versions, the outbox and everything retained are rid of them."""

import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from converter.__main__ import main
from edge.demo.box import PORTRAITS
from edge.errors import GalleryError
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.forget import Traces
from edge.galleries.history import History
from edge.mqtt.outbox import Outbox
from edge.mqtt.queued_event import BootTime, OutboxEntry
from support.album import make_album
from support.box import AT, Box, bundle, family, keeping
from support.broker import Broker
from support.daemon import running, write_config
from support.sshd import new_key, running_sshd

PERSON = "barack-obama"


@pytest.mark.slow
def test_nothing_of_them_is_left_on_a_box_with_events_waiting(tmp_path: Path, demo_gallery: Path) -> None:
    """The broker is away, so that what the daemon saw of them waits on disk."""
    key = new_key(tmp_path / "ada")
    state = tmp_path / "box"
    box = Box.make(state, key)
    write_config(
        state,
        Broker(tmp_path, port=9),
        box.gallery,
        camera={"realtime": True, "loop": True},
        gallery={"allowed_signers": "allowed_signers"},
    )
    home = tmp_path / "family.whg"
    known = open_gallery(demo_gallery, None)
    write_gallery(known, box.gallery, key)
    vector = known.vectors(known.people[0])[0].tobytes()[:64]
    with running(box.config) as daemon:
        daemon.wait_for_log("recognized Barack Obama")
        # A second version, so that the first one is kept.
        write_gallery(known.with_templates("Joe Biden", [], [], AT), home, key)
        command = f"{sys.executable} -m edge gallery receive --config {box.config}"
        with running_sshd(tmp_path / "sshd", key, command) as server:
            ssh = ("127.0.0.1", "--ssh", " ".join(server.ssh()), "--json")
            pushed = CliRunner().invoke(main, ["push", str(home), *ssh])
            assert json.loads(pushed.stdout)[0]["status"] == "in force", pushed.output
            assert PERSON.encode() in everything(state)
            done = CliRunner().invoke(main, ["forget", "Barack Obama", str(home), *ssh, "--sign", str(key)])
        [outcome] = json.loads(done.stdout)
        forgotten = outcome["answer"]["forgotten"]
        assert done.exit_code == 0, done.output
        assert forgotten["person"] == PERSON and forgotten["still_held"] == []
        # Both earlier versions: the one that was pushed, and the one before. And those who resembled them in the diary.
        galleries = [place for place in forgotten["removed"] if place.endswith(".whg")]
        assert len(galleries) == 2
        assert all("diary.sqlite3: " in place for place in forgotten["removed"] if place not in galleries)
        left = everything(state)
        assert PERSON.encode() not in left and b"Barack Obama" not in left and vector not in left
        # The visit that was open ends as nobody's.
        daemon.wait_for_log(": ended")
        assert PERSON.encode() not in everything(state)
    assert [p.id for p in open_gallery(home, None).people] == ["grace-hopper", "joe-biden"]


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("suffix", ["", ".tar.gz", ".zip"])
@pytest.mark.parametrize("as_json", [False, True])
def test_the_photos_to_delete_are_named(tmp_path: Path, suffix: str, as_json: bool) -> None:
    """Nothing is deleted on the desktop: neither from a folder nor from an archive of it."""
    home = bundle(tmp_path / "family.whg", 1, "ada", "benny")
    people = tmp_path / "people"
    for name in ("Ada", "Benny"):
        (people / name).mkdir(parents=True)
        (people / name / "1.jpg").write_bytes(b"a photo")
    given = people
    if suffix:
        given = Path(shutil.make_archive(str(people), {".tar.gz": "gztar", ".zip": "zip"}[suffix], tmp_path, "people"))
    before = given.read_bytes() if suffix else b""
    ssh = ("nowhere", "--ssh", "false", "--people", str(given), *(["--json"] if as_json else []))

    done = CliRunner().invoke(main, ["forget", "benny", str(home), *ssh])
    again = CliRunner().invoke(main, ["forget", "benny", str(home), *ssh])
    nobody = CliRunner().invoke(main, ["forget", "eve", str(home), *ssh])

    place = f"{tmp_path.name}/people{suffix}/Benny: their photos; pack it again without them" if suffix else (
        f"{people}/Benny: their photos; delete it")  # fmt: skip
    for run in (done, again):
        assert run.exit_code == 1
        assert f"{place}, or the next `enroll` brings them back" in run.stderr.splitlines()
        assert "/Ada" not in run.stderr
    assert "--people: no folder of eve there" in nobody.stderr
    assert (people / "Benny" / "1.jpg").exists() and (given.read_bytes() if suffix else b"") == before
    if as_json:
        assert json.loads(done.stdout)[0]["box"] == "nowhere"


def test_an_archive_that_is_damaged_stops_before_anything_is_forgotten(tmp_path: Path) -> None:
    home = bundle(tmp_path / "family.whg", 1, "ada", "benny")
    (tmp_path / "people.zip").write_bytes(b"PK nothing")
    before = home.read_bytes()
    done = CliRunner().invoke(main, ["forget", "benny", str(home), "nowhere", "--people", str(tmp_path / "people.zip")])
    assert (done.exit_code, "people.zip: damaged" in done.stderr) == (2, True)
    assert home.read_bytes() == before


def test_what_is_found_elsewhere_is_told(tmp_path: Path) -> None:
    key = new_key(tmp_path / "ada")
    box = Box.make(tmp_path / "box", key)
    bundle(box.gallery, 3, "ada", "benny", key=key)
    note = box.folder / "note.txt"
    note.write_text("Benny was here")
    rest = bundle(tmp_path / "rest.whg", 4, "ada", key=key)
    both = bundle(tmp_path / "both.whg", 5, key=key)
    with keeping(box), rest.open("rb") as stream:
        answer = box.receiver().receive(stream, without="benny")
        assert answer.forgotten and answer.forgotten.still_held == [str(note)]
        assert History(box.gallery).kept() == []
        with both.open("rb") as again, pytest.raises(GalleryError, match="the bundle still contains them"):
            box.receiver().receive(again, without="benny")


def test_templates_are_traces_also_across_the_ends_of_chunks(tmp_path: Path) -> None:
    traces = Traces.of("ada", [family(1, "ada")])
    vector = family(1, "ada").embeddings[0].tobytes()
    path = tmp_path / "state"
    path.write_bytes(bytes((1 << 22) - 20) + vector)
    assert traces.within(path)
    path.write_bytes(bytes(1000) + vector[4:])
    assert not traces.within(path)


def test_waiting_events_are_forgotten_and_leave_no_trace(tmp_path: Path) -> None:
    backlog = Outbox(tmp_path / "outbox.sqlite3", 1000)
    entries = [OutboxEntry(str(n), BootTime("boot", n), b"about %s" % (b"ada", b"ben")[n % 2]) for n in range(50)]
    backlog.add(entries, 0.0)
    head = backlog.head(0.0)
    backlog.forget(lambda entry: entry.payload == b"about ada", 0.0)
    # The one on its way goes when it is sent.
    assert head == entries[0]
    assert backlog.waiting == 26
    backlog.sent(0.0)
    assert backlog.waiting == 25
    assert b"about ada" not in everything(tmp_path)
    assert b"about ben" in everything(tmp_path)
    backlog.close()


def test_everything_held_about_somebody_is_exported(tmp_path: Path) -> None:
    people, home, out = make_album(tmp_path / "people"), tmp_path / "family.whg", tmp_path / "obama.zip"
    assert CliRunner().invoke(main, ["enroll", str(people), "-o", str(home)]).exit_code == 0
    done = CliRunner().invoke(main, ["export", "Barack Obama", str(home), "--people", str(people), "-o", str(out)])
    assert done.exit_code == 0, done.output
    with zipfile.ZipFile(out) as archive:
        told = json.loads(archive.read("person.json"))
        photo = archive.read("photos/barack-obama-photo.jpg")
    assert photo == (PORTRAITS / "barack-obama" / "photo.jpg").read_bytes()
    assert told["person"]["consent"]["purpose"] == "the front door"
    known = open_gallery(home, None)
    person = known.person(PERSON)
    assert person is not None
    np.testing.assert_allclose(told["embeddings"], known.vectors(person), rtol=1e-6)
    nobody = CliRunner().invoke(main, ["export", "Eve", str(home), "-o", str(out)])
    assert nobody.exit_code == 4 and "found nobody called 'Eve'" in nobody.stderr
