"""An empty porch over RTSP, where GStreamer's RTSP server is installed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PYTHON = "/usr/bin/python3"
"""Debian's, which sees Debian's GStreamer."""
SERVER = Path(__file__).with_name("rtsp_porch.py")


@contextmanager
def serving(folder: Path, pictures: NDArray[np.uint8], fps: int) -> Iterator[str | None]:
    """Show pictures (n, height, width, 3) in turn while the body runs; yields the address, or None without a server."""
    for number, picture in enumerate(pictures):
        (folder / f"{number:02d}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    words = [PYTHON, str(SERVER), str(folder), str(fps)]
    try:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        yield None
        return
    with process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield f"rtsp://127.0.0.1:{port}/door" if port else None
        finally:
            process.kill()
