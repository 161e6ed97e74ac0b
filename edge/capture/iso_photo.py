"""Photos in ISO media files: HEIC, for which `pillow-heif` is needed, and the orientation of AVIF."""

import importlib
import io
from typing import Any

import numpy as np

from edge.records import Image

INSTALL = "pip install 'whosthere[heic]'"
_SCAN_BYTES = 1_000_000


def decode_heic(content: bytes) -> Image | None:
    """Decode a HEIC photo to BGR, upright; None when it is damaged. Raises ImportError without `pillow-heif`."""
    heif: Any = importlib.import_module("pillow_heif")
    try:
        photo = heif.open_heif(io.BytesIO(content), convert_hdr_to_8bit=True, bgr_mode=True)
        return np.array(np.asarray(photo)[..., :3], np.uint8)
    except (ValueError, OSError, RuntimeError, EOFError, IndexError, KeyError):
        return None


def placed_by_box(content: bytes) -> bool:
    """Whether an AVIF states its orientation in boxes, which overrule its EXIF data."""
    return any(content.find(name, 0, _SCAN_BYTES) >= 0 for name in (b"irot", b"imir"))


def upright(image: Image, content: bytes) -> Image:
    """Rotate and mirror a decoded AVIF as its boxes `irot` and `imir` say, in this order (ISO/IEC 23008-12)."""
    quarters, axis = _value(content, b"irot"), _value(content, b"imir")
    if quarters is not None:
        image = np.rot90(image, quarters & 3)
    if axis is not None:
        image = image[:, ::-1] if axis & 1 else image[::-1]
    return np.ascontiguousarray(image)


def _value(content: bytes, name: bytes) -> int | None:
    at = content.find(name, 0, _SCAN_BYTES)
    return content[at + 4] if 0 <= at < len(content) - 4 else None
