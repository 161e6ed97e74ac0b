"""A small AV1 video, made by hand: nothing here encodes one (ISO/IEC 14496-12, AV1 in ISOBMFF 1.2)."""

import struct

_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_FRAME = bytes((0x12, 0x00, 0x32, 0x08)) + bytes(8)
"""A temporal delimiter, and a frame of nothing."""


def av1_video(frames: int = 5, width: int = 64, height: int = 48) -> bytes:
    """An MP4 whose track says that it is AV1."""
    head = _box(b"ftyp", b"isom" + bytes(4) + b"isomav01")
    media = _FRAME * frames
    movie = _movie(frames, width, height, offset=0)
    return head + _movie(frames, width, height, offset=len(head) + len(movie) + 8) + _box(b"mdat", media)


def _movie(frames: int, width: int, height: int, offset: int) -> bytes:
    times = struct.pack(">IIII", 0, 0, 1000, frames * 40)
    header = _full(b"mvhd", times + struct.pack(">IH10x", 0x10000, 0x100) + _MATRIX + bytes(24) + struct.pack(">I", 2))
    track = _full(b"tkhd", struct.pack(">IIIII8xHHHH", 0, 0, 1, 0, frames * 40, 0, 0, 0, 0) + _MATRIX
                  + struct.pack(">II", width << 16, height << 16), flags=3)  # fmt: skip
    handler = _full(b"hdlr", bytes(4) + b"vide" + bytes(12) + b"video\0")
    data = _box(b"dinf", _full(b"dref", struct.pack(">I", 1) + _full(b"url ", b"", flags=1)))
    entry = bytes(6) + struct.pack(">H16xHHIIIH32xHh", 1, width, height, 0x480000, 0x480000, 0, 1, 24, -1)
    described = _full(b"stsd", struct.pack(">I", 1) + _box(b"av01", entry + _box(b"av1C", bytes((0x81, 0, 0x0C, 0)))))
    table = _box(
        b"stbl",
        described
        + _full(b"stts", struct.pack(">III", 1, frames, 40))
        + _full(b"stsc", struct.pack(">IIII", 1, 1, frames, 1))
        + _full(b"stsz", struct.pack(">II", len(_FRAME), frames))
        + _full(b"stco", struct.pack(">II", 1, offset)),
    )
    information = _box(b"minf", _full(b"vmhd", bytes(8), flags=1) + data + table)
    media = _box(b"mdia", _full(b"mdhd", times + struct.pack(">HH", 0x55C4, 0)) + handler + information)
    return _box(b"moov", header + _box(b"trak", track + media))


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def _full(kind: bytes, body: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags) + body)
