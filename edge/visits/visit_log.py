"""What a visit remembers of its looks, for the diary: bounded, however long it lasts."""

from collections.abc import Iterable

from edge.events import Event, EventKind, Look, RefusedFaces, VisitAccount
from edge.records import Problem, Quality, Vector

LOOKS_KEPT = 40
"""Looks kept per visit. Beyond that every second one is dropped, so that they stay spread over the whole visit."""
_UNDECIDED = {EventKind.STARTED, EventKind.ENDED}


class LookLog:
    """Grows by one look at a time."""

    def __init__(self) -> None:
        self.rang_at: float | None = None
        self.doubtful = 0
        """Looks that turned out to show somebody else."""
        self._analysed = 0
        self._every = 1
        """Only one look in so many is kept."""
        self._looks: list[Look] = []
        self._refused: dict[Problem, RefusedFaces] = {}
        self._decisions: list[Event] = []

    def add(self, quality: Quality, similarity: float | None, at: float) -> None:
        """Add one analysed face; `similarity` is that of this face alone to the nearest person."""
        if quality.problem is not None:
            found = RefusedFaces.of(quality.problem, quality)
            self._refused[quality.problem] = found.merged(self._refused.get(quality.problem))
        if self._analysed % self._every == 0:
            self._looks.append(Look(at, quality.score, quality.problem, similarity, None))
            self._thin()
        self._analysed += 1

    def rang(self, now: float) -> None:
        """Somebody rang; the first time counts."""
        self.rang_at = now if self.rang_at is None else self.rang_at

    def fused(self, similarity: float) -> None:
        """All faces so far, together, are this similar to the nearest person."""
        if self._looks:
            self._looks[-1] = self._looks[-1].with_fused(similarity)

    def note(self, event: Event) -> None:
        """Remember a decision; at most three per visit."""
        if event.kind not in _UNDECIDED:
            self._decisions.append(event)

    def absorb(self, other: "LookLog") -> None:
        """Add what another visit saw: it was the same person."""
        self._analysed += other._analysed
        self._every = max(self._every, other._every)
        self.doubtful += other.doubtful
        self.rang_at = other.rang_at if self.rang_at is None else self.rang_at
        for problem, found in other._refused.items():
            self._refused[problem] = found.merged(self._refused.get(problem))
        self._looks = sorted([*self._looks, *other._looks], key=lambda look: look.at)
        self._thin()

    def account(self, usable: int, embeddings: Iterable[Vector]) -> VisitAccount:
        """The whole story."""
        return VisitAccount(
            decisions=tuple(self._decisions),
            looks=tuple(self._looks),
            analysed=self._analysed,
            usable=usable,
            refused=tuple(sorted(self._refused.values(), key=lambda found: (-found.count, found.problem))),
            doubtful=self.doubtful,
            rang_at=self.rang_at,
            embeddings=tuple(embeddings),
        )

    def _thin(self) -> None:
        while len(self._looks) > LOOKS_KEPT:
            self._looks = self._looks[::2]
            self._every *= 2
