"""Tags of a TIFF file's first directory, which EXIF data uses too."""

import struct

WIDTH, HEIGHT = 256, 257
BITS_PER_SAMPLE, SAMPLES_PER_PIXEL, ROWS_PER_STRIP = 258, 277, 278
TILE_WIDTH, TILE_HEIGHT = 322, 323
SAMPLE_FORMAT = 339
MAX_TAGS = 1000

_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_MAX_VALUES = 64
"""The most values that are read of a tag: longer ones are lists of strips, which nobody here needs."""


def read_directory(content: bytes, at: int | None = None) -> dict[int, tuple[int, ...]]:
    """Tag -> its whole numbers, of the directory at an offset, by default of the first one.

    Text counts as numbers, one for each byte. Tags with very long or damaged values are left out. Raises struct.error
    for a file that is cut off.
    """
    order = "<" if content[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", content, 2)[0] == 43
    if at is None:
        at = struct.unpack_from(f"{order}Q", content, 8)[0] if big else struct.unpack_from(f"{order}I", content, 4)[0]
    count = struct.unpack_from(f"{order}{'Q' if big else 'H'}", content, at)[0]
    entry = struct.Struct(f"{order}HHQ8s" if big else f"{order}HHI4s")
    first = at + (8 if big else 2)
    found: dict[int, tuple[int, ...]] = {}
    for i in range(min(count, MAX_TAGS)):
        tag, kind, number, inline = entry.unpack_from(content, first + i * entry.size)
        values = _values(content, order, kind, number, inline)
        if values:
            found[tag] = values
    return found


def _values(content: bytes, order: str, kind: int, number: int, inline: bytes) -> tuple[int, ...]:
    code = _CODES.get(kind)
    if code is None or not 0 < number <= _MAX_VALUES:
        return ()
    form = struct.Struct(f"{order}{number}{code}")
    if form.size <= len(inline):
        return form.unpack_from(inline)
    offset = int.from_bytes(inline, "little" if order == "<" else "big")
    return form.unpack_from(content, offset) if offset + form.size <= len(content) else ()
