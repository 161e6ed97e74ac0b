"""What people hand to the converter that is no list, no photo or no name: one message each, and nothing lost."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.datasets import DatasetError, PicturePair, read_not_compared, read_pairs
from converter.detection import read_wider
from converter.embeddings import EmbeddedFaces, FaceRecord
from converter.identification import identify, split
from converter.input_spec import PIXELS
from converter.people_folder import photos_by_person
from converter.report import worst_pairs
from converter.training.crops import crop_all
from edge.faces.framing import Framing
from edge.models.card import InputSpec
from support.album import make_album
from support.converting import run
from support.portraits import HOPPER, OBAMA, OBAMA_2009

READERS: list[Callable[[Path], Any]] = [
    lambda path: read_pairs(path, path.parent),
    lambda path: read_not_compared(path, ["a"]),
    lambda path: read_wider(path, path.parent),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a\0b", b"\x89PNG\r\n\x1a\n\0\0"])
def test_a_file_that_is_no_list_is_one_message(read: Callable[[Path], Any], content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"list\.txt: (cannot be read as text in UTF-8|found a zero byte)"):
        read(path)
    with pytest.raises(DatasetError, match="cannot be read as text"):
        read(tmp_path)


@pytest.mark.parametrize(
    "text", ["0\t0\n", "10\t0\n", "9" * 5000, "1\t1\nAda\t1\t" + "9" * 5000 + "\nAda\t1\tBen\t1\n"]
)
def test_numbers_that_no_list_of_pairs_has(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"pairs\.txt: line [12]"):
        read_pairs(path, tmp_path)


def test_an_editor_s_mark_before_the_first_line_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    path.write_text("\ufeff1\t1\nAda\t1\t2\nAda\t1\tBen\t1\n", encoding="utf-8")
    assert len(read_pairs(path, tmp_path)) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--enroll", "3"), "--enroll: it would be disregarded; allowed with --identify"),
        (("--identify", "--templates", "3"), "--templates: it would be disregarded; allowed without --identify"),
        (("--identify", "--false-alarm", "0.01"), "--false-alarm: it would be disregarded"),
        (("--identify", "--allow-missing"), "--allow-missing: it would be disregarded; allowed with --pairs"),
        (("--allow-missing",), "--allow-missing: it would be disregarded; allowed with --pairs"),
    ],
)
def test_options_of_evaluate_that_would_do_nothing_are_refused(
    options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    code, _, error = run("evaluate", "--images", tmp_path, *options)
    assert (code, said in error) == (2, True), error


def test_a_photo_without_a_face_is_not_taken_for_anybody() -> None:
    people = {name: [Path(f"{name}{n}") for n in range(3)] for name in ("ada", "ben")}
    faces = {path: FaceRecord(b"") for own in people.values() for path in own}
    vector = np.array([1, 0], np.float32).tobytes()
    faces |= {Path("ada0"): FaceRecord(vector), Path("ben0"): FaceRecord(vector)}

    found = identify(split(people, 1), EmbeddedFaces(faces, 2))

    assert (found.known_probes, found.rank_one, found.confused) == (2, 0.0, [])


def test_a_report_shows_a_picture_that_cannot_be_read_as_a_grey_square(tmp_path: Path) -> None:
    good, cut = tmp_path / "good.jpg", tmp_path / "cut.jpg"
    good.write_bytes(HOPPER.read_bytes())
    cut.write_bytes(HOPPER.read_bytes()[:900])
    faces = EmbeddedFaces({good: FaceRecord(np.array([1, 0], np.float32).tobytes()), cut: FaceRecord(b"")}, 2)

    shown = worst_pairs([PicturePair(good, cut, True, 0), PicturePair(cut, good, False, 0)], faces)

    [one], [other] = shown.values()
    assert [pair.said for pair in (one, other)] == ["no face found in one of them"] * 2
    assert one.images == other.images[::-1] and len(set(one.images)) == 2


@pytest.mark.parametrize("names", [["Ada"], ["Ada", "Ben"]])
def test_embedders_are_not_compared_on_nothing(names: list[str], tmp_path: Path) -> None:
    for name, photo in zip(names, (OBAMA, HOPPER), strict=False):
        (tmp_path / "people" / name).mkdir(parents=True)
        (tmp_path / "people" / name / "1.jpg").write_bytes(photo.read_bytes())
    given = ("--templates", "mobilefacenet", "--images", tmp_path / "people", "--no-cache")
    code, _, said = run("compare-embedders", *given)
    assert code == 1
    assert f"comparisons: found {len(names) * (len(names) - 1)} of different people, 0 of one person" in said


def odd_people(root: Path) -> Path:
    """A folder of people with names that are not UTF-8, and a photo that is a link to nothing."""
    for person in (root / os.fsdecode(b"caf\xe9"), root / "Ada"):
        person.mkdir(parents=True)
        for name, photo in ((b"1.jpg", OBAMA), (b"\xff.jpg", OBAMA_2009)):
            (person / os.fsdecode(name)).write_bytes(photo.read_bytes())
    (root / "Ada" / "gone.jpg").symlink_to(root / "nowhere")
    (root / "Ada" / os.fsdecode(b"\xfe.jpg")).write_bytes(b"no photo")
    return root


def test_names_that_are_no_utf8_are_cropped_like_others(tmp_path: Path) -> None:
    people = photos_by_person(odd_people(tmp_path / "people"))
    assert list(people) == ["Ada", "caf\\xe9"]
    spec = InputSpec((1, 32, 32, 3), "rgb", **PIXELS["-1..1"])
    (tmp_path / "out").mkdir()

    found = crop_all(people, spec, Framing(None), tmp_path / "out")
    again = crop_all(people, spec, Framing(None), tmp_path / "out")

    assert len(found.dataset) == len(again.dataset) == 4
    assert found.dataset.people == ["Ada", "caf\\xe9"]
    assert found.unreadable == again.unreadable
    assert len([said for said in found.unreadable if "gone.jpg: no such file" in said]) == 1
    assert len([said for said in found.unreadable if "not an image" in said]) == 1


def test_everything_of_a_person_is_exported_whatever_its_name_and_date(tmp_path: Path) -> None:
    people, home, out = make_album(tmp_path / "people"), tmp_path / "family.whg", tmp_path / "obama.zip"
    assert run("enroll", people, "-o", home)[0] == 0
    odd = people / "obama" / os.fsdecode(b"\xff.jpg")
    odd.write_bytes(OBAMA.read_bytes())
    os.utime(odd, (0, 0))

    code, _, said = run("export", "Barack Obama", home, "--people", people, "-o", out)

    assert code == 0, said
    with zipfile.ZipFile(out) as archive:
        assert archive.read("photos/\\xff.jpg") == OBAMA.read_bytes()
        assert archive.testzip() is None


def test_a_failed_export_leaves_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people, home, out = make_album(tmp_path / "people"), tmp_path / "family.whg", tmp_path / "obama.zip"
    assert run("enroll", people, "-o", home)[0] == 0
    out.write_bytes(b"the earlier one")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    code, _, said = run("export", "Barack Obama", home, "--people", people, "-o", out)

    assert (code, f"{out}: No space left on device; nothing was exported" in said) == (1, True), said
    assert out.read_bytes() == b"the earlier one"
    assert {path.name for path in tmp_path.iterdir()} >= {"obama.zip"} and not list(tmp_path.glob("part-*"))


@pytest.mark.parametrize("option", ["--encrypt-to", "--key"])
def test_a_key_that_is_none_is_one_message(option: str, tmp_path: Path) -> None:
    people, home = make_album(tmp_path / "people"), tmp_path / "family.whg"
    assert run("enroll", people, "-o", home)[0] == 0
    before = home.read_bytes()
    (tmp_path / "key").write_bytes(b"\xff\0\xfe")
    code, _, said = run("sign", home, option, tmp_path / "key")
    assert (code, str(tmp_path / "key") in said) == (4, True), said
    assert home.read_bytes() == before


@pytest.mark.parametrize("name", ["../../elsewhere", "a/b", "/a", ".hidden", "x" * 300, "two\nlines", "caf\udce9"])
def test_no_variant_is_written_outside_its_folder(name: str, tmp_path: Path) -> None:
    """The network is not even read."""
    (tmp_path / "net.tflite").write_bytes(b"not read")
    given = (tmp_path / "net.tflite", "-o", tmp_path / "out" / "in", "--range", "-1..1", "--name", name)
    code, _, said = run("convert", *given)
    assert (code, "allowed: the beginning of a file's name" in " ".join(said.split())) == (2, True), said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.tflite"]


@pytest.mark.parametrize("option", ["--licence", "--origin"])
@pytest.mark.parametrize("text", ["two\nlines", "\x1b[31mred", "x" * 201])
def test_what_goes_into_a_card_is_one_line(option: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(b"not read")
    code, _, said = run("convert", tmp_path / "net.tflite", "-o", tmp_path / "out", "--range", "-1..1", option, text)
    assert (code, "one line of at most 200" in " ".join(said.split())) == (2, True), said


def test_no_camera_is_no_source(tmp_path: Path) -> None:
    code, _, said = run("collect", "--person", "Ada", "-o", tmp_path / "set")
    assert (code, "neither or both of --camera and --video" in said) == (2, True)
