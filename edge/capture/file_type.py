"""What a file is by its first bytes: names and suffixes are often wrong or missing."""

from enum import Enum

HEAD_BYTES = 4096
"""How much of a file `file_type` looks at."""


class FileType(Enum):
    """A kind of file; the value is what people call it."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WebP"
    BMP = "BMP"
    TIFF = "TIFF"
    GIF = "GIF"
    HEIC = "HEIC"
    AVIF = "AVIF"
    JPEG2000 = "JPEG 2000"
    VIDEO = "video"
    OTHER = "file of another kind"

    @property
    def is_photo(self) -> bool:
        """Whether a file of this type counts as a photo, if only to be refused with a reason."""
        return self not in {FileType.GIF, FileType.VIDEO, FileType.OTHER}

    @property
    def is_video(self) -> bool:
        """Whether a file of this type is played frame by frame."""
        return self in {FileType.GIF, FileType.VIDEO}


_BEGINNINGS = (
    (b"\xff\xd8\xff", FileType.JPEG),
    (b"\x89PNG\r\n\x1a\n", FileType.PNG),
    (b"BM", FileType.BMP),
    (b"II*\0", FileType.TIFF),
    (b"MM\0*", FileType.TIFF),
    (b"II+\0", FileType.TIFF),
    (b"MM\0+", FileType.TIFF),
    (b"GIF87a", FileType.GIF),
    (b"GIF89a", FileType.GIF),
    (b"\0\0\0\x0cjP  ", FileType.JPEG2000),
    (b"\xff\x4f\xff\x51", FileType.JPEG2000),
    (b"\x1a\x45\xdf\xa3", FileType.VIDEO),
    (b"FLV\x01", FileType.VIDEO),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", FileType.VIDEO),
    (b"\0\0\x01\xba", FileType.VIDEO),
    (b"\0\0\x01\xb3", FileType.VIDEO),
)
_RIFF = {b"WEBP": FileType.WEBP, b"AVI ": FileType.VIDEO}
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_OLD_QUICKTIME = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_TS_PACKET = 188


def file_type(head: bytes) -> FileType:
    """The type of a file that begins with these bytes."""
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], FileType.OTHER)
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head[4:8] in _OLD_QUICKTIME:
        return FileType.VIDEO
    if len(head) > 2 * _TS_PACKET and all(head[i * _TS_PACKET] == 0x47 for i in range(3)):
        return FileType.VIDEO
    return FileType.OTHER


def _iso_media(head: bytes) -> FileType:
    """MP4 and its relatives: the major brand decides, then the compatible ones."""
    end = min(int.from_bytes(head[:4], "big"), 256, len(head))
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, end - 3, 4))]
    if brands[0] in _AVIF_BRANDS or (brands[0] in {b"mif1", b"msf1"} and _AVIF_BRANDS & set(brands)):
        return FileType.AVIF
    return FileType.HEIC if brands[0] in _HEIC_BRANDS else FileType.VIDEO


def is_still_gif(content: bytes) -> bool:
    """Whether a GIF holds no more than one frame, as far as this beginning of it goes."""
    if file_type(content) is not FileType.GIF or len(content) < 13:
        return False
    at, frames = 13 + _colours(content[10]), 0
    while at < len(content):
        block = content[at]
        if block == 0x2C:
            frames += 1
            if frames > 1 or at + 9 >= len(content):
                break
            at = _after_parts(content, at + 11 + _colours(content[at + 9]))
        elif block == 0x21:
            at = _after_parts(content, at + 2)
        else:
            break
    return frames <= 1


def _colours(flags: int) -> int:
    """Bytes of the table of colours that follows."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_parts(content: bytes, at: int) -> int:
    while at < len(content) and content[at]:
        at += 1 + content[at]
    return at + 1
