"""Faces over time -> tracks: which face in this frame is which face in the last."""

from dataclasses import dataclass, replace

import numpy as np

from edge.config.visits import TrackSettings
from edge.records import Box, Face

JUMP = 0.5
"""Face sizes off the expected place, JUMP_RESIZE and JUMP_GAP_S: beyond any of them somebody else may be there."""
JUMP_RESIZE = 1.3
JUMP_GAP_S = 0.35
MAX_RESIZE = 1.8
"""A face does not change its size by more than this factor between two looks."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face, followed over time. Times are monotonic seconds."""

    id: int
    face: Face
    """As last seen, in pixels of `Frame.image`."""
    seen_at: float
    first_seen_at: float
    hits: int
    velocity: tuple[float, float]
    """Pixels per second."""
    jumped: bool = False
    """Whether the face was last seen far from where it was expected, of another size, or after a gap."""

    def expected(self, now: float) -> Box:
        """Where it should be now if it has kept its velocity."""
        dt = now - self.seen_at
        return self.face.box.moved(self.velocity[0] * dt, self.velocity[1] * dt)

    def seen(self, face: Face, now: float) -> "Track":
        """The track after one more look; velocity is smoothed over about two looks."""
        dt = max(now - self.seen_at, 1e-3)
        (x0, y0), (x1, y1) = self.face.box.centre, face.box.centre
        vx, vy = self.velocity
        velocity = (0.5 * vx + 0.5 * (x1 - x0) / dt, 0.5 * vy + 0.5 * (y1 - y0) / dt)
        jumped = dt > JUMP_GAP_S or self._is_jump(self.expected(now), face.box)
        return replace(self, face=face, seen_at=now, hits=self.hits + 1, velocity=velocity, jumped=jumped)

    @staticmethod
    def _is_jump(expected: Box, found: Box) -> bool:
        (x0, y0), (x1, y1) = expected.centre, found.centre
        size = max((expected.short_side + found.short_side) / 2, 1e-6)
        ratio = found.short_side / max(expected.short_side, 1e-6)
        far = float(np.hypot(x1 - x0, y1 - y0)) > JUMP * size
        return far or not 1 / JUMP_RESIZE < ratio < JUMP_RESIZE


class Tracker:
    """Greedy nearest-first association: at a door there are a handful of faces."""

    def __init__(self, settings: TrackSettings) -> None:
        self._settings = settings
        self._tracks: dict[int, Track] = {}
        self._next_id = 1

    @property
    def busy(self) -> bool:
        """Whether any face, confirmed or not, is being followed."""
        return bool(self._tracks)

    def alive(self) -> frozenset[int]:
        """Ids of the confirmed tracks that are not lost."""
        return frozenset(t.id for t in self._tracks.values() if t.hits >= self._settings.confirm_hits)

    def expected(self, now: float) -> list[Box]:
        """Where all faces should be now, confirmed or not."""
        return [track.expected(now) for track in self._tracks.values()]

    def update(self, faces: list[Face], now: float) -> list[Track]:
        """Add the faces of one frame; the confirmed tracks that it shows."""
        self.expire(now)
        pairs = sorted(
            (cost, track.id, i)
            for track in self._tracks.values()
            for i, face in enumerate(faces)
            if (cost := self._cost(track, face, now)) is not None
        )
        taken_tracks: set[int] = set()
        taken_faces: set[int] = set()
        for _, track_id, i in pairs:
            if track_id not in taken_tracks and i not in taken_faces:
                self._tracks[track_id] = self._tracks[track_id].seen(faces[i], now)
                taken_tracks.add(track_id)
                taken_faces.add(i)
        self._begin([face for i, face in enumerate(faces) if i not in taken_faces], now)
        return [t for t in self._tracks.values() if t.seen_at == now and t.hits >= self._settings.confirm_hits]

    def expire(self, now: float) -> None:
        """Forget the faces that have not been seen for too long."""
        limit = now - self._settings.lost_after_s
        self._tracks = {i: t for i, t in self._tracks.items() if t.seen_at >= limit}

    def _begin(self, faces: list[Face], now: float) -> None:
        for face in faces:
            self._tracks[self._next_id] = Track(self._next_id, face, now, now, 1, (0.0, 0.0))
            self._next_id += 1

    def _cost(self, track: Track, face: Face, now: float) -> float | None:
        """The distance from the expected place, in face sizes; None when it cannot be the same face."""
        box, expected = face.box, track.expected(now)
        size = (box.short_side + expected.short_side) / 2
        if not 1 / MAX_RESIZE < box.short_side / max(expected.short_side, 1e-6) < MAX_RESIZE:
            return None
        (x0, y0), (x1, y1) = expected.centre, box.centre
        distance = float(((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5) / size
        # The last place counts as well: a face that has stopped is not where its velocity says.
        (x2, y2) = track.face.box.centre
        still = float(((x1 - x2) ** 2 + (y1 - y2) ** 2) ** 0.5) / size
        nearest = min(distance, still)
        return nearest if nearest <= self._settings.reach else None
