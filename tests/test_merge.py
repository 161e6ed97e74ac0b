"""Galleries that went different ways are made one, and what both changed is a conflict."""

import sys
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from converter.__main__ import main
from edge.errors import GalleryError
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Template
from edge.galleries.merge import Conflict, Side, merge
from support.box import AT, Box, face, family
from support.sshd import new_key, running_sshd


def more(gallery: Gallery, name: str, seed: int) -> Gallery:
    return gallery.with_templates(name, [face(seed)], [Template(f"{seed}.jpg", 0.9, AT)], AT)


def about(gallery: Gallery, person: str, **changes: object) -> Gallery:
    people = [msgspec.structs.replace(p, **changes) if p.id == person else p for p in gallery.people]
    return Gallery(msgspec.structs.replace(gallery.header, people=people), gallery.embeddings)


def counts(gallery: Gallery) -> dict[str, int]:
    return {person.id: len(person.templates) for person in gallery.people}


BASE = family(3, "ada", "benny")


def test_what_either_side_added_is_in() -> None:
    mine, theirs = more(more(BASE, "Ada", 11), "Charles", 12), more(more(BASE, "Ada", 13), "Dora", 14)
    merged = merge(mine, theirs)
    assert counts(merged.gallery) == {"ada": 3, "benny": 1, "charles": 1, "dora": 1}
    assert (merged.conflicts, merged.added, merged.removed) == ([], ["dora"], [])
    assert merged.gallery.header.version == 6
    ada = merged.gallery.people[0]
    assert [t.source for t in ada.templates] == ["ada.jpg", "11.jpg", "13.jpg"]
    assert merged.gallery.vectors(ada)[2].tobytes() == face(13).tobytes()


def test_removals_count_when_the_base_is_known() -> None:
    theirs = BASE.without("ada", AT)
    assert counts(merge(BASE, theirs).gallery) == {"ada": 1, "benny": 1}
    merged = merge(BASE, theirs, BASE)
    assert counts(merged.gallery) == {"benny": 1} and merged.removed == ["ada"]
    assert counts(merge(theirs, BASE, BASE).gallery) == {"benny": 1}


def test_one_sided_changes_are_taken_and_two_sided_ones_are_conflicts() -> None:
    mine, theirs = about(BASE, "ada", name="Ada L."), about(BASE, "benny", notes="twin")
    merged = merge(mine, theirs, BASE)
    assert [(p.name, p.notes) for p in merged.gallery.people] == [("Ada L.", ""), ("Benny", "twin")]
    assert merged.conflicts == []
    theirs = about(BASE, "ada", name="Ada King")
    outcomes: dict[Side | None, str] = {None: "Ada L.", "mine": "Ada L.", "theirs": "Ada King"}
    for prefer, name in outcomes.items():
        merged = merge(mine, theirs, BASE, prefer)
        assert merged.conflicts == [Conflict("ada", "name: Ada L. in mine, Ada King in theirs")]
        assert merged.gallery.people[0].name == name


def test_removed_here_and_changed_there_is_a_conflict() -> None:
    mine, theirs = BASE.without("ada", AT), more(BASE, "Ada", 11)
    merged = merge(mine, theirs, BASE, "mine")
    assert [c.person for c in merged.conflicts] == ["ada"]
    assert counts(merged.gallery) == {"benny": 1}
    assert counts(merge(mine, theirs, BASE, "theirs").gallery) == {"benny": 1, "ada": 2}


def test_two_embedders_cannot_be_merged() -> None:
    other = Gallery.of(1, AT, EmbedderId("facenet", "f" * 64), 192, BASE.known())
    with pytest.raises(GalleryError, match="with different embedders"):
        merge(BASE, other)


def test_what_was_enrolled_at_the_box_comes_home(tmp_path: Path) -> None:
    key = new_key(tmp_path / "ada")
    box = Box.make(tmp_path / "box", key)
    home, fetched = tmp_path / "home.whg", tmp_path / "box.whg"
    write_gallery(more(BASE, "Charles", 12), home, key)
    write_gallery(more(BASE, "Dora", 14), box.gallery, key)
    run = CliRunner().invoke
    with running_sshd(tmp_path / "sshd", key, f"{sys.executable} -m edge gallery send --config {box.config}") as server:
        pulled = run(main, ["pull", "127.0.0.1", "-o", str(fetched), "--ssh", " ".join(server.ssh())])
    assert pulled.exit_code == 0, pulled.output
    assert fetched.read_bytes() == box.gallery.read_bytes()
    done = run(main, ["merge", str(home), str(fetched), "--sign", str(key)])
    assert done.exit_code == 0 and "+ dora" in done.output, done.output
    assert counts(open_gallery(home, None, box.loaded.gallery_keys)) == {"ada": 1, "benny": 1, "charles": 1, "dora": 1}
    write_gallery(about(BASE, "ada", name="Ada King"), fetched, key)
    before = home.read_bytes()
    refused = run(main, ["merge", str(home), str(fetched)])
    assert refused.exit_code == 1 and "ada: name: Ada in mine, Ada King in theirs" in refused.output
    assert home.read_bytes() == before
