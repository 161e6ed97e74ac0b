"""Other ways to name people on video, run on the same frames as the box.

`naive`: the box's networks and threshold, each frame alone. `face-recognition`: that package with the defaults of
its README. For Frigate's rule: `frigate`.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from converter.visit_player.answers import KeptAnswers
from converter.visit_player.box import matcher_for, templates
from converter.visit_player.playing import EngineRun, Said, Told
from edge.capture.photos import read_photo
from edge.config.loading import Config
from edge.errors import WhosthereError
from edge.faces.analyser import Analyser
from edge.faces.loading import Networks, assemble
from edge.frame import Frame
from edge.records import Box, Image
from edge.visits.matcher import Matcher

TOLERANCE = 0.6
"""The distance up to which `face_recognition` calls two faces one person, by default."""


class Naive:
    """The nearest person over the threshold, in each frame alone."""

    name = "naive"

    def __init__(self, networks: Networks, config: Config) -> None:
        self._analyser = assemble(networks, config.detect, config.quality)
        self._config = config

    def start(self, enrolled: Mapping[str, Sequence[Path]]) -> EngineRun:
        known = templates(enrolled, self._analyser)
        return FrameByFrame(NaiveNames(self._analyser, matcher_for(known, self._analyser, self._config)))


class Namer(Protocol):
    """Names the faces of one picture."""

    def names(self, image: Image) -> list[tuple[Box, str | None]]: ...


class FrameByFrame:
    """Every face of every frame is answered alone.

    To count decisions, an answer is a new one only if it differs from the last one at the same place.
    """

    def __init__(self, namer: Namer) -> None:
        self._namer = namer
        self._last: list[tuple[Box, str | None]] = []

    def frame(self, frame: Frame) -> Told:
        found = self._namer.names(frame.image)
        said = [Said(frame.captured_at, box, name) for box, name in found if not self._said_before(box, name)]
        self._last = found or self._last
        return Told(said, found, looks=len(found))

    def end(self, at: float) -> list[Said]:
        return []

    def _said_before(self, box: Box, name: str | None) -> bool:
        return any(other == name and before.iou(box) > 0.3 for before, other in self._last)


@dataclass(frozen=True, slots=True)
class NaiveNames:
    """The box's stages and matcher, without memory."""

    analyser: Analyser
    matcher: Matcher

    def names(self, image: Image) -> list[tuple[Box, str | None]]:
        found: list[tuple[Box, str | None]] = []
        for face in self.analyser.portraits(image):
            if face.embedding is not None:
                person = self.matcher.match(face.embedding).person
                found.append((face.face.box, person.name if person else None))
        return found


class FaceRecognition:
    """`face_recognition` frame by frame: HOG detector, 128 numbers per face, the nearest photo within the tolerance."""

    name = "face-recognition"

    def __init__(self, answers: KeptAnswers) -> None:
        """Raises WhosthereError when the package is not installed."""
        try:
            self._library: Any = importlib.import_module("face_recognition")
        except (ImportError, SystemExit) as error:
            raise WhosthereError(
                "--baseline face-recognition needs three packages, the last without its dependencies, as it asks for a "
                "dlib that would be compiled: pip install 'dlib-bin' 'face_recognition_models' 'setuptools<81'; "
                "pip install --no-deps face_recognition"
            ) from error
        self._answers = answers

    def start(self, enrolled: Mapping[str, Sequence[Path]]) -> EngineRun:
        rows = [(name, row) for name, photos in enrolled.items() for photo in photos for row in self._first(photo)]
        return FrameByFrame(FaceRecognitionNames(self, rows))

    def faces(self, image: Image) -> NDArray[np.float64]:
        """(n, 132): left, top, right, bottom and the encoding of each face of a BGR picture."""
        (held,) = self._answers.ask_about(b"face_recognition", [image], lambda: [self._computed(image).tobytes()])
        return np.frombuffer(held, np.float64).reshape(-1, 132)

    def _computed(self, image: Image) -> NDArray[np.float64]:
        rgb = np.ascontiguousarray(image[..., ::-1])
        boxes = self._library.face_locations(rgb)
        encodings = self._library.face_encodings(rgb, boxes)
        rows = [
            [left, top, right, bottom, *row] for (top, right, bottom, left), row in zip(boxes, encodings, strict=True)
        ]
        return np.array(rows, np.float64).reshape(-1, 132)

    def _first(self, photo: Path) -> list[NDArray[np.float64]]:
        """The encoding of a photo's first face, as in the package's README; empty: it found none."""
        return [row[4:] for row in self.faces(read_photo(photo))[:1]]


@dataclass(frozen=True, slots=True)
class FaceRecognitionNames:
    """The nearest of the known encodings."""

    library: FaceRecognition
    known: list[tuple[str, NDArray[np.float64]]]

    def names(self, image: Image) -> list[tuple[Box, str | None]]:
        found = []
        for row in self.library.faces(image):
            distances = [float(np.linalg.norm(encoding - row[4:])) for _, encoding in self.known]
            nearest = int(np.argmin(distances)) if distances else -1
            name = self.known[nearest][0] if distances and distances[nearest] <= TOLERANCE else None
            found.append((Box(*(float(v) for v in row[:4])), name))
        return found
