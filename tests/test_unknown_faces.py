"""Unknown visitors: kept on the box when its owner wants that, named on the desktop, forgotten in time."""

import os
import sys
import tarfile
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from converter import unknown_faces as naming
from converter.__main__ import main
from converter.people_folder import read_people
from edge.config.visits import UnknownFacesSettings
from edge.errors import WhosthereError
from edge.events import Event, EventKind
from edge.galleries.file import open_gallery
from edge.records import Box, Outcome
from edge.visits.face_picture import face_of
from edge.visits.strangers_file import clear_pictures
from edge.visits.unknown_faces import UnknownFaces
from support.album import make_album
from support.broker import Listener, running_broker
from support.daemon import TOPIC, running, visitors, write_config
from support.portraits import COLLINS, OBAMA_2009, OBAMA_2010
from support.publishing import event, match, recognized
from support.sshd import new_key, running_sshd
from test_strangers_command import keep, seen_as

HOUR_S = 3600.0
PICTURE = np.full((480, 640, 3), 128, np.uint8)


def gone(visit: str, outcome: Outcome = Outcome.UNKNOWN) -> Event:
    """A visit has ended."""
    ended = event(EventKind.ENDED, visit, 2, match=match(outcome))
    return replace(ended, picture=PICTURE, picture_box=Box(300, 200, 360, 260))


def names(faces: UnknownFaces) -> list[str]:
    return [path.stem for path in faces.kept()]


def test_only_unknown_visitors_are_kept_and_only_when_asked(tmp_path: Path) -> None:
    off, on = (
        UnknownFaces(tmp_path / "off", UnknownFacesSettings()),
        UnknownFaces(tmp_path / "on", UnknownFacesSettings(keep=5)),
    )
    for faces in (off, on):
        faces.take(gone("v1"), 0)
        faces.take(gone("v2", Outcome.RECOGNIZED), 0)
        faces.take(gone("v3", Outcome.UNCERTAIN), 0)
        faces.take(recognized("v4"), 0)
        faces.take(replace(gone("v5"), picture=None), 0)
    assert names(off) == []
    assert not off.folder.exists()
    assert names(on) == ["v1"]
    kept = cv2.imread(str(on.kept()[0]))
    assert kept is not None and kept.shape == (132, 132, 3)
    assert oct(on.kept()[0].stat().st_mode & 0o777) == "0o600"


def test_the_oldest_go_when_there_are_too_many_and_all_when_they_are_old(tmp_path: Path) -> None:
    faces = UnknownFaces(tmp_path, UnknownFacesSettings(keep=2, keep_hours=1))
    for number, name in enumerate(("v1", "v2", "v3")):
        faces.take(gone(name), 1000.0)
        os.utime(tmp_path / f"{name}.jpg", (1000 + number, 1000 + number))
    assert names(faces) == ["v2", "v3"]
    faces.tidy(1001.5 + HOUR_S)
    assert names(faces) == ["v3"]
    UnknownFaces(tmp_path, UnknownFacesSettings(keep=0)).tidy(1000.0)
    assert names(faces) == []


def test_a_full_or_missing_disk_is_told_once_and_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    faces = UnknownFaces(tmp_path / "file" / "strangers", UnknownFacesSettings(keep=2))
    faces.take(gone("v1"), 0)
    faces.take(gone("v2"), 0)
    assert [r.levelname for r in caplog.records] == ["ERROR"]


def test_the_face_keeps_some_surroundings_and_stays_in_the_picture() -> None:
    assert face_of(PICTURE, Box(0, 0, 100, 100)).shape == (160, 160, 3)
    assert face_of(PICTURE, Box(600, 440, 640, 480)).shape == (64, 64, 3)
    assert max(face_of(PICTURE, Box(100, 20, 500, 460)).shape) == 480


def test_forgetting_somebody_removes_every_strangers_picture(tmp_path: Path) -> None:
    faces = UnknownFaces(tmp_path, UnknownFacesSettings(keep=2))
    faces.take(gone("v1"), 0)
    assert [path.stem for path in clear_pictures(tmp_path)] == ["v1"]
    assert clear_pictures(tmp_path / "nowhere") == []


def tar(*files: tuple[str, bytes]) -> bytes:
    target = BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    return target.getvalue()


