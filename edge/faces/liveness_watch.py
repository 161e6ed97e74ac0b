"""Follows the faces that are looked at, and measures in each look what tells a living person from a picture of one."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.faces import liveness_cues as cues
from edge.faces.liveness_network import LivenessNetwork
from edge.frame import Frame
from edge.records import Box, Image, Landmarks
from edge.sightings import LivenessLook, SurroundingsFit

PIXELS_S = 0.25
"""The least time between two looks at the pixels of one face; its landmarks are used each time."""
REFERENCE_S = 0.5
REFERENCES = 3
"""A look is compared with that of one to one and a half seconds ago."""
MIN_MOVE, MAX_MOVE = 0.06, 1.2
"""Widths of the face that it must have moved, for its surroundings to tell anything."""


@dataclass(frozen=True, slots=True, eq=False)
class _Reference:
    at: float
    box: Box
    mesh: NDArray[np.float32]
    transform: cues.Affine
    around: NDArray[np.float32]


class LivenessWatch:
    """Remembers the last surroundings of each followed face. Not thread-safe."""

    def __init__(self, networks: Sequence[LivenessNetwork] = ()) -> None:
        self._networks = networks
        self._references: dict[int, list[_Reference]] = {}
        self._pixels_at: dict[int, float] = {}

    def keep(self, alive: Set[int]) -> None:
        """Forget all tracks but these."""
        self._references = {track: found for track, found in self._references.items() if track in alive}
        self._pixels_at = {track: at for track, at in self._pixels_at.items() if track in alive}

    def look(self, track_id: int, frame: Frame, box: Box, landmarks: Landmarks) -> LivenessLook:
        """Measure one face of a frame; `box` is the detector's, in pixels of the full picture.

        Surroundings, borders and light are taken from the preview.
        """
        at, mesh = frame.captured_at, landmarks.mesh
        plain = LivenessLook(at, mesh, landmarks.pose, cues.eyes_open(mesh))
        if at - self._pixels_at.get(track_id, float("-inf")) < PIXELS_S:
            return plain
        self._pixels_at[track_id] = at
        grey = np.asarray(cv2.cvtColor(frame.preview, cv2.COLOR_BGR2GRAY), np.uint8)
        small = np.asarray(mesh[:, :2] / np.float32(frame.scale), np.float32)
        near = box.scaled(1 / frame.scale)
        return replace(
            plain,
            surroundings=self._surroundings(track_id, grey, near, small, at),
            border=cues.border_sides(grey, near),
            glow=cues.glows(grey, near),
            moire=cues.moire_peak(frame.image, box),
            network=self._network(frame.image, mesh),
        )

    def _surroundings(
        self, track_id: int, grey: cues.Grey, box: Box, mesh: NDArray[np.float32], at: float
    ) -> SurroundingsFit | None:
        """Compare them with those of the oldest reference, and remember these."""
        known = self._references.setdefault(track_id, [])
        found = self._compared(known[0], grey, mesh) if known else None
        if not known or at - known[-1].at >= REFERENCE_S:
            transform = cues.patch_transform(box)
            known.append(_Reference(at, box, mesh, transform, cues.structure(grey, transform)))
            del known[:-REFERENCES]
        return found

    def _compared(self, reference: _Reference, grey: cues.Grey, mesh: NDArray[np.float32]) -> SurroundingsFit | None:
        motion = cues.movement(reference.mesh, mesh)
        if motion is None or abs(np.linalg.det(motion[:, :2])) < 1e-6:
            return None
        if not MIN_MOVE < cues.moved_by(reference.box, motion) < MAX_MOVE:
            return None
        stayed = cues.structure(grey, reference.transform)
        went = cues.structure(grey, cues.followed(reference.transform, motion))
        return cues.compare_surroundings(reference.around, stayed, went)

    def _network(self, image: Image, mesh: NDArray[np.float32]) -> float | None:
        """The mean of the owner's networks; None without any."""
        if not self._networks:
            return None
        return float(np.mean([network.living(image, mesh) for network in self._networks]))
