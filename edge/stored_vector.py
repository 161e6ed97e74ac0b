"""Vectors as they are stored, little-endian float32, checked without numpy."""

import math
import struct

UNIT_TOLERANCE = 1e-3


def is_unit_vector(content: bytes) -> bool:
    """Whether these are the bytes of a vector of length one."""
    return bool(content) and len(content) % 4 == 0 and abs(math.hypot(*_numbers(content)) - 1) <= UNIT_TOLERANCE


def are_finite(content: bytes) -> bool:
    """Whether these are the bytes of finite numbers, at least one."""
    return bool(content) and len(content) % 4 == 0 and all(map(math.isfinite, _numbers(content)))


def _numbers(content: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(content) // 4}f", content)
