"""The picture that is kept of a visitor: the face with a margin, as a JPEG."""

import cv2
import numpy as np

from edge.records import Box, Image

AROUND = 0.6
"""The margin kept on each side of a face, in widths of the face."""
WIDEST_PX = 480
JPEG_QUALITY = 92


def face_of(picture: Image, box: Box) -> Image:
    """Cut out a face with a margin, and shrink it to at most WIDEST_PX."""
    height, width = picture.shape[:2]
    left, top = (max(0, round(edge - AROUND * box.width)) for edge in (box.left, box.top))
    right = min(width, round(box.right + AROUND * box.width))
    bottom = min(height, round(box.bottom + AROUND * box.width))
    part = picture[top:bottom, left:right]
    scale = min(1.0, WIDEST_PX / max(part.shape[:2]))
    smaller = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else part
    return np.ascontiguousarray(smaller, np.uint8)


def encoded(picture: Image) -> bytes:
    """Encode it as a JPEG."""
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes())
