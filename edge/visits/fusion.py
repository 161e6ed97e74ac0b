"""The faces of a visit, fused: a mean of their embeddings, weighted by quality."""

from collections import Counter

import numpy as np

from edge.records import Problem, Quality, Vector, read_only


class FusedFaces:
    """Grows by one face at a time."""

    def __init__(self) -> None:
        self.count = 0
        """How many of them were usable."""
        self.best_quality: Quality | None = None
        self._first_usable_at: float | None = None
        self._sum: Vector | None = None
        self._problems: Counter[Problem] = Counter()

    def add(self, quality: Quality, embedding: Vector | None, at: float) -> None:
        """Add one face, seen at `at` in monotonic seconds. Without an embedding, only its problem counts."""
        if quality.problem is not None:
            self._problems[quality.problem] += 1
        if self.best_quality is None or self._rank(quality) > self._rank(self.best_quality):
            self.best_quality = quality
        if embedding is None:
            return
        self.count += 1
        if self._first_usable_at is None:
            self._first_usable_at = at
        weighted = embedding * np.float32(max(quality.score, 0.01))
        self._sum = weighted if self._sum is None else self._sum + weighted

    def absorb(self, other: "FusedFaces") -> None:
        """Add what another visit gathered about the same person."""
        self.count += other.count
        self._problems += other._problems
        if other.best_quality is not None and (
            self.best_quality is None or self._rank(other.best_quality) > self._rank(self.best_quality)
        ):
            self.best_quality = other.best_quality
        if self._first_usable_at is None:
            self._first_usable_at = other._first_usable_at
        if other._sum is not None:
            self._sum = other._sum if self._sum is None else self._sum + other._sum

    @property
    def any_face(self) -> bool:
        """Whether anything so far was a face at all, usable or not."""
        return self.count > 0 or any(problem is not Problem.NOT_A_FACE for problem in self._problems)

    @property
    def embedding(self) -> Vector | None:
        """The weighted mean, a unit vector (d,); None without a usable face."""
        if self._sum is None:
            return None
        return read_only(self._sum / np.linalg.norm(self._sum))

    @property
    def main_problem(self) -> Problem | None:
        """The most frequent problem."""
        return self._problems.most_common(1)[0][0] if self._problems else None

    def similarity(self, probe: Vector) -> float:
        """Cosine similarity to a unit vector; -1 without a usable face."""
        fused = self.embedding
        return -1.0 if fused is None else float(fused @ probe)

    def age(self, now: float) -> float:
        """Seconds since the first usable face; 0 without one."""
        return 0.0 if self._first_usable_at is None else now - self._first_usable_at

    @staticmethod
    def _rank(quality: Quality) -> tuple[bool, float]:
        return quality.usable, quality.score
