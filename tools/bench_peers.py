"""Other face detectors for `make bench` to compare with."""

from importlib import import_module
from pathlib import Path
from typing import Any

import cv2

from edge.inspection.benchmark import Peer
from edge.records import Image

CASCADE = "haarcascade_frontalface_default.xml"


def all_peers() -> list[Peer]:
    """Every detector to compare with, installed or not."""
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
    """dlib's detector (Dalal and Triggs, 2005), on the picture enlarged once: face_recognition's default."""
    name = "dlib HOG, as in face_recognition"
    try:
        dlib: Any = import_module("dlib")
    except ImportError:
        return Peer(name, None, "not installed: `pip install 'whosthere[bench]'`, which `make bench` does")
    detector = dlib.get_frontal_face_detector()

    def detect(image: Image) -> int:
        return len(detector(image[..., ::-1].copy(), 1))

    return Peer(name, detect)
