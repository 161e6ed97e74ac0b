"""Photos are found in the order that people expect, read upright, and refused with the real reason."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.capture.photos import MAX_SIDE_PX, PHOTO_SUFFIXES, PhotoError, expand, read_photo, shrunk
from support.portraits import HOPPER, read_picture, save


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The same JPEG with an EXIF segment that holds nothing but the orientation."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    segment = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


@pytest.mark.parametrize(("orientation", "turn"), [(3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_honoured(tmp_path: Path, orientation: int, turn: int) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(with_orientation(HOPPER.read_bytes(), orientation))
    np.testing.assert_array_equal(read_photo(path), np.rot90(read_picture(HOPPER), turn))


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff"])
def test_what_is_cut_off_is_damaged(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"photo{suffix}", read_picture(HOPPER))
    assert read_photo(path).shape == read_picture(HOPPER).shape
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 9 // 10])
    with pytest.raises(PhotoError, match=r"photo\.\w+: the image is cut off or damaged; copy it again"):
        read_photo(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"Dear Ada, no photo today.", "not an image in a supported format"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC photo, the format of iPhones; convert it to JPEG"),
    ],
)
def test_what_is_no_photo(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "letter.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=rf"letter\.jpg: {reason}") as caught:
        read_photo(path)
    assert caught.value.reason.startswith(reason)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="No such file or directory"):
        read_photo(tmp_path / "none.jpg")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    with pytest.raises(PhotoError, match="Too many levels of symbolic links"):
        read_photo(loop)


def test_grey_deep_and_transparent_images_are_pictures(tmp_path: Path) -> None:
    grey, deep, clear = tmp_path / "grey.png", tmp_path / "deep.png", tmp_path / "transparent.png"
    assert cv2.imwrite(str(grey), np.full((20, 30), 90, np.uint8))
    assert cv2.imwrite(str(deep), np.full((20, 30, 3), 90 * 257, np.uint16))
    assert cv2.imwrite(str(clear), np.full((20, 30, 4), 90, np.uint8))
    for path in (grey, deep, clear):
        image = read_photo(path)
        assert image.shape == (20, 30, 3)
        assert image.dtype.name == "uint8"
        assert int(image.mean()) == 90


def test_folders_are_searched_in_a_persons_order(tmp_path: Path) -> None:
    for name in ("10.jpg", "2.JPG", "b/1.png", "a/x.jpeg", ".hidden/3.jpg", ".4.jpg", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = list(expand([tmp_path, tmp_path / "notes.txt"], PHOTO_SUFFIXES))
    assert [str(inside) for _, inside in found] == ["2.JPG", "10.jpg", "a/x.jpeg", "b/1.png", "notes.txt"]
    assert all(path.is_file() for path, _ in found)


def test_only_very_large_photos_are_shrunk() -> None:
    large = np.zeros((3000, 8000, 3), np.uint8)
    assert shrunk(large).shape == (1500, MAX_SIDE_PX, 3)
    small = np.zeros((30, 80, 3), np.uint8)
    assert shrunk(small) is small
