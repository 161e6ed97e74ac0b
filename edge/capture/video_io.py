"""Everything that gives OpenCV a path or an address: cameras, videos and copies of videos.

A `str` that is not UTF-8 (a file name in Latin-1, say) makes OpenCV's binding crash the process. Nothing else in edge,
converter and tools calls the functions of OpenCV that take a path; pictures are read and written as bytes.

Captures are opened silently: OpenCV and FFmpeg would print addresses with their passwords.
"""

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import cv2

from edge.capture.limits import frame_problem
from edge.capture.quiet_opencv import quiet_opencv
from edge.errors import ConfigError

_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_environment = threading.Lock()
ONE_THREAD_PIXELS = 1280 * 720
"""Streams up to this size are decoded on one thread."""


def open_address(address: str, options: Sequence[int] = (), trusted: Path | None = None) -> cv2.VideoCapture:
    """Return a capture for a stream's address; it may have failed to open. `options`: property, value, property...

    FFmpeg's decoders hand out a frame one frame later for each thread beyond the first (at 15 frames per second, 184 ms
    with four), and keep as many more of them. So only a stream that may need several cores gets several threads, in a
    second connection. RTSP uses TCP and falls back to UDP, OpenCV's default. With `trusted`, a PEM file, the server
    must have one of its certificates. Raises ConfigError for an address that is not valid text.
    """
    if not _is_text(address):
        raise ConfigError("camera.source: found a lone surrogate or a NUL; allowed: text, with other bytes as %XX")
    with _trusting(trusted) if trusted else nullcontext():
        capture = _capture(address, cv2.CAP_FFMPEG, [*options, cv2.CAP_PROP_N_THREADS, 1])
        if not _needs_several_cores(capture):
            return capture
        capture.release()
        return _capture(address, cv2.CAP_FFMPEG, options)


def open_file(path: Path) -> cv2.VideoCapture:
    """Return a capture for a video file, whatever bytes its name holds; it may have failed to open."""
    with _named_in_text(path) as name:
        return _capture(name, cv2.CAP_FFMPEG, ())


def open_device(device: Path) -> cv2.VideoCapture:
    """Return a capture for a Video4Linux device; it may have failed to open."""
    with _named_in_text(device) as name:
        return _capture(name, cv2.CAP_V4L2, ())


def size_problem(capture: cv2.VideoCapture) -> str | None:
    """What is wrong with the size that an opened capture states; None: nothing. No frame is decoded to find out."""
    width, height = _stated_size(capture)
    return frame_problem(width, height) if width > 0 and height > 0 else None


def take_jpegs(capture: cv2.VideoCapture) -> bool:
    """Make an opened capture deliver Motion-JPEG frames as files, (1, n) bytes; False: it delivers pictures."""
    return _is_motion_jpeg(capture) and bool(capture.set(cv2.CAP_PROP_FORMAT, -1))


def open_writer(path: Path, code: str, fps: float, size: tuple[int, int]) -> cv2.VideoWriter:
    """Return a writer of (width, height) frames, whatever bytes its name holds; it may have failed to open."""
    with _named_in_text(path) as name:
        return cv2.VideoWriter(name, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), fps, size)


def _needs_several_cores(capture: cv2.VideoCapture) -> bool:
    width, height = _stated_size(capture)
    return width * height > ONE_THREAD_PIXELS and not _is_motion_jpeg(capture) and size_problem(capture) is None


def _is_motion_jpeg(capture: cv2.VideoCapture) -> bool:
    return int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*"MJPG")


def _stated_size(capture: cv2.VideoCapture) -> tuple[int, int]:
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def _capture(name: str, backend: int, options: Sequence[int]) -> cv2.VideoCapture:
    # OpenCV reads FFmpeg's log level from the environment, once per process, and offers no other way to set it.
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    with quiet_opencv():
        return cv2.VideoCapture(name, backend, options)


@contextmanager
def _trusting(certificates: Path) -> Iterator[None]:
    """Let FFmpeg check the certificates of what is opened within the block.

    OpenCV reads FFmpeg's options from the environment each time, and then leaves out its own default for RTSP.
    """
    with _environment:
        before = os.environ.get(_OPTIONS)
        os.environ[_OPTIONS] = f"{before or 'rtsp_flags;prefer_tcp'}|tls_verify;1|ca_file;{certificates}"
        try:
            yield
        finally:
            if before is None:
                del os.environ[_OPTIONS]
            else:
                os.environ[_OPTIONS] = before


@contextmanager
def _named_in_text(path: Path) -> Iterator[str]:
    """Yield an absolute name of the file that is valid text: its own, or that of a link to it while the block runs.

    OpenCV opens the file within the block, so it does not need the link afterwards.
    """
    absolute = path.resolve()
    if _is_text(str(absolute)):
        yield str(absolute)
        return
    with tempfile.TemporaryDirectory(prefix="whosthere-") as folder:
        # The suffix stays: a writer chooses its format by it.
        suffix = absolute.suffix if _is_text(absolute.suffix) else ""
        link = Path(folder) / f"file{suffix}"
        link.symlink_to(absolute)
        yield str(link)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in name
