"""What would have changed a decision: found by asking the decision's own code, never by a formula of its own."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from edge.config.visits import MatchSettings, VisitSettings
from edge.diary.record import DecisionRecord, PersonScore, VisitRecord
from edge.events import EventKind
from edge.models.card import Calibration
from edge.records import Candidate, Doubt, Match, Problem
from edge.visits.decision import announcement
from edge.visits.matcher import outcome_of
from edge.visits.thresholds import target_bounds, threshold_for

STEP = 0.001
"""VisitAdvice about similarities is given in such steps."""
ROUNDED = 1e-6
"""Similarities are sums of float32: differences as small as this mean nothing."""
LAXER = 10.0
"""A false-alarm target that lets through more than this many times as many strangers is no advice."""


class VisitChange(msgspec.Struct, frozen=True):
    """How a visit could have been different."""

    similarity: float = 0.0
    """So much more similar to the first person, and to nobody else; negative: less."""
    lead: float = 0.0
    """So much less similar to the second person."""
    faces: int = 0
    """So many more usable faces, like those that were used."""
    problem: Problem | None = None
    """Those faces are refused ones, without this problem."""
    false_alarm_target: float | None = None
    """With another `match.false_alarm_target`."""


class VisitAdvice(msgspec.Struct, frozen=True):
    """A change, and the decision that it would have led to."""

    change: VisitChange
    decision: EventKind


@dataclass(frozen=True, slots=True)
class _FaceCount:
    """So many usable faces, at the end of a visit."""

    count: int

    def age(self, now: float) -> float:
        return now


def what_if(visit: VisitRecord, change: VisitChange, calibration: Calibration | None) -> EventKind:
    """The final decision about a visit if it had been different, from the code that took it.

    Whom a face resembles that was never embedded is not known: as if it were nobody.
    """
    last, rules = visit.last, visit.rules
    count = (last.usable_faces if last else 0) + change.faces
    best = _candidate(last.best, change.similarity) if last else None
    second = _candidate(last.second, -change.lead) if last else None
    threshold = (last.threshold if last else None) or 0.0
    if change.false_alarm_target is not None:
        target = MatchSettings(false_alarm_target=change.false_alarm_target)
        found = threshold_for(target, calibration, rules.templates)
        threshold = found.similarity if found else threshold
    taken = last is not None and last.doubt is Doubt.TAKEN
    outcome, doubt = outcome_of(best, second, threshold, rules.min_margin, taken=taken)
    match = Match(outcome, best, second, threshold, None, doubt) if count else None
    said = announcement(_FaceCount(count), match, VisitSettings(min_faces=rules.min_faces), math.inf, last=True)
    return said.kind if said else EventKind.ENDED


def advice(visit: VisitRecord, calibration: Calibration | None) -> list[VisitAdvice]:
    """The smallest changes that would have led to another decision; each is true on its own.

    For a decision without a name: to a name, or where nobody was recognisable, to any answer. For a name: to none.
    """
    last = visit.last
    if last is None or last.doubt in {Doubt.TAKEN, Doubt.GROUPS, Doubt.REJECTED}:
        return []
    changes = {
        EventKind.NO_USABLE_FACE: _more_usable,
        EventKind.UNKNOWN: _more_similar,
        EventKind.UNCERTAIN: _more_sure,
        EventKind.RECOGNIZED: _less_similar,
    }.get(last.kind)
    if changes is None:
        return []
    wanted = [*changes(visit, last), *(_laxer(visit, last, calibration) if last.kind is EventKind.UNKNOWN else [])]
    found = [VisitAdvice(change, what_if(visit, change, calibration)) for change in wanted]
    return [one for one in found if _helps(last.kind, one.decision)]


def _helps(before: EventKind, after: EventKind) -> bool:
    if before in {EventKind.UNKNOWN, EventKind.UNCERTAIN}:
        return after is EventKind.RECOGNIZED
    return after is not before


def _more_usable(visit: VisitRecord, _: DecisionRecord) -> Iterator[VisitChange]:
    for found in visit.refused:
        yield VisitChange(faces=found.count, problem=found.problem)


def _more_similar(visit: VisitRecord, last: DecisionRecord) -> Iterator[VisitChange]:
    if last.best is None or last.threshold is None:
        return
    missing = last.threshold - last.best.similarity
    if last.margin is not None:
        missing = max(missing, visit.rules.min_margin - last.margin)
    yield VisitChange(similarity=_beyond(missing), faces=_missing_faces(visit, last))


def _more_sure(visit: VisitRecord, last: DecisionRecord) -> Iterator[VisitChange]:
    """A visit is uncertain because the second person is too close, because there were too few faces, or both."""
    faces = _missing_faces(visit, last)
    lead = visit.rules.min_margin - last.margin if last.margin is not None else -1.0
    change = VisitChange(lead=_beyond(lead) if lead > 0 else 0.0, faces=faces)
    yield change
    for found in visit.refused:
        if faces and found.count >= faces:
            yield msgspec.structs.replace(change, problem=found.problem)


def _less_similar(visit: VisitRecord, last: DecisionRecord) -> Iterator[VisitChange]:
    if last.best is None or last.threshold is None:
        return
    spare = last.best.similarity - last.threshold
    if last.margin is not None:
        spare = min(spare, last.margin - visit.rules.min_margin)
    yield VisitChange(similarity=-_beyond(spare))


def _laxer(visit: VisitRecord, last: DecisionRecord, calibration: Calibration | None) -> Iterator[VisitChange]:
    """The strictest target, to two digits, by which the visitor would have been similar enough."""
    rules, rate = visit.rules, last.false_match_rate
    now = threshold_for(MatchSettings(false_alarm_target=rules.false_alarm_target), calibration, rules.templates)
    bounds = target_bounds(calibration, rules.templates)
    if rules.fixed_threshold or rate is None or now is None or bounds is None or last.threshold is None:
        return
    if abs(now.similarity - last.threshold) > STEP or last.usable_faces < rules.min_faces:
        # The threshold was raised, because the faces fell into groups; or the target alone would not do.
        return
    digit = 10.0 ** math.floor(math.log10(rate)) / 10
    target = (math.floor(rate / digit + ROUNDED) + 1) * digit
    if bounds.low <= target <= min(bounds.high, LAXER * rules.false_alarm_target):
        yield VisitChange(false_alarm_target=float(f"{target:.2g}"))


def _missing_faces(visit: VisitRecord, last: DecisionRecord) -> int:
    return max(0, visit.rules.min_faces - last.usable_faces)


def _beyond(amount: float) -> float:
    """The first step that is certainly more than an amount."""
    return round((math.floor((amount + 2 * ROUNDED) / STEP) + 1) * STEP, 3)


def _candidate(score: PersonScore | None, change: float) -> Candidate | None:
    return None if score is None else Candidate(score.person_id, "", score.similarity + change)
