"""How large a picture may be, decided by its header before anything is decoded: a few bytes can ask for gigabytes."""

from edge.capture.file_type import FileType

MAX_FILE_BYTES = 200_000_000
"""A file without an end would fill the memory."""
MAX_DECODING_BYTES = 215_000_000
"""What a picture's file and decoding it may take together. A box of 512 MB has about 300 MB left beside the system."""
MAX_PHOTO_PIXELS = 256_000_000
"""The largest phone photos have 200 megapixels. Pictures of more than 40 come at a fraction of their size: JPEGs are
decoded so. PNG, BMP, lossy WebP and TIFF in small strips are shrunk right after decoding; a PNG of 48 megapixels may
have 68 MB."""
MAX_FRAME_PIXELS = 36_000_000
"""For frames of cameras and videos: 8K has 33 megapixels. A decoder keeps several."""
MAX_ASPECT = 10.0
"""Panoramas reach 7 to 1. The detector runs once per square of the picture: 12 times at 10 to 1."""

BYTES_PER_PIXEL = {
    FileType.JPEG: 6,
    FileType.PNG: 6,
    FileType.BMP: 6,
    FileType.TIFF: 6,
    FileType.WEBP: 6,
    FileType.GIF: 13,
    FileType.AVIF: 17,
    FileType.HEIC: 4,
    FileType.JPEG2000: 16,
}
"""What decoding at full size takes at its peak: 3 for the picture, 3 for a copy that OpenCV makes, and more where
decoders always hold more. Measured with OpenCV 4.11 and 5.0 on pictures of 12 and 48 megapixels.

HEIC takes twice as much, but phones take 48-megapixel photos in it, and it is read on desktops above all.
"""


def megapixels(pixels: float) -> str:
    """`50 megapixels`, `0.3 megapixels`."""
    return f"{pixels / 1e6:.0f} megapixels" if pixels >= 1e7 else f"{pixels / 1e6:.1f} megapixels"


def frame_problem(width: int, height: int) -> str | None:
    """What is wrong with the size of a frame from a camera or video; None: nothing."""
    if width * height > MAX_FRAME_PIXELS:
        return (
            f"{width} x {height} pixels found, {megapixels(width * height)}; "
            f"allowed: {megapixels(MAX_FRAME_PIXELS)}; choose a smaller size in the camera's settings"
        )
    return aspect_problem(width, height)


def aspect_problem(width: int, height: int) -> str | None:
    """What is wrong with the proportions of a picture; None: nothing."""
    if max(width, height) <= MAX_ASPECT * min(width, height):
        return None
    return f"{width} x {height} pixels found; allowed: sides of up to {MAX_ASPECT:.0f} to 1; crop it"
