"""Strangers who come again: is this unknown visitor like one of those who came before?

Runs on the inference thread, in memory, and writes nothing: `stranger_keeper` writes what it decides, on another
thread, and replaces `known` with what is on disk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.config.loading import LoadedConfig
from edge.errors import ModelError
from edge.events import Event, EventKind, StrangerVisits
from edge.models.card import Calibration, Card
from edge.records import Outcome, Vector
from edge.visits.infrared_scale import InfraredScale, infrared_scale
from edge.visits.thresholds import again_threshold

if TYPE_CHECKING:
    import numpy as np
else:
    from edge import lazy_numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Stranger:
    """Somebody unknown, and how often they have come. Times are seconds since the epoch."""

    number: int
    times: int
    first_seen: float
    last_seen: float
    """When the latest visit began."""
    embedding: Vector
    """The mean of the visits that are kept, a unit vector."""

    @property
    def id(self) -> str:
        return f"stranger-{self.number}"


@dataclass(frozen=True, slots=True, eq=False)
class KnownStrangers:
    """All strangers that are kept; replaced as a whole."""

    people: tuple[Stranger, ...] = ()

    def nearest(self, probe: Vector) -> tuple[Stranger, float] | None:
        """The stranger most like a unit vector, and the cosine similarity; None: nobody is kept."""
        if not self.people:
            return None
        scores = np.stack([stranger.embedding for stranger in self.people]) @ probe
        best = int(scores.argmax())
        return self.people[best], float(scores[best])

    def since(self, limit: float) -> KnownStrangers:
        """Those who have come after this moment."""
        return KnownStrangers(tuple(stranger for stranger in self.people if stranger.last_seen >= limit))


class StrangerWatch:
    """Marks the events of unknown visitors with who of the strangers they are.

    One thread calls `mark`. Another one may replace `known` and `target`, and hands in numbers with `add_numbers`.
    """

    def __init__(self, calibration: Calibration, target: float, scale: InfraredScale | None = None) -> None:
        """`target` is the current false-alarm target, from which the bar follows.

        `scale` is for visits in infrared light. Strangers are kept without the light they came in, so such a visit is
        compared as with another infrared one: at night somebody seen by day is grouped more rarely, nobody wrongly.
        """
        self.known = KnownStrangers()
        self.target = target
        self._calibration = calibration
        self._scale = scale
        self._numbers: deque[int] = deque()
        self._open: dict[str, StrangerVisits | None] = {}
        """By visit, until it ends; None: like somebody who is in another visit at the same time."""

    @property
    def bar(self) -> float:
        """The similarity from which two visits are taken for those of one stranger."""
        return again_threshold(self._calibration, self.target, len(self.known.people)).similarity

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers that new strangers will get: each is used once, ever."""
        return tuple(self._numbers)

    def add_numbers(self, numbers: Iterable[int]) -> None:
        """Numbers that no stranger has had, and that are on record as used."""
        self._numbers.extend(numbers)

    def mark(self, event: Event, now: float) -> Event:
        """The event with `stranger`; `now` is the time of `event.at` in seconds since the epoch."""
        seen = now - (event.at - event.started_at)
        if event.kind is EventKind.UNKNOWN and event.probe is not None:
            found = self._open[event.visit_id] = self._who(event.probe, seen, _is_infrared(event))
            return replace(event, stranger=found)
        if event.kind is EventKind.RECOGNIZED and event.corrects is not None:
            return replace(event, stranger=self._open.get(event.visit_id))
        if event.kind is EventKind.ENDED:
            return replace(event, stranger=self._ended(event, seen))
        return event

    def _ended(self, event: Event, seen: float) -> StrangerVisits | None:
        """By now there are more good faces: a visit that seemed to be somebody new may turn out not to be."""
        decided = event.visit_id in self._open
        found = self._open.pop(event.visit_id, None)
        unknown = event.match is not None and event.match.outcome is Outcome.UNKNOWN
        if not unknown or event.probe is None:
            return found
        if not decided:
            return self._who(event.probe, seen, _is_infrared(event))
        if (
            found is not None
            and found.times == 1
            and (again := self._again(event.probe, found.seen, _is_infrared(event)))
            and self._is_free(again)
        ):
            return again
        return found

    def _who(self, probe: Vector, seen: float, infrared: bool) -> StrangerVisits | None:
        """Somebody who came before, or somebody new; None: it is uncertain, or there is no number left."""
        again = self._again(probe, seen, infrared)
        if again is None:
            return StrangerVisits(self._numbers.popleft(), 1, seen, None, seen) if self._numbers else None
        return again if self._is_free(again) else None

    def _is_free(self, again: StrangerVisits) -> bool:
        """Two people who are here at the same time are not one."""
        return all(visits is None or visits.number != again.number for visits in self._open.values())

    def _again(self, probe: Vector, seen: float, infrared: bool) -> StrangerVisits | None:
        nearest = self.known.nearest(probe)
        if nearest is None:
            return None
        who, similarity = nearest
        if infrared and self._scale is not None:
            similarity = float(self._scale.translated(np.array([similarity], np.float32))[0])
        if similarity < self.bar:
            return None
        return StrangerVisits(who.number, who.times + 1, who.first_seen, who.last_seen, seen)


def _is_infrared(event: Event) -> bool:
    return event.quality is not None and event.quality.infrared


def watch_strangers(loaded: LoadedConfig, card: Card) -> StrangerWatch | None:
    """A watch as config.yaml has it; None: strangers are not grouped.

    Raises ModelError for an embedder without a calibration.
    """
    if not loaded.config.strangers.group:
        return None
    if card.calibration is None:
        raise ModelError(
            f"the card of the embedder {card.name!r} has no calibration, so nothing says how alike two visits of one "
            "stranger are: calibrate it with `whosthere-converter calibrate`, or set strangers.group to false"
        )
    scale = infrared_scale(card.infrared_calibration, card.calibration)
    return StrangerWatch(card.calibration, loaded.config.match.false_alarm_target, scale)
