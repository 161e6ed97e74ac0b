"""A disk that is full in the middle: the message names the file, and nothing half-written stays under its name."""

from pathlib import Path

import numpy as np
import pytest

from converter import contact_sheet, example_data, tflite_to_keras
from converter.enroll import Build
from converter.files import replacing, write_whole
from edge.errors import WhosthereError
from support.box import family
from support.converting import run

FULL = OSError(28, "No space left on device")


def test_the_file_is_named_and_the_earlier_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    path.write_bytes(b"earlier")
    with pytest.raises(OSError, match="No space left") as caught, replacing(path) as part:
        part.write_bytes(b"half")
        raise OSError(*FULL.args)
    assert caught.value.filename == str(path)
    with pytest.raises(FileNotFoundError) as absent:
        write_whole(tmp_path / "nowhere" / "a.txt", b"")
    assert absent.value.filename == str(tmp_path / "nowhere" / "a.txt")
    with pytest.raises(FileNotFoundError) as other, replacing(path):
        (tmp_path / "photo.jpg").read_bytes()
    assert other.value.filename == str(tmp_path / "photo.jpg")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("net.keras", b"earlier")]


class Unsaved:
    """A model whose saving fails in the middle."""

    def save(self, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(*FULL.args)

    def count_params(self) -> int:
        return 1


def test_import_leaves_no_half_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.keras"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(tflite_to_keras, "to_keras", lambda *_: Unsaved())
    monkeypatch.setattr(tflite_to_keras, "largest_difference", lambda *_: 0.0)

    code, _, said = run("import", "mobilefacenet", "-o", path)

    assert (code, f"{path}: No space left on device" in said) == (1, True), said
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("net.keras", b"earlier")]


def test_example_data_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []

    def until_full(path: Path, content: bytes) -> None:
        written.append(path)
        if len(written) > 5:
            raise OSError(28, "No space left on device", str(path))
        path.write_bytes(content)

    monkeypatch.setattr(example_data, "write_whole", until_full)
    code, _, said = run("example-data", tmp_path / "ex", "--photos", "4")
    assert (code, f"{written[-1]}: No space left on device" in said) == (1, True), said
    assert list((tmp_path / "ex").iterdir()) == []
    monkeypatch.undo()
    assert run("example-data", tmp_path / "ex", "--photos", "2")[0] == 0


def test_a_contact_sheet_is_no_half_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError(*FULL.args)

    monkeypatch.setattr(contact_sheet, "contact_sheet", lambda _: np.zeros((9, 9, 3), np.uint8))
    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(WhosthereError, match=r"sheet\.png: cannot be written: No space left"):
        contact_sheet.write_sheet(Build(family(1, "ada"), [], [], 0.5), tmp_path / "sheet.png")
    assert list(tmp_path.iterdir()) == []
