"""Runs at most one challenge at a time against the visits in view, and keeps the updates about it."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge.errors import UsageError
from edge.events import ChallengeFailure, ChallengeUpdate
from edge.sightings import Sighting
from edge.visits.challenge import Challenge, Side
from edge.visits.manager import VisitManager


@dataclass(frozen=True, slots=True)
class AskedChallenge:
    """What was asked for."""

    visit_id: str | None
    """None: the one nearest to the camera."""
    turns: tuple[Side, ...] | int
    """The turns, or how many to draw at random."""
    within_s: float


class ChallengeRunner:
    """Not thread-safe."""

    def __init__(self, *, mirrored: bool, draw: Callable[[int], tuple[Side, ...]] | None = None) -> None:
        """`mirrored`: left and right of the pictures are swapped. `draw` picks the turns; None: at random."""
        self._mirrored = mirrored
        self._draw = draw or _random_turns
        self._challenge: Challenge | None = None
        self._updates: list[ChallengeUpdate] = []

    def begin(self, asked: AskedChallenge, visits: VisitManager, now: float) -> str:
        """Start a challenge, which replaces one under way; a sentence about it. Raises UsageError: nobody to ask."""
        visit_id = asked.visit_id or visits.in_view()
        if visit_id is None:
            raise UsageError("nobody is in view; ask again when a visit has started")
        if not visits.is_open(visit_id):
            raise UsageError(f"visit_id: found {visit_id!r}; allowed: a visit that has started and not ended, or null")
        self._fail(ChallengeFailure.REPLACED, visits, now)
        turns = self._draw(asked.turns) if isinstance(asked.turns, int) else asked.turns
        self._challenge = challenge = Challenge(
            secrets.token_hex(8), visit_id, turns, now, asked.within_s, mirrored=self._mirrored
        )
        visits.challenged(visit_id, None)
        self._updates.append(challenge.update(now))
        return f"asked in visit {visit_id}; the topic challenge says what to do and how it ends"

    def follows(self, track_id: int, visits: VisitManager) -> bool:
        """Whether every frame of this track counts."""
        visit = visits.label(track_id)
        return self._challenge is not None and visit is not None and visit[0] == self._challenge.visit_id

    def update(self, sightings: Iterable[Sighting], visits: VisitManager, now: float) -> None:
        """Take the looks of one frame, after the visits have taken them."""
        challenge = self._challenge
        if challenge is None:
            return
        for sighting in sightings:
            if sighting.landmarks is not None and visits.confirmed(sighting.track_id) == challenge.visit_id:
                self._note(challenge.look(sighting.landmarks, sighting.at), visits)
        self._note(challenge.tick(now, present=visits.is_open(challenge.visit_id)), visits)

    def stop(self, visits: VisitManager, now: float) -> None:
        """There will be no more frames."""
        self._fail(ChallengeFailure.STOPPED, visits, now)

    def taken(self) -> list[ChallengeUpdate]:
        """The updates since the last call."""
        updates, self._updates = self._updates, []
        return updates

    def _fail(self, reason: ChallengeFailure, visits: VisitManager, now: float) -> None:
        if self._challenge is not None:
            self._note(self._challenge.fail(reason, now), visits)

    def _note(self, update: ChallengeUpdate | None, visits: VisitManager) -> None:
        if update is None:
            return
        self._updates.append(update)
        if update.result is not None:
            self._challenge = None
            visits.challenged(update.visit_id, update.result)


def _random_turns(count: int) -> tuple[Side, ...]:
    return tuple(secrets.choice((Side.LEFT, Side.RIGHT)) for _ in range(count))
