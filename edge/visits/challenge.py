"""An active challenge: the visitor is asked to turn the head, and a picture of a head cannot.

A turn counts when the yaw changes step by step from facing the camera to `TURN_DEG` to the side that was asked for, and
the mesh changes as that of a solid head does (`relief`). A flat picture that is turned or bent does neither: the
network sees a narrower face that still looks into the camera. A second photo, of the turned head, would have to take
the first one's place within one look, which is a jump. A clip on a screen fails unless it happens to turn to the sides
that are asked for.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from edge.events import ChallengeFailure, ChallengeState, ChallengeUpdate
from edge.records import Landmarks
from edge.visits.relief import nose_offset, turn_between

TURN_DEG = 20.0
"""How far a head must turn. The meshes of 34 flat photos turned by up to 50 degrees reported at most 13."""
FRONT_DEG = 12.0
"""How far it may be turned when it begins."""
MAX_STEP_DEG = 15.0
"""Between two looks; more is a jump. A quick turn takes half a second: five looks at 10 frames a second."""
MAX_GAP_S = 0.6
MIN_DEPTH, MIN_NOSE = 0.2, 0.15
"""Relief, and how far the nose moves sideways, by the sine of the turn: 0.33 and 0.29 for a head, 0 for a plane."""
SOLID_LOOKS = 2
"""Looks that must show a head turned so far."""
FLAT_FORESHORTENING, FLAT_DEPTH, FLAT_LOOKS = 0.39, 0.09, 3
"""A face that becomes this narrow and keeps this little depth, in so many looks, is a picture."""


class Side(StrEnum):
    """The visitor's own left or right."""

    LEFT = "left"
    RIGHT = "right"


class _Front(NamedTuple):
    """The look that a turn began with."""

    landmarks: Landmarks
    nose: float


class Challenge:
    """One challenge to one visit. `look` and `tick` return an update when something has changed."""

    def __init__(
        self, challenge_id: str, visit_id: str, turns: Sequence[Side], now: float, within_s: float, *, mirrored: bool
    ) -> None:
        """`mirrored`: left and right of the pictures are swapped, as `camera.mirror` does."""
        self.visit_id = visit_id
        self.until = now + within_s
        self._id = challenge_id
        self._turns = turns
        self._mirrored = mirrored
        self._done = 0
        self._state = ChallengeState.FACE_CAMERA
        self._reason: ChallengeFailure | None = None
        self._front: _Front | None = None
        self._yaw = 0.0
        self._seen_at = float("-inf")
        self._solid = 0
        self._flat = 0

    @property
    def over(self) -> bool:
        return self._state in (ChallengeState.PASSED, ChallengeState.FAILED)

    def update(self, at: float) -> ChallengeUpdate:
        """Where it stands."""
        return ChallengeUpdate(
            self._id, self.visit_id, self._state, self._reason, len(self._turns), self._done, at, self.until
        )

    def look(self, landmarks: Landmarks, at: float) -> ChallengeUpdate | None:
        """Take one look at the visitor's face; only looks that were confirmed to be the visitor's."""
        if self.over:
            return None
        before = self._state, self._done
        yaw = landmarks.pose.yaw
        if at - self._seen_at > MAX_GAP_S or abs(yaw - self._yaw) > MAX_STEP_DEG:
            self._start_over()
        self._yaw, self._seen_at = yaw, at
        self._face(landmarks)
        if self._front is not None:
            self._judge(self._front, landmarks)
        return self.update(at) if (self._state, self._done) != before else None

    def tick(self, now: float, *, present: bool) -> ChallengeUpdate | None:
        """Let time pass. `present`: the visit has not ended."""
        if self.over or (present and now < self.until):
            return None
        late = ChallengeFailure.FLAT if self._flat >= FLAT_LOOKS else ChallengeFailure.TIMEOUT
        return self.fail(late if present else ChallengeFailure.GONE, now)

    def fail(self, reason: ChallengeFailure, now: float) -> ChallengeUpdate:
        """End it."""
        self._state, self._reason = ChallengeState.FAILED, reason
        return self.update(now)

    def _start_over(self) -> None:
        """The turn that is under way begins at the front again."""
        self._front, self._solid, self._state = None, 0, ChallengeState.FACE_CAMERA

    def _face(self, landmarks: Landmarks) -> None:
        """Take the most frontal look as the beginning of the turn."""
        yaw = abs(landmarks.pose.yaw)
        if yaw > FRONT_DEG or (self._front is not None and yaw >= abs(self._front.landmarks.pose.yaw)):
            return
        self._front = _Front(landmarks, nose_offset(landmarks.mesh))
        left = self._turns[self._done] is Side.LEFT
        self._state = ChallengeState.TURN_LEFT if left else ChallengeState.TURN_RIGHT

    def _judge(self, front: _Front, landmarks: Landmarks) -> None:
        # The visitor's left is on the picture's right, where yaw is positive.
        sign = 1.0 if (self._turns[self._done] is Side.LEFT) is not self._mirrored else -1.0
        turned = (landmarks.pose.yaw - front.landmarks.pose.yaw) * sign
        turn = turn_between(front.landmarks.mesh, landmarks.mesh)
        self._flat += turn.foreshortening >= FLAT_FORESHORTENING and turn.depth < FLAT_DEPTH
        if abs(turned) < TURN_DEG:
            return
        sine = math.sin(math.radians(min(abs(turned), 90.0)))
        nose = (nose_offset(landmarks.mesh) - front.nose) * math.copysign(sign, turned * sign)
        if turn.relief < MIN_DEPTH * sine or nose < MIN_NOSE * sine:
            return
        self._solid += 1
        if self._solid >= SOLID_LOOKS:
            self._turned(right_way=turned > 0)

    def _turned(self, *, right_way: bool) -> None:
        if not right_way:
            self._state, self._reason = ChallengeState.FAILED, ChallengeFailure.WRONG_WAY
            return
        self._done += 1
        self._start_over()
        if self._done == len(self._turns):
            self._state = ChallengeState.PASSED
