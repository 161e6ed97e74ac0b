"""The size of a picture is known, and refused if need be, before anything is decoded."""

import os
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.capture.file_type import FileType
from edge.capture.image_header import REDUCTIONS, ImageHeader, read_header
from edge.capture.limits import MAX_ASPECT, MAX_DECODING_BYTES, MAX_PHOTO_PIXELS
from edge.capture.photos import decode, read_reduced
from support import bombs
from support.fuzzing import FULL, MAX_MB, cases
from support.portraits import OBAMA_2009, read_picture

ENCODED = (".jpg", ".png", ".bmp", ".webp", ".tiff", ".jp2", ".gif", ".avif")


@pytest.mark.parametrize("suffix", ENCODED)
@pytest.mark.parametrize("size", [(160, 120), (131, 257), (255, 257)])
def test_sizes_are_those_that_the_decoder_finds(suffix: str, size: tuple[int, int]) -> None:
    if not cv2.haveImageWriter(f"x{suffix}"):
        pytest.skip(f"this OpenCV writes no {suffix}")
    content = cv2.imencode(suffix, np.full((size[1], size[0], 3), 90, np.uint8))[1].tobytes()
    header = read_header(content)
    assert header is not None
    assert (header.width, header.height) == size
    image = decode(content)
    assert image is not None
    assert image.shape[1::-1] == size


def test_the_lossy_and_the_lossless_webp_have_sizes() -> None:
    image = read_picture(OBAMA_2009)
    for quality in (60, 101):
        header = read_header(cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes())
        assert header is not None
        assert (header.height, header.width) == image.shape[:2]


TIFF_COLOUR = (258, 8), (277, 3)
"""Bits per sample, samples per pixel."""


def _animated(png: bytes) -> bytes:
    """With the chunk that announces frames, after IHDR."""
    chunk = b"acTL" + struct.pack(">II", 2, 0)
    return png[:33] + struct.pack(">I", 8) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:]


BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "progressive JPEG": (lambda: bombs.jpeg(30000, 30000, progressive=True), "900 megapixels; allowed: 256 megapixels"),
    "baseline JPEG": (lambda: bombs.jpeg(30000, 30000), "30000 x 30000 pixels found, 900 megapixels"),
    "progressive JPEG of 100 MP": (
        lambda: bombs.jpeg(10000, 10000, progressive=True),
        r"100 megapixels; allowed: \d\d megapixels for this progressive JPEG",
    ),
    "PNG": (lambda: bombs.png(30000, 30000), "900 megapixels; allowed: 256 megapixels"),
    "PNG of 100 MP": (
        lambda: bombs.png(10000, 10000),
        "allowed: 71 megapixels for this PNG; save it as a base",
    ),
    "interlaced PNG": (lambda: bombs.png(30000, 3001, interlaced=True), "allowed: 71 megapixels"),
    "animated PNG": (lambda: _animated(bombs.png(5000, 5000)), "allowed: 18 megapixels for this PNG"),
    "WebP with transparency": (lambda: bombs.webp(6000, 5000), "allowed: 2[12] megapixels for this WebP"),
    "TIFF in one strip": (lambda: bombs.tiff(6000, 5000, *TIFF_COLOUR), "allowed: 18 megapixels for this TIFF"),
    "TIFF of 16 bits in one strip": (lambda: bombs.tiff(5000, 4000, (258, 16), (277, 3)), "allowed: 10 megapixels"),
    "TIFF with transparency": (lambda: bombs.tiff(5000, 5000, (258, 8), (277, 4)), "allowed: 18 megapixels"),
    "BMP": (lambda: bombs.bmp(20000, -20000), "20000 x 20000 pixels found, 400 megapixels"),
    "GIF": (lambda: bombs.gif(60000, 60000), "3600 megapixels"),
    "WebP": (lambda: bombs.webp(16384, 16384), "268 megapixels"),
    "TIFF": (lambda: bombs.tiff(40000, 40000), "1600 megapixels"),
    "TIFF of one huge tile": (lambda: bombs.tiff(100, 100, (322, 60000), (323, 60000)), "3600 megapixels"),
    "1 x 4000": (lambda: bombs.png(1, 4000), "1 x 4000 pixels found; allowed: sides of up to 10 to 1; crop it"),
    "12000 x 3": (lambda: bombs.png(12000, 3), "12000 x 3 pixels found; allowed: sides of up to 10 to 1"),
    "65000 x 2000": (lambda: bombs.jpeg(65000, 2000), "65000 x 2000 pixels found; allowed: sides"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_with_found_and_allowed_and_takes_no_memory(name: str, tmp_path: Path) -> None:
    make, reason = BOMBS[name]
    path = tmp_path / "bomb.jpg"
    path.write_bytes(make())
    found = bombs.read_within(path, 60)
    assert found.startswith(f"refused {path}: ")
    assert re.search(reason, found), found


def test_a_png_chunk_that_claims_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    content = bombs.png(64, 64)
    path.write_bytes(content[:33] + b"\xff" + content[34:])
    assert bombs.read_within(path, 60).endswith("the image is cut off or damaged; copy it again")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "shape"),
    [
        (lambda: bombs.jpeg(16320, 12240), "shape 3060 4080 3"),
        (lambda: bombs.jpeg(8064, 6048), "shape 3024 4032 3"),
        (lambda: bombs.jpeg(6500, 5000), "shape 5000 6500 3"),
        (lambda: bombs.jpeg(5900, 3930, progressive=True), "shape 3930 5900 3"),
        (lambda: bombs.jpeg(6000, 4000, progressive=True), "shape 2000 3000 3"),
        (lambda: bombs.png(6400, 5000, bits=8), "shape 5000 6400 3"),
        (lambda: bombs.png(8064, 6048, bits=8), "shape 3024 4032 3"),
        (lambda: bombs.png(8064, 6048, bits=16), "shape 3024 4032 3"),
        (lambda: bombs.png(8660, 5774, bits=8), "shape 2887 4330 3"),
        (lambda: bombs.png(10000, 6400), "shape 1600 2500 3"),
    ],
)
def test_what_phones_take_is_read_within_the_limit(content: Callable[[], bytes], shape: str, tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(content())
    assert bombs.read_within(path, 20 + MAX_DECODING_BYTES // 10**6) == shape


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".tiff", ".webp"])
def test_a_photo_of_48_megapixels_is_read_within_the_limit_in_every_format(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"large{suffix}"
    path.write_bytes(cv2.imencode(suffix, _photo_of_48_megapixels(), [cv2.IMWRITE_WEBP_QUALITY, 60])[1].tobytes())
    # OpenCV needs a copy of the file's bytes for some formats.
    allowed = 20 + (MAX_DECODING_BYTES + path.stat().st_size) // 10**6
    assert bombs.read_within(path, allowed) == "shape 3000 4000 3"


def _photo_of_48_megapixels() -> np.ndarray:
    return cv2.resize(read_picture(OBAMA_2009), (8000, 6000), interpolation=cv2.INTER_NEAREST)


def test_a_video_of_huge_frames_is_refused_before_one_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.mjpeg"
    path.write_bytes(bombs.jpeg(16000, 16000) * 3)
    read = "lambda name: clip.VideoClip(__import__('pathlib').Path(name)).picture()"
    assert "16000 x 16000 pixels found, 256 megapixels; allowed: 36 megapixels" in bombs.read_within(path, 120, read)


def test_a_reduced_photo_says_by_how_much(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    path.write_bytes(bombs.jpeg(12000, 9000))
    image, reduction = read_reduced(path)
    assert reduction == 2
    assert image.shape == (4500, 6000, 3)
    path.write_bytes(OBAMA_2009.read_bytes())
    assert read_reduced(path)[1] == 1


@given(st.integers(1, 70_000), st.integers(1, 70_000), st.sampled_from(list(FileType)), st.booleans(), st.booleans())
def test_what_is_allowed_stays_within_every_limit(
    width: int, height: int, kind: FileType, many_scans: bool, reducible: bool
) -> None:
    header = ImageHeader(kind, width, height, 6 * width * height if many_scans else 0, reducible=reducible)
    assert header.reduction in REDUCTIONS
    if header.problem() is None:
        assert header.decoding_bytes <= MAX_DECODING_BYTES
        assert header.pixels <= MAX_PHOTO_PIXELS
        assert max(width, height) <= MAX_ASPECT * min(width, height)


@given(st.binary(max_size=400), st.sampled_from([b"", *(bombs.jpeg(16, 16)[:n] for n in (2, 4, 90, 130))]))
@example(b"\0" * 4 + b"\xff" * 8, b"")
def test_no_beginning_of_a_file_makes_the_reader_fail(rest: bytes, beginning: bytes) -> None:
    heads = (b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF0000WEBP", b"II*\0", b"MM\0+", b"\0\0\0\x18ftypheic")
    for head in (*heads, b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"):
        read_header(head + rest)
    read_header(beginning + rest)
    decode(beginning + rest)


FUZZ = """
import random, shutil, sys
from pathlib import Path
from edge.capture import photos
from edge.errors import WhosthereError
from support.fuzzing import memory_mb
small, large = (sorted(Path(folder).iterdir()) for folder in sys.argv[1:3])
damaged = Path(sys.argv[4])
chance = random.Random(1)
for run in range(int(sys.argv[3])):
    path = chance.choice(large if run % 50 == 49 and large else small)
    # Damaged on disk: no copy of 120 MB in memory that a reader would not make.
    shutil.copyfile(path, damaged)
    size = path.stat().st_size
    with damaged.open("r+b") as file:
        for _ in range(chance.randint(1, 8)):
            # Most of what can go wrong is in the beginning.
            file.seek(chance.randrange(min(size, chance.choice((64, 600, size)))))
            file.write(bytes((chance.choice((0, 255, chance.randrange(256))),)))
        file.truncate(chance.choice((size, chance.randrange(size))))
    try:
        photos.decode_photo(damaged.read_bytes(), Path("x"))
    except WhosthereError:
        pass
print(memory_mb())
"""
LARGEST = {".png": 7100, ".webp": 4550, ".tiff": 7800, ".bmp": 5860, ".gif": 3950, ".jp2": 3580, ".avif": 3520}
"""The side of a square that is just allowed, by format."""


def large_photos(folder: Path) -> Path:
    """Whole ones, as large as they may be."""
    for suffix, side in LARGEST.items():
        if cv2.haveImageWriter(f"x{suffix}"):
            image = cv2.resize(read_picture(OBAMA_2009), (side, side))
            content = cv2.imencode(suffix, image)[1].tobytes()
            header = read_header(content)
            assert header is not None and header.problem() is None and header.decoding_bytes > 0.75 * MAX_DECODING_BYTES
            (folder / f"large{suffix}").write_bytes(content)
    (folder / "progressive.jpg").write_bytes(bombs.jpeg(6000, 4000, progressive=True))
    (folder / "baseline.jpg").write_bytes(bombs.jpeg(16320, 12240))
    return folder


MAKE_LARGE = """
import sys
from pathlib import Path
from test_image_header import large_photos
large_photos(Path(sys.argv[1]))
"""


def alone(program: str, *arguments: object) -> str:
    """Run a program in a process of its own, whose memory is nobody else's, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.fuzz
def test_damaged_photos_of_every_format_are_read_or_refused(tmp_path: Path) -> None:
    """One in fifty is as large as a photo may be, in the long run only: these take seconds each."""
    small, large = tmp_path / "small", tmp_path / "large"
    small.mkdir()
    large.mkdir()
    picture = cv2.resize(read_picture(OBAMA_2009), (160, 128))
    for suffix in ENCODED:
        if cv2.haveImageWriter(f"x{suffix}"):
            (small / f"seed{suffix}").write_bytes(cv2.imencode(suffix, picture)[1].tobytes())
    (small / "cut.jpg").write_bytes(bombs.jpeg(6000, 4000, progressive=True)[:2000])
    if FULL:
        alone(MAKE_LARGE, large)
    peak = int(alone(FUZZ, small, large, cases(40), tmp_path / "damaged"))
    print(f"{cases(40)} damaged photos: at most {peak} MB of memory")
    assert peak < MAX_MB
