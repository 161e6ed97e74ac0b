"""Other face detectors that may be installed, to see where ours stands."""

from collections.abc import Callable
from importlib import import_module, util
from pathlib import Path
from typing import Any, NamedTuple

import cv2

from edge.records import Image

CASCADE = "haarcascade_frontalface_default.xml"


class Peer(NamedTuple):
    """A detector, or why it cannot take part."""

    name: str
    detect: Callable[[Image], int] | None
    """How many faces it finds in a BGR picture."""
    why_not: str = ""


def peers() -> list[Peer]:
    """All that are known, installed or not."""
    return [haar(), dlib_hog()]


def haar() -> Peer:
    """OpenCV's cascade of Haar features (Viola and Jones, 2001), which OpenCV ships up to version 4."""
    name = "OpenCV Haar cascade"
    maker = getattr(cv2, "CascadeClassifier", None)
    path = Path(cv2.__file__).parent / "data" / CASCADE
    if maker is None or not path.exists():
        return Peer(name, None, f"not in OpenCV {cv2.__version__}: it comes with opencv-python-headless<5")
    cascade: Any = maker(str(path))

    def detect(image: Image) -> int:
        return len(cascade.detectMultiScale(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), 1.1, 5))

    return Peer(name, detect)


def dlib_hog() -> Peer:
    """dlib's detector, as the package face_recognition uses it by default."""
    name = "face_recognition (dlib HOG)"
    # It ends the process when one of its own parts is missing.
    needed = ("face_recognition", "dlib", "face_recognition_models", "pkg_resources")
    missing = [module for module in needed if util.find_spec(module) is None]
    if missing:
        return Peer(name, None, f"not installed: {', '.join(missing)}")
    package: Any = import_module("face_recognition")

    def detect(image: Image) -> int:
        return len(package.face_locations(image[..., ::-1].copy()))

    return Peer(name, detect)
