"""Guides somebody in front of the camera until there are enough good, varied portraits. Time is passed in."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edge.faces.advice import SPOKEN
from edge.faces.analyser import AnalysedFace
from edge.faces.quality import FULL_EYE_DISTANCE_PX, FULL_SHARPNESS
from edge.models.similarity import TOO_ALIKE, alike
from edge.records import Pose, Problem, Quality, Vector

COUNTDOWN_S = 3.0
MIN_GAP_S = 0.3
POSE_STEP_DEG = 12.0
MIN_SCORE = 0.4
"""Templates should be better than the faces of a visit need be."""


@dataclass(frozen=True, slots=True, eq=False)
class Advice:
    """What to say, and the portrait that was taken, if any."""

    text: str
    taken: AnalysedFace | None = None


class Coach:
    """Collects `count` portraits of one person, whose templates from before are `known`."""

    def __init__(self, count: int, same: float, known: Sequence[Vector] = ()) -> None:
        self.count = count
        self._same = same
        self._known = known
        self._began: float | None = None
        self._taken_at = -math.inf
        self._taken: list[AnalysedFace] = []
        self._troubles: Counter[str] = Counter()

    @property
    def done(self) -> bool:
        return len(self._taken) >= self.count

    @property
    def taken(self) -> int:
        """How many portraits there are."""
        return len(self._taken)

    @property
    def main_trouble(self) -> str | None:
        """The most frequent problem; None: there was none."""
        return self._troubles.most_common(1)[0][0] if self._troubles else None

    def update(self, portraits: list[AnalysedFace], now: float) -> Advice:
        """Process all faces of one frame."""
        self._began = now if self._began is None else self._began
        faces = [p for p in portraits if p.quality.problem is not Problem.NOT_A_FACE] or portraits
        trouble = self._trouble(faces)
        left = COUNTDOWN_S - (now - self._began)
        if left > 0:
            return Advice(f"{math.ceil(left)}... {trouble or 'look into the camera'}")
        trouble = trouble or self._not_new(faces[0])
        if trouble is None and now - self._taken_at >= MIN_GAP_S:
            self._taken.append(faces[0])
            self._taken_at = now
            return Advice(self._counted("taken"), faces[0])
        if trouble is not None:
            self._troubles[trouble] += 1
        return Advice(self._counted(trouble or "hold on"))

    def _counted(self, text: str) -> str:
        return f"{len(self._taken)} of {self.count}: {text}"

    def _trouble(self, faces: list[AnalysedFace]) -> str | None:
        if not faces:
            return "nobody is in view"
        if len(faces) > 1:
            return f"{len(faces)} faces are in view; one person at a time, please"
        quality = faces[0].quality
        problem = quality.problem or (_weakness(quality) if quality.score < MIN_SCORE else None)
        return SPOKEN[problem] if problem else None

    def _not_new(self, portrait: AnalysedFace) -> str | None:
        """Say why a good portrait adds nothing to those already taken; None: it does.

        One that is nearly the same as another does, if the head has turned in between.
        """
        if portrait.embedding is None:
            return None
        likeness = [float(p.embedding @ portrait.embedding) for p in self._taken if p.embedding is not None]
        before = [float(vector @ portrait.embedding) for vector in self._known]
        if (likeness or before) and max([*likeness, *before]) < self._same:
            return "that looks like somebody else; only one person, please"
        if not likeness:
            return None
        turned = min(_turn(p.quality.pose, portrait.quality.pose) for p in self._taken)
        if max(likeness) >= alike(TOO_ALIKE, self._same) and turned < POSE_STEP_DEG:
            return "turn your head a little, or smile"
        return None


def _weakness(quality: Quality) -> Problem:
    """Return what a usable face lacks most."""
    worth = {
        Problem.TOO_SMALL: quality.eye_distance_px / FULL_EYE_DISTANCE_PX,
        Problem.TOO_BLURRED: math.sqrt(quality.sharpness / FULL_SHARPNESS),
        Problem.TURNED_AWAY: math.cos(math.radians(quality.pose.off_axis)),
    }
    return min(worth, key=lambda problem: worth[problem])


def _turn(a: Pose, b: Pose) -> float:
    """Return by how many degrees a head has turned from one pose to another."""
    return math.hypot(a.yaw - b.yaw, a.pitch - b.pitch)
