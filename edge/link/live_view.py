"""What the camera sees now, as JPEG: encoded only while somebody watches, and once for all who do."""

import time
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from edge.config.faces import QualitySettings
from edge.faces.advice import shortfall
from edge.faces.annotate import Note, annotate, note
from edge.frame import Frame
from edge.link.protocol import FaceInView, Picture, PictureHeader
from edge.mqtt.visit_payloads import candidate_payload, rounded_similarity
from edge.records import Image, Quality
from edge.sightings import SeenFace

MAX_WIDTH = 1280
JPEG_QUALITY = 80


class LiveView:
    """Holds the newest frame and what was seen in it."""

    def __init__(self, limits: QualitySettings, *, recording: bool) -> None:
        """`recording`: frames have a time of their own, so that none has an age."""
        self.watched = False
        """Whether somebody waits for the next frame."""
        self.on_frame: Callable[[], None] = lambda: None
        """Called for each frame while it is watched, on the inference thread."""
        self._limits = limits
        self._recording = recording
        self._newest: _Seen | None = None
        self._qualities: dict[str, Quality] = {}
        self._encoded: dict[bool, Picture] = {}
        """The last pictures that were asked for, by whether boxes are drawn."""

    @property
    def number(self) -> int:
        """Counts the frames; 0: there was none."""
        newest = self._newest
        return newest.number if newest else 0

    def offer(self, frame: Frame, faces: Sequence[SeenFace]) -> None:
        """Replace the newest frame. Costs next to nothing: this is the inference thread."""
        known = self._qualities
        shown = [(face, face.quality or known.get(face.visit_id or "")) for face in faces]
        # While nothing moves the detector does not run; then nobody has been analysed either.
        if shown:
            self._qualities = {face.visit_id: quality for face, quality in shown if face.visit_id and quality}
        self._newest = _Seen(self.number + 1, frame, shown)
        if self.watched:
            self.on_frame()

    def picture(self, *, boxes: bool) -> Picture | None:
        """The newest frame as JPEG; None before the first. Only one thread may call it."""
        seen = self._newest
        if seen is None:
            return None
        made = self._encoded.get(boxes)
        if made is None or made[0].number != seen.number:
            made = self._encoded[boxes] = self._encode(seen, boxes=boxes)
        return made

    def _encode(self, seen: "_Seen", *, boxes: bool) -> Picture:
        image = seen.frame.image
        scale = min(1.0, MAX_WIDTH / image.shape[1])
        if scale < 1:
            image = _shrunk(image, scale)
        if boxes:
            image = annotate(image, [_note(face, quality, scale) for face, quality in seen.faces])
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        height, width = image.shape[:2]
        age = 0.0 if self._recording else max(0.0, time.monotonic() - seen.frame.captured_at)
        faces = tuple(self._face(face, quality, scale) for face, quality in seen.faces)
        return PictureHeader(len(data), seen.number, round(age, 3), width, height, faces, boxes), data.tobytes()

    def _face(self, face: SeenFace, quality: Quality | None, scale: float) -> FaceInView:
        box, match = face.box.scaled(scale), face.match
        person = match.person if match else None
        people = (person,) if person else match.contenders if match else ()
        return FaceInView(
            box=(round(box.left), round(box.top), round(box.width), round(box.height)),
            visit_id=face.visit_id,
            outcome=match.outcome if match else None,
            candidates=tuple(candidate_payload(person) for person in people),
            similarity=rounded_similarity(match.best.similarity) if match and match.best else None,
            threshold=rounded_similarity(match.threshold) if match else None,
            problem=quality.problem if quality else None,
            reason=shortfall(quality, self._limits) if quality and quality.problem else None,
        )


class _Seen:
    __slots__ = ("faces", "frame", "number")

    def __init__(self, number: int, frame: Frame, faces: list[tuple[SeenFace, Quality | None]]) -> None:
        self.number = number
        self.frame = frame
        self.faces = faces


def _note(face: SeenFace, quality: Quality | None, scale: float) -> Note:
    return note(face.box.scaled(scale), face.match, quality.problem if quality else None)


def _shrunk(image: Image, scale: float) -> Image:
    height, width = image.shape[:2]
    size = round(width * scale), max(round(height * scale), 1)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
