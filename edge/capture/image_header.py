"""The size of a picture, read from its file's header without decoding anything.

Formats: JPEG (ITU T.81), PNG, GIF89a, BMP, TIFF 6 and BigTIFF, WebP (RFC 9649), JPEG 2000 and ISO media (HEIC, AVIF).
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from edge.capture import tiff
from edge.capture.file_type import HEAD_BYTES, FileType, file_type
from edge.capture.limits import (
    BYTES_PER_PIXEL,
    MAX_DECODING_BYTES,
    MAX_PHOTO_PIXELS,
    aspect_problem,
    megapixels,
)

REDUCTIONS = (1, 2, 4, 8)
"""The fractions of its size at which OpenCV can read a picture."""
_WEBP_ALPHA, _WEBP_ANIMATION = 0x10, 0x02
_SCAN_BYTES = 1_000_000
"""How far to look into a file for the header of its picture."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a picture file says about itself."""

    kind: FileType
    width: int
    height: int
    held_bytes: int = 0
    """What the decoder must hold at once besides the picture: the coefficients of a JPEG in several scans, a TIFF's
    strip, an animation's canvas."""
    reducible: bool = False
    """Whether it can be had at a fraction of its size: decoded so (JPEG), or shrunk at once, without a second copy."""
    file_bytes: int = 0
    """The size of the file, which is in memory while it is decoded."""

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def reduction(self) -> int:
        """By what to divide the sides so that decoding stays within its memory; one of REDUCTIONS."""
        if not self.reducible:
            return 1
        return next((r for r in REDUCTIONS if self._bytes_at(r) <= MAX_DECODING_BYTES), REDUCTIONS[-1])

    @property
    def decoding_bytes(self) -> int:
        """About how much memory decoding takes, at `reduction`, with the file."""
        return self._bytes_at(self.reduction)

    def _bytes_at(self, reduction: int) -> int:
        if self.kind is FileType.JPEG:
            result = self.pixels * BYTES_PER_PIXEL[self.kind] // reduction**2
            return self.file_bytes + max(self.held_bytes + result // 2, result)
        if reduction == 1:
            return self.file_bytes + self.held_bytes + self.pixels * BYTES_PER_PIXEL.get(self.kind, 6)
        return self.file_bytes + self.held_bytes + 3 * self.pixels + 3 * self.pixels // reduction**2

    def problem(self) -> str | None:
        """Why it must not be decoded: found and allowed; None: it may be."""
        if self.width < 1 or self.height < 1:
            return "the image is cut off or damaged; copy it again"
        found = f"{self.width} x {self.height} pixels found, {megapixels(self.pixels)}"
        if self.pixels > MAX_PHOTO_PIXELS:
            return f"{found}; allowed: {megapixels(MAX_PHOTO_PIXELS)}; make it smaller"
        if self.decoding_bytes > MAX_DECODING_BYTES:
            allowed = self.pixels * MAX_DECODING_BYTES // self.decoding_bytes
            kind = "progressive JPEG" if self.kind is FileType.JPEG else self.kind.value
            return (
                f"{found}; allowed: {megapixels(allowed)} for this {kind}; save it as a baseline JPEG, of which "
                f"{megapixels(MAX_PHOTO_PIXELS)} are allowed, or make it smaller"
            )
        return aspect_problem(self.width, self.height)


def read_header(content: bytes) -> ImageHeader | None:
    """The header of a picture's file; None: it is no picture, or its header is damaged. Never raises."""
    kind = file_type(content[:HEAD_BYTES])
    reader = _READERS.get(kind)
    if reader is None:
        return None
    try:
        header = reader(content)
        return header and replace(header, file_bytes=len(content))
    except (struct.error, IndexError, ValueError, OverflowError):
        return None


def _jpeg(content: bytes) -> ImageHeader | None:
    frame: tuple[int, int, int] | None = None
    for marker, body in _jpeg_segments(content):
        if _is_frame(marker):
            _, height, width, count = struct.unpack_from(">BHHB", body)
            if count != len(body[6:]) // 3:
                return None
            frame = width, height, _coefficient_bytes(width, height, body[6:])
            progressive, components = marker not in {0xC0, 0xC1, 0xC9}, count
        elif marker == 0xDA and frame is not None:
            width, height, held = frame
            many_scans = progressive or body[0] < components
            return ImageHeader(FileType.JPEG, width, height, held if many_scans else 0, reducible=True)
    return None


def _is_frame(marker: int) -> bool:
    return 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and body of every segment until the first scan has begun."""
    at = 2
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            at += 1
            continue
        marker = content[at + 1]
        if marker in {0x00, 0x01, 0xFF} or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        yield marker, content[at + 4 : at + 2 + length]
        if marker in {0xD9, 0xDA}:
            return
        at += 2 + max(2, length)


def _coefficient_bytes(width: int, height: int, components: bytes) -> int:
    """Two bytes for every coefficient of every component, each sampled at its own rate."""
    samplings = [(components[i + 1] >> 4, components[i + 1] & 15) for i in range(0, len(components) - 2, 3)]
    most = max(1, *(across for across, _ in samplings)) * max(1, *(down for _, down in samplings))
    return 2 * width * height * sum(across * down for across, down in samplings) // most


def _png(content: bytes) -> ImageHeader | None:
    if content[12:16] != b"IHDR":
        return None
    at, animated = 8, False
    while at + 8 <= len(content):
        animated |= content[at + 4 : at + 8] == b"acTL"
        at += 12 + int.from_bytes(content[at : at + 4], "big")
        if at > len(content):
            # OpenCV would allocate what the chunk claims, up to 4 GB.
            return None
    width, height = struct.unpack_from(">II", content, 16)
    return ImageHeader(FileType.PNG, width, height, 6 * width * height if animated else 0, reducible=not animated)


def _gif(content: bytes) -> ImageHeader:
    return ImageHeader(FileType.GIF, *struct.unpack_from("<HH", content, 6))


def _bmp(content: bytes) -> ImageHeader:
    if int.from_bytes(content[14:18], "little") == 12:
        width, height = struct.unpack_from("<HH", content, 18)
    else:
        width, height = struct.unpack_from("<ii", content, 18)
    return ImageHeader(FileType.BMP, abs(width), abs(height), reducible=True)


def _webp(content: bytes) -> ImageHeader | None:
    form = content[12:16]
    if form == b"VP8X":
        width, height = (int.from_bytes(content[i : i + 3], "little") + 1 for i in (24, 27))
    elif form == b"VP8L" and content[20] == 0x2F:
        bits = int.from_bytes(content[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif form == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", content, 26))
    else:
        return None
    lossy = form == b"VP8 " or _is_plain_webp(content)
    return ImageHeader(FileType.WEBP, width, height, 0 if lossy else 4 * width * height, reducible=lossy)


def _is_plain_webp(content: bytes) -> bool:
    """Whether an extended WebP is lossy, opaque and still; others are decoded with four channels."""
    if content[20] & (_WEBP_ALPHA | _WEBP_ANIMATION):
        return False
    at = 12
    while at + 8 <= len(content):
        if content[at : at + 4] in {b"VP8 ", b"VP8L"}:
            return content[at : at + 4] == b"VP8 "
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return False


def _tiff(content: bytes) -> ImageHeader | None:
    found = tiff.read_directory(content)
    sides = (tiff.WIDTH, tiff.TILE_WIDTH), (tiff.HEIGHT, tiff.TILE_HEIGHT)
    # A decoder allocates whole tiles, however small the picture is.
    width, height = (max((found.get(tag, (0,))[0] for tag in tags), default=0) for tags in sides)
    samples = found.get(tiff.SAMPLES_PER_PIXEL, (1,))[0]
    if samples not in {1, 3}:
        # Transparency and CMYK take another way through OpenCV, with copies of everything.
        return ImageHeader(FileType.TIFF, width, height, 6 * width * height)
    rows = found.get(tiff.TILE_HEIGHT) or found.get(tiff.ROWS_PER_STRIP) or (height,)
    across = (found.get(tiff.TILE_WIDTH) or (width,))[0]
    # A strip or tile is read, decoded and converted: often a TIFF is one single strip.
    strip = 3 * across * min(rows[0], height) * samples * max(found.get(tiff.BITS_PER_SAMPLE, (8,))) // 8
    return ImageHeader(FileType.TIFF, width, height, strip, reducible=True)


def _jpeg2000(content: bytes) -> ImageHeader | None:
    at = content.find(b"\xff\x4f\xff\x51", 0, _SCAN_BYTES)
    if at < 0:
        return None
    right, bottom, left, top = struct.unpack_from(">IIII", content, at + 8)
    return ImageHeader(FileType.JPEG2000, max(0, right - left), max(0, bottom - top))


def _iso_media(kind: FileType) -> Callable[[bytes], ImageHeader | None]:
    def read(content: bytes) -> ImageHeader | None:
        """The largest of the pictures in the file: thumbnails and tiles have sizes too."""
        sizes, at = [], content.find(b"ispe", 0, _SCAN_BYTES)
        while at >= 0:
            sizes.append(struct.unpack_from(">II", content, at + 8))
            at = content.find(b"ispe", at + 4, _SCAN_BYTES)
        if not sizes:
            return None
        width, height = max(sizes, key=lambda size: size[0] * size[1])
        return ImageHeader(kind, width, height)

    return read


_READERS: dict[FileType, Callable[[bytes], ImageHeader | None]] = {
    FileType.JPEG: _jpeg,
    FileType.PNG: _png,
    FileType.GIF: _gif,
    FileType.BMP: _bmp,
    FileType.WEBP: _webp,
    FileType.TIFF: _tiff,
    FileType.JPEG2000: _jpeg2000,
    FileType.AVIF: _iso_media(FileType.AVIF),
    FileType.HEIC: _iso_media(FileType.HEIC),
}