@pytest.mark.parametrize(
    "sent",
    [
        tar(("../x.jpg", b"")),
        tar(("/etc/v.jpg", b"")),
        tar(("v1.sh", b"")),
        b"x" * 600,
        tar(("v.jpg", b"x" * 5_000_000)),
    ],
)
def test_a_box_that_sends_something_else_is_refused(sent: bytes, tmp_path: Path) -> None:
    (tmp_path / "sent").write_bytes(sent)
    with pytest.raises(WhosthereError, match="box: sent"):
        naming.fetch("box", f"sh -c 'cat {tmp_path / 'sent'}' --", 10)


def test_the_pictures_of_a_stranger_who_came_again_are_one_visitor(tmp_path: Path) -> None:
    """On the sheet between single visits, by the latest visit; named in one step."""
    sent = tar(
        ("20250103T100000-aaaaaa.jpg", b"a"),
        ("stranger-3-20250104T100000-bbbbbb-1.jpg", b"b"),
        ("stranger-3-20250102T100000-cccccc-1.jpg", b"c"),
        ("stranger-12-20250102T110000-dddddd-1.jpg", b"d"),
    )
    (tmp_path / "sent").write_bytes(sent)
    found = naming.fetch("box", f"sh -c 'cat {tmp_path / 'sent'}' --", 10)
    assert [(visitor.visit, len(visitor.pictures)) for visitor in found] == [
        ("stranger-12", 1), ("20250103T100000-aaaaaa", 1), ("stranger-3", 2),
    ]  # fmt: skip
    assert naming.chosen(found, "stranger-3") is naming.chosen(found, "3") is found[2]
    assert [path.name for path in naming.adopt(found[2], "Eve", tmp_path, [])] == [
        "stranger-3-20250104T100000-bbbbbb-1.jpg",
        "stranger-3-20250102T100000-cccccc-1.jpg",
    ]


@pytest.mark.parametrize("key", ["7", "3", "a7", "aaaa7", "", "stranger"])
def test_a_number_that_is_not_on_the_sheet_is_not_the_end_of_a_visit(key: str) -> None:
    visitors = [naming.UnknownVisitor(visit, {}) for visit in ("20250103T100000-aaaaa7", "stranger-3")]
    with pytest.raises(WhosthereError, match=f"--name {key}=...: no visit of that number or id; 1 to 2 are on the"):
        naming.chosen(visitors, key)
    assert naming.chosen(visitors, "aaaaa7") is naming.chosen(visitors, visitors[0].visit) is visitors[0]


@pytest.mark.parametrize("name", ["../Ada", "../../Ada", "{root}/../Ada", "Ada/Byron", "..", ".", ".ssh", ""])
def test_a_name_that_is_a_path_is_refused_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    root = tmp_path / "home" / "people"
    root.mkdir(parents=True)
    visitor = naming.UnknownVisitor("v1", {"v1": b"JPEG"})

    with pytest.raises(WhosthereError, match="--name"):
        naming.adopt(visitor, name.format(root=root), root, [])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert [path.name for path in tmp_path.rglob("*")] == ["home", "people"]


def test_a_visitor_goes_into_the_folder_of_a_known_person_or_a_new_one(tmp_path: Path) -> None:
    people = read_people(make_album(tmp_path), videos=False).people
    visitor = naming.UnknownVisitor("v1", {"v1": b"JPEG"})

    assert naming.adopt(visitor, "Barack Obama", tmp_path, people) == [tmp_path / "obama" / "v1.jpg"]
    assert naming.adopt(visitor, " Ada  Lovelace ", tmp_path, people) == [tmp_path / "Ada Lovelace" / "v1.jpg"]
    assert (tmp_path / "Ada Lovelace" / "v1.jpg").read_bytes() == b"JPEG"


@pytest.mark.parametrize("name", ["Barack Obamá", "barack-obama"])
def test_a_similar_name_is_another_person(tmp_path: Path, name: str) -> None:
    people = read_people(make_album(tmp_path), videos=False).people
    assert naming.adopt(naming.UnknownVisitor("v1", {"v1": b"JPEG"}), name, tmp_path, people) == [
        tmp_path / name / "v1.jpg"
    ]


