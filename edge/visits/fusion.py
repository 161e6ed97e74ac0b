"""What a visit's faces say together: embeddings fused with their quality as weight.

Covered, blurred or far faces must not drag good ones down, and no fixed limit can tell which are which. So the faces
of a visit that do not look alike are also fused as two groups, each of which may name the visitor. The gallery is
then asked up to three times, and the matcher raises its threshold accordingly.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.records import Problem, Quality, Vector, read_only

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    from edge import lazy_numpy as np

KEPT = 32
"""Embeddings kept per visit; beyond that the two most alike are fused."""
COHERENT = 0.75
"""Cosine similarity from which two groups count as one, for the bundled embedder.

Below it lie, on 250 photos of lfw-dev, a face and the same face with painted sunglasses (median 0.71) or a mask (0.63).
"""
ROUNDS = 5
MIN_WEIGHT = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class FaceGroup:
    """Faces fused into one probe."""

    embedding: Vector
    count: int


class FusedFaces:
    """Grows by one face at a time."""

    def __init__(self, coherent: float = COHERENT) -> None:
        """`coherent`: `COHERENT` for the embedder in use."""
        self._coherent = coherent
        self.count = 0
        """How many of them were usable."""
        self.infrared = False
        """Whether any usable one was seen in infrared light."""
        self.best_quality: Quality | None = None
        self._first_usable_at: float | None = None
        self._sums: list[Vector] = []
        """Weighted embeddings; some are sums of several faces that look alike."""
        self._counts: list[int] = []
        self._groups: list[FaceGroup] | None = None
        self._problems: Counter[Problem] = Counter()

    def add(self, quality: Quality, embedding: Vector | None, at: float) -> None:
        """Add one face, seen at `at` in monotonic seconds. Without an embedding, only its problem counts."""
        if quality.problem is not None:
            self._problems[quality.problem] += 1
        if self.best_quality is None or self._rank(quality) > self._rank(self.best_quality):
            self.best_quality = quality
        if embedding is None:
            return
        if self._first_usable_at is None:
            self._first_usable_at = at
        self.infrared = self.infrared or quality.infrared
        self._keep(embedding * np.float32(max(quality.score, MIN_WEIGHT)), 1)

    def absorb(self, other: FusedFaces) -> None:
        """Add what another visit gathered about the same person."""
        self._problems += other._problems
        if other.best_quality is not None and (
            self.best_quality is None or self._rank(other.best_quality) > self._rank(self.best_quality)
        ):
            self.best_quality = other.best_quality
        if self._first_usable_at is None:
            self._first_usable_at = other._first_usable_at
        self.infrared = self.infrared or other.infrared
        for total, count in zip(other._sums, other._counts, strict=True):
            self._keep(total, count)

    @property
    def any_face(self) -> bool:
        """Whether anything so far was a face at all, usable or not."""
        return self.count > 0 or any(problem is not Problem.NOT_A_FACE for problem in self._problems)

    @property
    def embedding(self) -> Vector | None:
        """The weighted mean direction of all faces, of length one; None without a usable face."""
        return self.groups(1)[0].embedding if self._sums else None

    def groups(self, min_faces: int) -> list[FaceGroup]:
        """The probes that may name the visitor: all faces and, if they fall into two groups, each of those.

        A group of fewer than `min_faces` is left out. Empty without a usable face.
        """
        if self._groups is None:
            self._groups = self._grouped() if self._sums else []
        return [group for i, group in enumerate(self._groups) if i == 0 or group.count >= min_faces]

    @property
    def main_problem(self) -> Problem | None:
        """The most frequent problem."""
        return max(self._problems, key=self._problems.__getitem__, default=None)

    def similarity(self, probe: Vector) -> float:
        """Cosine similarity of a unit vector to all faces together; -1 without a usable face.

        Not to the nearest group: a group of blurred faces resembles blurred faces of anybody.
        """
        fused = self.embedding
        return -1.0 if fused is None else float(fused @ probe)

    def age(self, now: float) -> float:
        """Seconds since the first usable face; 0 without one."""
        return 0.0 if self._first_usable_at is None else now - self._first_usable_at

    def _keep(self, weighted: Vector, count: int) -> None:
        self.count += count
        self._sums.append(weighted)
        self._counts.append(count)
        self._groups = None
        if len(self._sums) > KEPT:
            units = _units(self._sums)
            alike = units @ units.T - 2 * np.eye(len(units), dtype=np.float32)
            i, j = sorted(int(n) for n in np.unravel_index(np.argmax(alike), alike.shape))
            self._sums[i] = self._sums[i] + self._sums.pop(j)
            self._counts[i] += self._counts.pop(j)

    def _grouped(self) -> list[FaceGroup]:
        sums, counts = np.stack(self._sums), np.array(self._counts)
        everybody = FaceGroup(_direction(sums), self.count)
        first = _two_groups(sums, self._coherent)
        if first is None:
            return [everybody]
        parts = [FaceGroup(_direction(sums[part]), int(counts[part].sum())) for part in (first, ~first)]
        return [everybody, *parts] if parts[0].embedding @ parts[1].embedding < self._coherent else [everybody]

    @staticmethod
    def _rank(quality: Quality) -> tuple[bool, float]:
        return quality.usable, quality.score


def _two_groups(sums: NDArray[np.float32], coherent: float) -> NDArray[np.bool_] | None:
    """Which rows (n, d) belong to the first of two groups, by 2-means on the sphere; None: they are one group."""
    units = _units(list(sums))
    alike = units @ units.T
    i, j = np.unravel_index(np.argmin(alike), alike.shape)
    if alike[i, j] >= coherent:
        return None
    one, other = units[i], units[j]
    first: NDArray[np.bool_] = np.ones(len(units), np.bool_)
    for _ in range(ROUNDS):
        first = units @ one >= units @ other
        if first.all() or not first.any():
            return None
        one, other = _direction(sums[first]), _direction(sums[~first])
    return first


def _units(rows: list[Vector]) -> NDArray[np.float32]:
    stacked = np.stack(rows)
    units: NDArray[np.float32] = (stacked / np.linalg.norm(stacked, axis=1, keepdims=True)).astype(np.float32)
    return units


def _direction(rows: NDArray[np.float32]) -> Vector:
    total = rows.sum(0)
    unit: Vector = (total / np.linalg.norm(total)).astype(np.float32)
    return read_only(unit)
