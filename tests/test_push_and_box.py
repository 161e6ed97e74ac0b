"""A push from the desktop and changes at the box: neither loses the other's people."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from converter.__main__ import main
from edge.errors import GalleryError
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Gallery, Template
from edge.galleries.history import History
from edge.galleries.local_changes import base_of, would_be_lost
from support.box import AT, Box, bundle, face, family
from support.portraits import whosthere
from support.sshd import new_key, running_sshd


def with_person(gallery: Gallery, name: str, seed: int) -> Gallery:
    return gallery.with_templates(name, [face(seed)], [Template(f"{name}.jpg", 1.0, AT)], AT)


def people(path: Path) -> list[str]:
    return sorted(person.id for person in open_gallery(path, None).people)


@pytest.mark.slow
def test_over_ssh_both_sides_keep_their_people(tmp_path: Path) -> None:
    key = new_key(tmp_path / "ada")
    box = Box.make(tmp_path / "box", key, signing_key=str(key))
    home, pushed, fetched = tmp_path / "home.whg", tmp_path / "pushed.whg", tmp_path / "box.whg"
    run, gallery = CliRunner().invoke, f"{sys.executable} -m edge gallery"
    with (
        running_sshd(tmp_path / "in", key, f"{gallery} receive --config {box.config}") as receiving,
        running_sshd(tmp_path / "out", key, f"{gallery} send --config {box.config}") as sending,
    ):

        def push(*options: str) -> tuple[int, str]:
            done = run(main, ["push", str(home), "127.0.0.1", "--ssh", " ".join(receiving.ssh()), *options])
            return done.exit_code, " ".join(done.output.split())

        bundle(home, 1, "ada", "benny", "chris-x", key=key)
        assert push()[0] == 1  # no daemon is running on the box
        # At the box Dora is enrolled and Benny removed; on the desktop Eve is added and Chris removed.
        at_box = with_person(open_gallery(box.gallery, None), "dora", 40)
        write_gallery(at_box, box.gallery, key)
        removed = whosthere("gallery", "remove", "benny", "--yes", "--config", box.config)
        assert removed.exit_code == 0, removed.output
        changed = with_person(open_gallery(home, None), "eve", 41).without("chris-x", AT)
        newer = msgspec.structs.replace(changed.header, version=9)
        write_gallery(Gallery(newer, changed.embeddings), home, key)
        code, said = push()
        assert code != 0
        assert "dora (dora), enrolled here; Benny (benny), removed here. Fetch it with" in said
        assert people(box.gallery) == ["ada", "chris-x", "dora"]
        code, said = push("--dry-run")
        assert code != 0 and "dora" in said
        pulled = run(
            main, ["pull", "127.0.0.1", "-o", str(fetched), "--base", str(pushed), "--ssh", " ".join(sending.ssh())]
        )
        assert pulled.exit_code == 0, pulled.output
        assert people(pushed) == ["ada", "benny", "chris-x"]
        merged = run(main, ["merge", str(home), str(fetched), "--base", str(pushed), "--sign", str(key)])
        assert merged.exit_code == 0, merged.output
        assert people(home) == ["ada", "dora", "eve"]
        assert push()[0] == 1
        assert people(box.gallery) == ["ada", "dora", "eve"]
        assert base_of(box.gallery, box.loaded.gallery_keys, open_gallery(box.gallery, None)) is not None


def lost(new: Gallery, current: Gallery, base: Gallery | None) -> list[str]:
    return would_be_lost(new, current, base)


BASE = family(1, "ada", "benny")


def test_what_only_the_desktop_changed_is_no_loss() -> None:
    new = with_person(BASE.without("benny", AT), "eve", 41)
    assert lost(new, BASE, BASE) == []
    assert lost(BASE, BASE, None) == []


def test_what_both_changed_alike_is_no_loss() -> None:
    assert lost(BASE.without("ada", AT), BASE.without("ada", AT), BASE) == []


@pytest.mark.parametrize(
    ("current", "line"),
    [
        (with_person(BASE, "dora", 40), "dora (dora), enrolled here"),
        (BASE.without("benny", AT), "Benny (benny), removed here"),
        (with_person(BASE, "Benny", 42), "Benny (benny), changed here"),
        (BASE.renamed(BASE.people[1], "Ben", AT), "Ben (benny), changed here"),
    ],
)
def test_what_only_the_box_changed_would_be_lost(current: Gallery, line: str) -> None:
    assert lost(BASE, current, BASE) == [line]


def test_without_a_base_everybody_on_the_box_counts() -> None:
    assert lost(family(2, "ada"), BASE, None) == ["Benny (benny), enrolled here"]


def test_a_name_that_both_changed_is_a_conflict() -> None:
    here, there = BASE.renamed(BASE.people[0], "Ada L.", AT), BASE.renamed(BASE.people[0], "Ada King", AT)
    assert lost(there, here, BASE) == ["ada, changed on both sides (name: Ada King in mine, Ada L. in theirs)"]


def test_somebody_whose_time_is_over_is_not_missed() -> None:
    over = BASE.with_about(BASE.people[1], AT, expires_at=datetime.now(UTC) - timedelta(days=1))
    assert lost(over, over.without("benny", AT), over) == []
    assert would_be_lost(family(2, "ada"), BASE, None, forgotten="benny") == []


def test_force_loses_it_and_a_rollback_needs_no_merge(tmp_path: Path) -> None:
    key = new_key(tmp_path / "key")
    box = Box.make(tmp_path / "box", key, signing_key=str(key))
    for version in (1, 2):
        names = ["ada", "benny", "chris-x"][: version + 1]
        with bundle(tmp_path / "new.whg", version, *names, key=key).open("rb") as stream:
            box.receiver(0.1).receive(stream)
    box.receiver(0.1).roll_back(History(box.gallery).kept()[0])
    assert people(box.gallery) == ["ada", "benny"]
    with bundle(tmp_path / "new.whg", 3, "ada", key=key).open("rb") as stream:
        box.receiver(0.1).receive(stream)
    write_gallery(with_person(open_gallery(box.gallery, None), "dora", 40), box.gallery, key)
    bundle(tmp_path / "new.whg", 9, "ada", key=key)
    with (
        (tmp_path / "new.whg").open("rb") as stream,
        pytest.raises(GalleryError, match=r"dora \(dora\), enrolled here"),
    ):
        box.receiver(0.1).receive(stream)
    with (tmp_path / "new.whg").open("rb") as stream:
        box.receiver(0.1).receive(stream, force=True)
    assert people(box.gallery) == ["ada"]


def test_a_forgotten_person_leaves_the_base_too(tmp_path: Path) -> None:
    key = new_key(tmp_path / "key")
    box = Box.make(tmp_path / "box", key, signing_key=str(key))
    with bundle(tmp_path / "new.whg", 1, "ada", "benny", key=key).open("rb") as stream:
        box.receiver(0.1).receive(stream)
    gone = whosthere("gallery", "remove", "ada", "--yes", "--forget", "--config", box.config)
    assert "nothing about them is left on this box" in gone.stdout, gone.output
    assert people(History(box.gallery).base) == ["benny"]
    with bundle(tmp_path / "new.whg", 5, "benny", key=key).open("rb") as stream:
        assert box.receiver(0.1).receive(stream).status == "written"