def test_a_folder_that_belongs_to_somebody_of_another_name_is_not_used(tmp_path: Path) -> None:
    people = read_people(make_album(tmp_path), videos=False).people
    with pytest.raises(WhosthereError, match=r"--name \.\.\.=obama: the folder .*obama is of Barack Obama"):
        naming.adopt(naming.UnknownVisitor("v1", {"v1": b"JPEG"}), "obama", tmp_path, people)


@pytest.mark.slow
def test_from_a_stranger_at_the_door_to_a_name_in_the_gallery(tmp_path: Path, demo_gallery: Path) -> None:
    """The real daemon on the bundled clip; a real sshd with a key that may only send."""
    key = new_key(tmp_path / "key")
    kept, people, output = tmp_path / "strangers", make_album(tmp_path / "people"), tmp_path / "family.whg"
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        camera = {"source": str(visitors(tmp_path / "two.avi", 0, 1))}
        config = write_config(tmp_path, broker, demo_gallery, camera=camera, strangers={"keep": 3, "path": str(kept)})
        with running(config) as daemon:
            assert daemon.wait() == 0, daemon.log
        listener.wait_for(f"{TOPIC}/status", b"offline")
    (picture,) = kept.iterdir()
    with running_sshd(tmp_path / "sshd", key, f"{sys.executable} -m edge gallery send --config {config}") as server:
        arguments = [
            "enroll",
            str(people),
            "-o",
            str(output),
            "--from-box",
            "127.0.0.1",
            "--ssh",
            " ".join(server.ssh()),
        ]
        looked = CliRunner().invoke(main, arguments)
        assert looked.exit_code == 0, looked.output
        assert picture.stem in looked.stderr and "nobody named" in looked.stderr
        sheet = cv2.imread(str(tmp_path / "family.strangers.png"))
        assert sheet is not None
        named = CliRunner().invoke(main, [*arguments, "--name", "1=Eileen Collins"])
        wrong = CliRunner().invoke(main, [*arguments, "--name", "7=Nobody"])
    assert named.exit_code == 0, named.output
    assert (people / "Eileen Collins" / picture.name).read_bytes() == picture.read_bytes()
    assert open_gallery(output, None).person("eileen-collins") is not None
    assert wrong.exit_code == 1 and "--name 7=...: no visit of that number or id; 1 to 1" in wrong.output


def test_strangers_who_came_again_are_named_on_the_desktop(tmp_path: Path) -> None:
    """The box sends what `whosthere strangers` shows."""
    config = tmp_path / "config.yaml"
    config.write_text(f"strangers: {{keep: 3, keep_hours: 2160, group: true, path: {tmp_path / 'kept'}}}\n")
    box = f"env SSH_ORIGINAL_COMMAND='send --strangers' {sys.executable} -m edge gallery send --config {config} #"
    assert naming.fetch("box", f'sh -c "{box}" --', 60) == []
    keep(config, 2, seen_as(OBAMA_2009), seen_as(OBAMA_2010), now=time.time() - 600)
    keep(config, 3, seen_as(COLLINS), now=time.time() - 2161 * HOUR_S)
    (visitor,) = naming.fetch("box", f'sh -c "{box}" --', 60)
    assert visitor.visit == "stranger-2" and len(visitor.pictures) == 2
    people = tmp_path / "people"
    people.mkdir()
    naming.write_sheet([visitor], tmp_path / "sheet.png")
    naming.adopt(visitor, "Barack Obama", people, [])
    output = tmp_path / "family.whg"
    done = CliRunner().invoke(main, ["enroll", str(people), "-o", str(output)])
    assert done.exit_code == 0, done.output
    assert len(open_gallery(output, None).embeddings) == 2


def test_a_box_that_keeps_none_says_so(tmp_path: Path, demo_gallery: Path) -> None:
    with running_broker(tmp_path / "broker") as broker:
        config = write_config(tmp_path, broker, demo_gallery)
    box = f"env SSH_ORIGINAL_COMMAND='send --strangers' {sys.executable} -m edge gallery send --config {config} #"
    with pytest.raises(WhosthereError, match=r"strangers\.keep"):
        naming.fetch("box", f'sh -c "{box}" --', 60)
