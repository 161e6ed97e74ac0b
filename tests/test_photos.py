"""Photos are found in the order that people expect, read upright, and refused with the real reason."""

import importlib.util
import os
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.capture import iso_photo
from edge.capture.clip import open_clip
from edge.capture.file_type import is_still_gif
from edge.capture.media_files import expand
from edge.capture.photos import MAX_SIDE_PX, PhotoError, decode, read_photo, shrunk
from edge.errors import CameraError
from support.capture_helpers import write_gif
from support.portraits import HOPPER, OBAMA_2009, read_picture, save


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
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "a video, not a photo"),
    ],
)
def test_what_is_no_photo(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "letter.jpg"
    path.write_bytes(content)
    with pytest.raises(PhotoError, match=rf"letter\.jpg: {reason}") as caught:
        read_photo(path)
    assert caught.value.reason.startswith(reason)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="no such file"):
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
    found = list(expand([tmp_path, tmp_path / "notes.txt"], videos=False, left_out=[]))
    assert [str(inside) for _, inside in found] == ["2.JPG", "10.jpg", "a/x.jpeg", "b/1.png", "notes.txt"]
    assert all(path.is_file() for path, _ in found)


def test_only_very_large_photos_are_shrunk() -> None:
    large = np.zeros((3000, 8000, 3), np.uint8)
    assert shrunk(large).shape == (1500, MAX_SIDE_PX, 3)
    small = np.zeros((30, 80, 3), np.uint8)
    assert shrunk(small) is small


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "endless.jpg").symlink_to("/dev/zero")
    for name in ("pipe.jpg", "endless.jpg"):
        with pytest.raises(PhotoError, match=rf"{name}: cannot be read: not a regular file"):
            read_photo(tmp_path / name)
    assert list(expand([tmp_path], videos=True, left_out=[]))
    with pytest.raises(CameraError, match="not a"):
        open_clip(tmp_path / "pipe.jpg", 10)


def test_a_file_without_end_is_read_to_the_limit_only(tmp_path: Path) -> None:
    path = tmp_path / "long.jpg"
    with path.open("wb") as file:
        file.write(b"\xff\xd8\xff")
        file.truncate(10**12)
    with pytest.raises(PhotoError, match="1000000 MB found; allowed: 200 MB; make it smaller"):
        read_photo(path)


def test_everything_in_a_folder_is_read_or_said_to_be_left_out(tmp_path: Path) -> None:
    portrait = OBAMA_2009.read_bytes()
    photos = ("a.jfif", "b.jpe", "c.hif", "no suffix", "clip.mp4", "sub/d.JPG")
    others = ("@eaDir/1.jpg", "#recycle/2.jpg", "__MACOSX/3.jpg", "lost+found/4.jpg", ".thumbnails/5.jpg", "notes.txt")
    for name in (*photos, *others):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"Dear Ada" if name == "notes.txt" else portrait)
    write_gif(tmp_path / "still.gif", [0.1])
    write_gif(tmp_path / "moving.gif", [0.1, 0.1])
    (tmp_path / "linked").symlink_to(tmp_path / "sub")
    left_out: list[str] = []
    found = {str(inside) for _, inside in expand([tmp_path], videos=False, left_out=left_out)}
    assert found == {*photos, "still.gif"}
    said = "\n".join(left_out)
    for name in ("@eaDir", "#recycle", "__MACOSX", "lost+found", ".thumbnails", "notes.txt", "moving.gif", "linked"):
        assert f"{tmp_path / name}: left out: " in said


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is None, reason="pillow-heif is not installed")
def test_heic_is_read_upright_where_pillow_heif_is_installed(tmp_path: Path) -> None:
    heif = importlib.import_module("pillow_heif")
    image = read_picture(OBAMA_2009)
    file = heif.from_bytes(mode="BGR", size=image.shape[1::-1], data=image.tobytes())
    file.save(tmp_path / "phone.jpg", format="HEIF")
    read = read_photo(tmp_path / "phone.jpg")
    assert read.shape == image.shape
    assert np.abs(read.astype(int) - image).mean() < 4


def test_heic_without_pillow_heif_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    ispe = b"\0\0\0\x14ispe" + struct.pack(">III", 0, 40, 30)
    path = tmp_path / "letter.jpg"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + ispe)
    with pytest.raises(PhotoError, match=r"a HEIC photo, the format of iPhones; .*pip install 'whosthere\[heic\]'"):
        read_photo(path)


@pytest.mark.skipif(not cv2.haveImageWriter("x.avif"), reason="this OpenCV writes no AVIF")
def test_avif_is_turned_as_its_boxes_say() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20, :30] = 200
    content = cv2.imencode(".avif", image)[1].tobytes()
    for quarters in range(4):
        turned = iso_photo.upright(image, content + b"\0\0\0\x09irot" + bytes([quarters]))
        np.testing.assert_array_equal(turned, np.rot90(image, quarters))
    np.testing.assert_array_equal(iso_photo.upright(image, b"irot\0imir\1"), image[:, ::-1])
    np.testing.assert_array_equal(iso_photo.upright(image, b"irot\0imir\0"), image[::-1])
    read = decode(content + b"\0\0\0\x09irot\1")
    assert read is not None
    assert read.shape == (60, 40, 3)


def test_a_tiff_of_floating_point_numbers_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "float.tiff", np.full((30, 40, 3), 0.5, np.float32))
    with pytest.raises(PhotoError, match="a TIFF of floating-point numbers; save it with 8 bits per colour"):
        read_photo(path)


@given(st.binary(max_size=300))
def test_no_gif_makes_the_counting_of_frames_fail(rest: bytes) -> None:
    is_still_gif(b"GIF89a" + rest)
