"""Compares what was reported over MQTT with what is in the clip."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from edge.demo.expected import ExpectedVisit
from edge.events import EventKind
from edge.mqtt.visit_payloads import VisitPayload

EARLY_S = 1.0
"""A visit may be reported this much before its visitor comes into view: clocks are read at different moments."""
_DECISIONS = {
    EventKind.RECOGNIZED,
    EventKind.UNKNOWN,
    EventKind.UNCERTAIN,
    EventKind.NO_USABLE_FACE,
}


@dataclass(slots=True)
class ReportedVisit:
    """One visit with its events, each once, in their order of arrival."""

    visit_id: str
    number: int
    """The number of the visit, from 1, in their order of arrival."""
    events: list[VisitPayload] = field(default_factory=list)

    def add(self, event: VisitPayload) -> bool:
        """Add an event. Returns whether it was new: at QoS 1, the same one may arrive twice."""
        new = all(event.event_id != known.event_id for known in self.events)
        if new:
            self.events.append(event)
        return new

    @property
    def started_at(self) -> float:
        """Seconds since the epoch."""
        return datetime.fromisoformat(self.events[0].started_at).timestamp()

    @property
    def decisions(self) -> list[VisitPayload]:
        """The final decisions; there should be exactly one."""
        return [event for event in self.events if event.event_type in _DECISIONS and not event.provisional]

    @property
    def decision(self) -> VisitPayload | None:
        return self.decisions[-1] if self.decisions else None

    @property
    def latest(self) -> VisitPayload | None:
        """The last decision, provisional or final."""
        return next((event for event in reversed(self.events) if event.event_type in _DECISIONS), None)

    @property
    def ended(self) -> bool:
        return any(event.event_type is EventKind.ENDED for event in self.events)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of the result."""

    expected: ExpectedVisit | None
    """None: nobody was there."""
    reported: ReportedVisit | None
    """None: nobody was reported."""
    problems: tuple[str, ...]
    """Empty: correct."""


def compare(expected: Sequence[ExpectedVisit], reported: Sequence[ReportedVisit]) -> list[Comparison]:
    """One line per expected visit, in their order, and one for each visit that was reported but not expected.

    The clip has its own clock. It is aligned with the wall clock so that most reports are correct.
    """
    begin = _begin(expected, reported)
    left = sorted(reported, key=lambda visit: visit.started_at)
    taken: dict[int, ReportedVisit] = {}
    for rightly in (True, False):
        for index, want in enumerate(expected):
            fitting = (v for v in left if _during(v, want, begin) and (not rightly or _right(v, want)))
            if index not in taken and (found := next(fitting, None)):
                taken[index] = found
                left.remove(found)
    lines = [_line(want, taken.get(index)) for index, want in enumerate(expected)]
    return lines + [Comparison(None, visit, ("nobody else was there",)) for visit in left]


def answer(event: VisitPayload | None) -> str:
    """A decision in a word or a name."""
    if event is None:
        return "no decision"
    return event.person_name or event.person_id or event.event_type.value.replace("_", " ")


def _begin(expected: Sequence[ExpectedVisit], reported: Sequence[ReportedVisit]) -> float:
    """The wall-clock time, in seconds, at which the clip began."""
    candidates = [visit.started_at - want.from_s for want in expected for visit in reported]

    def fit(begin: float) -> tuple[int, float]:
        apart = [
            min((abs(v.started_at - begin - want.from_s) for v in reported if _fits(v, want, begin)), default=None)
            for want in expected
        ]
        met = [seconds for seconds in apart if seconds is not None]
        return len(met), -sum(met)

    return max(candidates, key=fit, default=0.0)


def _fits(visit: ReportedVisit, want: ExpectedVisit, begin: float) -> bool:
    return _right(visit, want) and _during(visit, want, begin)


def _during(visit: ReportedVisit, want: ExpectedVisit, begin: float) -> bool:
    # A clip that is read faster than it plays has no times to compare.
    return math.isinf(want.to_s) or want.from_s - EARLY_S <= visit.started_at - begin <= want.to_s


def _right(visit: ReportedVisit, want: ExpectedVisit) -> bool:
    return visit.decision is not None and _is(visit.decision, want)


def _is(decision: VisitPayload, want: ExpectedVisit) -> bool:
    kind = EventKind.UNKNOWN if want.person_id is None else EventKind.RECOGNIZED
    return decision.event_type is kind and decision.person_id == want.person_id


def _line(want: ExpectedVisit, visit: ReportedVisit | None) -> Comparison:
    if visit is None:
        return Comparison(want, None, ("not reported",))
    problems = []
    if visit.decision is None:
        problems.append("never decided")
    elif not _is(visit.decision, want):
        problems.append("wrong")
    if len(visit.decisions) > 1:
        problems.append(f"decided {len(visit.decisions)} times")
    wrongly = {answer(event) for event in visit.events if event.person_id not in {None, want.person_id}}
    problems.extend(f"called {name}" for name in sorted(wrongly) if name != answer(visit.decision))
    if [event.sequence for event in visit.events] != list(range(len(visit.events))):
        problems.append("events lost or out of order")
    if not visit.ended:
        problems.append("not ended")
    return Comparison(want, visit, tuple(problems))
