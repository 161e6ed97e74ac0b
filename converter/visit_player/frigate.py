"""An imitation of the rule by which Frigate names people, on the box's own detector and embeddings.

The rule and its defaults are those of Frigate's documentation (docs/configuration/face_recognition, version 0.16): each
face is compared with the mean embedding of every person, similarity becomes a confidence, and the name is the one whose
mean confidence over the tracked object's faces, weighted by their area, is high enough. It shows what the rule is
worth, not what Frigate's own networks are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from converter.visit_player.box import templates, vectors_of
from converter.visit_player.playing import EngineRun, Said, Told
from edge.config.loading import Config
from edge.config.visits import TrackSettings
from edge.faces.analyser import Analyser
from edge.faces.loading import Networks, assemble
from edge.frame import Frame
from edge.records import Box, Image, Vector
from edge.visits.tracker import Track, Tracker

UNKNOWN_SCORE = 0.8
RECOGNITION_THRESHOLD = 0.9
MIN_AREA_PX = 750
"""Frigate's defaults `unknown_score`, `recognition_threshold` and `min_area`; its `min_faces` is 1."""
MAX_ATTEMPTS = 12
MAX_ATTEMPTS_NAMED = 6
"""How many faces of one tracked object Frigate looks at, and how many once it has a name."""
FULL_WEIGHT_PX = 4000
DETECT_FPS = 5.0
FRIGATE_TRACKING = TrackSettings(confirm_hits=2, lost_after_s=5.0)
"""Frigate's defaults `detect.fps`, `min_initialized` (half of it) and `max_disappeared` (five times it)."""
SIGMOID_MIDDLE = 0.3
SIGMOID_SLOPE = 20.0
"""Frigate's confidence for its network `large`, ArcFace: 0.9 is a cosine similarity of 0.41. The box's network was
trained with the same loss, so its similarities are put in as they are."""
BLUR_COSTS = ((80.0, 0.05), (100.0, 0.03), (150.0, 0.01))
"""(variance of the face's Laplacian, what confidence loses below it)."""


class Frigate:
    """Frigate's rule: a name is the mean confidence over an object's faces, weighted by area, above a limit."""

    name = "frigate (imitated)"

    def __init__(self, networks: Networks, config: Config) -> None:
        self._analyser = assemble(networks, config.detect, config.quality)

    def start(self, enrolled: Mapping[str, Sequence[Path]]) -> EngineRun:
        known = templates(enrolled, self._analyser)
        return FrigateRun(
            self._analyser,
            Tracker(FRIGATE_TRACKING),
            {name: mean_of(vectors_of(faces)) for name, faces in known.items()},
        )


@dataclass(slots=True)
class Attempts:
    """The faces of one tracked object: (name, confidence, area in px)."""

    faces: list[tuple[str, float, float]] = field(default_factory=list)
    looks: int = 0
    name: str | None = None

    def weighted(self) -> tuple[str, float] | None:
        """The leading name and its weighted mean confidence; None: no face so far had a name, or two names tie."""
        weights: dict[str, float] = {}
        sums: dict[str, float] = {}
        counts: dict[str, int] = {}
        for name, confidence, area in self.faces:
            weight = min(area, FULL_WEIGHT_PX) * (confidence - UNKNOWN_SCORE) * 10
            weights[name] = weights.get(name, 0.0) + weight
            sums[name] = sums.get(name, 0.0) + weight * confidence
            counts[name] = counts.get(name, 0) + 1
        if not sums:
            return None
        best = max(sums, key=lambda name: sums[name])
        if any(name != best and count == counts[best] for name, count in counts.items()):
            return None
        return best, sums[best] / weights[best]


class FrigateRun:
    """One take. A tracked face stands for Frigate's tracked person."""

    def __init__(self, analyser: Analyser, tracker: Tracker, means: Mapping[str, Vector]) -> None:
        self._analyser = analyser
        self._tracker = tracker
        self._means = means
        self._attempts: dict[int, Attempts] = {}
        self._due = 0.0

    def frame(self, frame: Frame) -> Told:
        now = frame.captured_at
        if now < self._due:
            return Told([], [])
        self._due = now + 0.99 / DETECT_FPS
        faces = [face.scaled(frame.scale) for face in self._analyser.detector.detect(frame.preview)]
        said: list[Said] = []
        labels: list[tuple[Box, str | None]] = []
        looks = 0
        for track in self._tracker.update(faces, now):
            held = self._attempts.get(track.id)
            if held is None:
                held = self._attempts[track.id] = Attempts()
                said.append(Said(now, track.face.box, started=True))
            looks += self._try(frame.image, track, held)
            best = held.weighted()
            if best and best[1] >= RECOGNITION_THRESHOLD and best[0] != held.name:
                held.name = best[0]
                said.append(Said(now, track.face.box, held.name))
            labels.append((track.face.box, held.name))
        return Told(said, labels, looks=looks)

    def end(self, at: float) -> list[Said]:
        return []

    def _try(self, image: Image, track: Track, held: Attempts) -> int:
        """Look at the face, unless the object has had its share of looks; return how many looks that took."""
        area = track.face.box.area_px
        if held.looks >= (MAX_ATTEMPTS_NAMED if held.name else MAX_ATTEMPTS) or area < MIN_AREA_PX:
            return 0
        held.looks += 1
        embedding = self._analyser.embed(self._analyser.look(image, track.face)).embedding
        if embedding is not None and self._means:
            likeness = {name: float(mean @ embedding) for name, mean in self._means.items()}
            name = max(likeness, key=lambda name: likeness[name])
            sure = confidence(likeness[name]) - blur_cost(image, track.face.box)
            if sure > UNKNOWN_SCORE:
                held.faces.append((name, sure, area))
        return 1


def mean_of(vectors: Sequence[Vector]) -> Vector:
    """The direction of the mean embedding; Frigate trims 15 % at both ends, which is none of fewer than seven."""
    total = np.stack(vectors).mean(0)
    return np.asarray(total / np.linalg.norm(total), np.float32)


def confidence(similarity: float) -> float:
    """Frigate's confidence in 0..1 for a cosine similarity."""
    return float(1 / (1 + np.exp(-SIGMOID_SLOPE * (similarity - SIGMOID_MIDDLE))))


def blur_cost(image: Image, box: Box) -> float:
    """What confidence loses because the face is blurred."""
    top, left = max(0, round(box.top)), max(0, round(box.left))
    face = image[top : max(top + 1, round(box.bottom)), left : max(left + 1, round(box.right))]
    variance = float(cv2.Laplacian(face, cv2.CV_64F).var())
    return next((cost for limit, cost in BLUR_COSTS if variance < limit), 0.0)
