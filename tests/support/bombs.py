"""Pictures of any size in few bytes, all of one grey; and what reading them takes."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

WITHIN = """
import os, resource, sys
import cv2, numpy
from edge.capture import clip, photos
from edge.errors import WhosthereError
cv2.setNumThreads(1)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]) * 10**6,) * 2)
try:
    print("shape", *eval(sys.argv[3])(sys.argv[1]).shape)
except WhosthereError as error:
    print("refused", error)
sys.stdout.flush()
os._exit(0)  # Libraries that end their threads may want more memory than is left.
"""
READ_PHOTO = "lambda name: photos.read_photo(__import__('pathlib').Path(name))"


def read_within(path: Path, megabytes: int, read: str = READ_PHOTO) -> str:
    """Read a file in a process of its own that gets only so much more memory: `shape 30 40 3` or `refused why`."""
    done = subprocess.run(
        [sys.executable, "-c", WITHIN, path, str(megabytes), read], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    return done.stdout.strip()


def jpeg(width: int, height: int, *, progressive: bool = False, components: int = 3) -> bytes:
    """Baseline: two bits per block. Progressive: one scan, one bit per block."""
    codes = bytes([1]) + bytes(16)
    parts = b"".join(bytes((i + 1, 0x11, 0)) for i in range(components))
    scan = b"".join(bytes((i + 1, 0)) for i in range(components))
    bits = -(-width // 8) * -(-height // 8) * components * (1 if progressive else 2)
    return (
        b"\xff\xd8"
        + _segment(0xDB, b"\0" + b"\1" * 64)
        + _segment(0xC2 if progressive else 0xC0, struct.pack(">BHHB", 8, height, width, components) + parts)
        + _segment(0xC4, b"\x00" + codes)
        + _segment(0xC4, b"\x10" + codes)
        + _segment(0xDA, bytes([components]) + scan + bytes((0, 0 if progressive else 63, 0)))
        + bytes(-(-bits // 8))
        + b"\xff\xd9"
    )


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def png(width: int, height: int, *, bits: int = 1, interlaced: bool = False) -> bytes:
    """Grey. An interlaced one holds no complete data: it must be refused before that matters."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width * bits + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bmp(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + b"," + bytes(9) + b"\x02\0;"


def webp(width: int, height: int) -> bytes:
    frame = (
        b"VP8X" + struct.pack("<IB3x", 10, 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    )
    return b"RIFF" + struct.pack("<I", 4 + len(frame)) + b"WEBP" + frame


def tiff(width: int, height: int, *tags: tuple[int, int]) -> bytes:
    """One directory, of numbers only."""
    entries = sorted([(256, width), (257, height), *tags])
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)
