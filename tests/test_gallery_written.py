"""Nothing is ever written that the reader refuses, whatever photos are called; what was there before is kept."""

import contextlib
import os
import shutil
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converter.__main__ import main
from edge.config.sections import NO_KEYS, GalleryKeys
from edge.errors import GalleryError
from edge.galleries import names
from edge.galleries.file import decode, encode, open_gallery, write_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Template
from edge.galleries.history import History
from edge.galleries.store import replace_gallery, replace_with
from support.people import AT, DIMENSIONS, gallery_of, somebody
from support.portraits import OBAMA, OBAMA_2009, whosthere

ODD_NAMES = [
    "Screenshot 2026-01-31 at 9.41.00\u202fAM.jpg",
    "\x1b]0;pwned\x07.jpg",
    "two\nlines.jpg",
    "\u202egpj.ada.jpg",
    "family \U0001f468\u200d\U0001f469.jpg",
    os.fsdecode(b"caf\xe9.jpg"),
]


def photos(folder: Path) -> list[Path]:
    """Copies of one photo under every odd name that this file system allows."""
    folder.mkdir()
    for name in ODD_NAMES:
        with contextlib.suppress(OSError):
            shutil.copy(OBAMA, folder / name)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("number", range(len(ODD_NAMES)))
def test_a_photo_of_any_name_is_enrolled_and_the_gallery_stays_readable(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "photos"
    photo = photos(folder)[number]
    gallery = tmp_path / "family.whg"
    done = whosthere("enroll", "--gallery", gallery, "--person", "Ada", photo)
    assert done.exit_code == 0, done.output
    [ada] = open_gallery(gallery, None).people
    assert not names.unprintable(ada.templates[0].source) and ada.templates[0].source.endswith(".jpg")
    more = whosthere("enroll", "--gallery", gallery, "--person", "Ada", OBAMA_2009)
    assert more.exit_code == 0, more.output
    [kept] = History(gallery).kept()
    assert open_gallery(kept, None).header.version == 1


def test_the_converter_enrolls_photos_of_any_name_and_keeps_the_gallery_before(tmp_path: Path) -> None:
    people, output = tmp_path / "people", tmp_path / "family.whg"
    people.mkdir()
    taken = photos(people / "Ada")
    consent = '{given_by: "A\\u00a0B", given_on: 2026-01-31, purpose: "the\\tdoor"}'
    (people / "Ada" / "person.yaml").write_text(f'notes: "a\\tb\\e[31m\\nc"\nconsent: {consent}\n')
    for expected in (0, 0):
        done = CliRunner().invoke(main, ["enroll", str(people), "-o", str(output)])
        assert done.exit_code == expected, done.output
        shutil.copy(OBAMA_2009, people / "Ada" / "more.jpg")
    [ada] = open_gallery(output, None).people
    assert ada.notes == "a b\\x1b[31m\nc" and ada.consent and ada.consent.given_by == "A B"
    assert len(taken) >= 4 and not any(names.unprintable(template.source) for template in ada.templates)
    [kept] = History(output).kept()
    assert open_gallery(kept, None).header.version == 1


@given(st.lists(st.text(st.characters(exclude_categories=())), min_size=1, max_size=3))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_can_be_made_printable_and_then_read(texts: list[str]) -> None:
    sources = [Template(names.printable(text), 1.0, AT) for text in texts]
    empty = Gallery.empty(EmbedderId("vectors", "0" * 64), DIMENSIONS)
    gallery = empty.with_templates("Ada", [somebody(i) for i in range(len(texts))], sources, AT)
    assert decode(encode(gallery), "it", None, NO_KEYS).people == gallery.people


@given(
    st.text(st.characters(exclude_categories=()), max_size=4),
    st.sampled_from(["name", "notes", "source", "added_at", "created_at", "embedder"]),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_cannot_be_read_is_not_written(tmp_path: Path, text: str, field: str) -> None:
    path = tmp_path / "family.whg"
    write_gallery(gallery_of(ada=somebody(1)), path)
    before = path.read_bytes()
    try:
        replace_gallery(changed(field, text), path)
    except GalleryError as error:
        assert str(error).startswith((f"{path}: not written, because it could not be read again: ", "the gallery"))
        assert path.read_bytes() == before
    assert open_gallery(path, None).people


def changed(field: str, text: str) -> Gallery:
    """A gallery of Ada in which one field holds this text."""
    known = gallery_of(ada=somebody(1))
    header, [ada] = known.header, known.people
    if field in {"source", "added_at"}:
        ada = msgspec.structs.replace(ada, templates=[msgspec.structs.replace(ada.templates[0], **{field: text})])
    elif field in {"name", "notes"}:
        ada = msgspec.structs.replace(ada, **{field: text})
    elif field == "embedder":
        header = msgspec.structs.replace(header, embedder=EmbedderId(text, "0" * 64))
    else:
        header = msgspec.structs.replace(header, created_at=text)
    return Gallery(msgspec.structs.replace(header, people=[ada]), known.embeddings)


def test_a_gallery_that_its_reader_would_refuse_is_not_written_though_it_is_signed_by_somebody(
    tmp_path: Path,
) -> None:
    path, nobody = tmp_path / "family.whg", tmp_path / "allowed_signers"
    nobody.write_text("")
    with pytest.raises(GalleryError, match="not written, because it could not be read again: it: not signed"):
        write_gallery(gallery_of(ada=somebody(1)), path, keys=GalleryKeys(nobody, None))
    assert not path.exists()


def test_what_a_pull_replaces_is_kept_and_what_is_no_gallery_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "box.whg"
    write_gallery(gallery_of(ada=somebody(1)), path)
    with pytest.raises(GalleryError, match="front-door: not a gallery"):
        replace_with(b"no gallery at all", "front-door", path)
    replace_with(encode(gallery_of(ada=somebody(1), ben=somebody(2))), "front-door", path)
    [kept] = History(path).kept()
    assert [p.id for p in open_gallery(kept, None).people] == ["ada"]
    assert [p.id for p in open_gallery(path, None).people] == ["ada", "ben"]


def test_the_earlier_gallery_behind_a_link_is_kept_as_a_file(tmp_path: Path) -> None:
    path, link = tmp_path / "family.whg", tmp_path / "current.whg"
    write_gallery(gallery_of(ada=somebody(1)), path)
    link.symlink_to(path)
    replace_gallery(gallery_of(ben=somebody(2), cy=somebody(3)), link)
    [kept] = History(link).kept()
    assert not kept.is_symlink()
    assert [p.id for p in open_gallery(kept, None).people] == ["ada"]


def test_somebody_who_is_removed_is_in_no_kept_gallery_and_a_good_copy_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "family.whg"
    write_gallery(gallery_of(ada=somebody(1)), path)
    for known in (gallery_of(ada=somebody(1), ben=somebody(2)), gallery_of(ada=somebody(1), cy=somebody(3))):
        replace_gallery(known, path)
    done = whosthere("gallery", "remove", "ada", "--yes", "--gallery", path)
    assert done.exit_code == 0, done.output
    [kept] = History(path).kept()
    assert kept.read_bytes() == path.read_bytes() and not kept.samefile(path)
    assert [p.id for p in open_gallery(kept, None).people] == ["cy"]
