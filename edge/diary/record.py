"""One visit as the diary keeps it. People are in it by id only, so that a new name shows everywhere at once."""

from collections.abc import Iterable

import msgspec

from edge.config.faces import QualitySettings
from edge.events import Event, EventKind, Look, RefusedFaces, VisitAccount
from edge.records import Candidate, Doubt, Match, Outcome, Problem, Quality


class PersonScore(msgspec.Struct, frozen=True):
    """A person, and how similar the visitor was to them."""

    person_id: str
    similarity: float

    @classmethod
    def of(cls, candidate: Candidate | None) -> "PersonScore | None":
        return None if candidate is None else cls(candidate.person_id, candidate.similarity)


class DecisionRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A decision about a visit. `sequence` and `kind` are those of its event."""

    sequence: int
    kind: EventKind
    at_s: float
    """Seconds since the visit began."""
    usable_faces: int
    provisional: bool = False
    corrects: int | None = None
    best: PersonScore | None = None
    """The most similar person, whatever the decision."""
    second: PersonScore | None = None
    threshold: float | None = None
    false_match_rate: float | None = None
    doubt: Doubt | None = None
    problem: Problem | None = None

    @classmethod
    def of(cls, event: Event) -> "DecisionRecord":
        match = event.match
        return cls(
            sequence=event.sequence,
            kind=event.kind,
            at_s=round(event.at - event.started_at, 2),
            usable_faces=event.usable_faces,
            provisional=event.provisional,
            corrects=event.corrects,
            best=PersonScore.of(match.best) if match else None,
            second=PersonScore.of(match.runner_up) if match else None,
            threshold=match.threshold if match else None,
            false_match_rate=match.false_match_rate if match else None,
            doubt=match.doubt if match else None,
            problem=event.problem,
        )

    @property
    def margin(self) -> float | None:
        """The lead of the first person over the second; None with fewer than two."""
        return self.best.similarity - self.second.similarity if self.best and self.second else None

    @property
    def contenders(self) -> list[PersonScore]:
        """Whom an uncertain visitor may be, as `Match.contenders` has it."""
        best, second = (
            None if one is None else Candidate(one.person_id, "", one.similarity) for one in (self.best, self.second)
        )
        match = Match(Outcome.UNCERTAIN, best, second, self.threshold or 0.0, None, self.doubt)
        return [PersonScore(one.person_id, one.similarity) for one in match.contenders]

    @property
    def person_id(self) -> str | None:
        """The person it names; None unless recognized."""
        return self.best.person_id if self.best and self.kind is EventKind.RECOGNIZED else None

    def without(self, person: str) -> "DecisionRecord":
        """The same decision, in which this person is nobody."""
        best, second = (None if one and one.person_id == person else one for one in (self.best, self.second))
        return msgspec.structs.replace(self, best=best, second=second)

    def reassigned(self, old: str, new: str) -> "DecisionRecord":
        """The same decision, in which one person is another; nobody is both the first and the second."""
        best, second = (
            PersonScore(new, one.similarity) if one and one.person_id == old else one
            for one in (self.best, self.second)
        )
        if best and second and best.person_id == second.person_id:
            second = None
        return msgspec.structs.replace(self, best=best, second=second)


class LookRecord(msgspec.Struct, frozen=True, array_like=True):
    """One analysed face; see `edge.events.Look`."""

    at_s: float
    quality: float
    problem: Problem | None
    similarity: float | None
    fused: float | None

    @classmethod
    def of(cls, look: Look, start: float) -> "LookRecord":
        similarity, fused = (None if value is None else round(value, 3) for value in (look.similarity, look.fused))
        return cls(round(look.at - start, 2), round(look.quality, 2), look.problem, similarity, fused)


class RefusedRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """Faces that were not used for one reason; see `edge.events.RefusedFaces`."""

    problem: Problem
    count: int
    least: float | None = None
    most: float | None = None

    @classmethod
    def of(cls, found: RefusedFaces) -> "RefusedRecord":
        least, most = (None if value is None else round(value, 3) for value in (found.least, found.most))
        return cls(found.problem, found.count, least, most)


class Rules(msgspec.Struct, frozen=True):
    """The settings by which a visit was decided."""

    false_alarm_target: float
    fixed_threshold: bool
    """`match.threshold` was set, so that the target had no effect."""
    templates: int
    min_margin: float
    min_faces: int
    quality: QualitySettings


class VisitRecord(msgspec.Struct, frozen=True):
    """One visit. Times are seconds since the epoch."""

    id: str
    started_at: float
    ended_at: float
    clock_set: bool
    """False: the box's clock was not set yet, so that the times mean nothing."""
    rang_s: float | None
    """When somebody rang, in seconds since the visit began; None: nobody did."""
    decisions: list[DecisionRecord]
    looks: list[LookRecord]
    analysed: int
    usable: int
    refused: list[RefusedRecord]
    doubtful: int
    probes: int
    """Into how many groups the faces fell, all of them together counting as one."""
    model: str
    gallery_version: str
    rules: Rules
    best_face: Quality | None = None
    """What is known of the best usable face; None: there was none."""
    silenced: bool = False
    """A stranger whom the owner wants ignored: the decision was not published."""

    @classmethod
    def of(
        cls,
        event: Event,
        account: VisitAccount,
        wall_offset: float,
        *,
        clock_set: bool,
        model: str,
        gallery_version: str,
        rules: Rules,
    ) -> "VisitRecord":
        """The record of a visit that `event` ends; `wall_offset` is the epoch minus the clock of `event.at`."""
        start = event.started_at
        return cls(
            id=event.visit_id,
            started_at=round(start + wall_offset, 3),
            ended_at=round(event.at + wall_offset, 3),
            clock_set=clock_set,
            rang_s=None if account.rang_at is None else round(account.rang_at - start, 2),
            decisions=[DecisionRecord.of(one) for one in account.decisions],
            looks=[LookRecord.of(look, start) for look in account.looks],
            analysed=account.analysed,
            usable=account.usable,
            refused=[RefusedRecord.of(found) for found in account.refused],
            doubtful=account.doubtful,
            probes=len(account.embeddings),
            model=model,
            gallery_version=gallery_version,
            rules=rules,
            best_face=event.quality if event.quality is not None and event.quality.usable else None,
            silenced=event.silenced,
        )

    @property
    def last(self) -> DecisionRecord | None:
        """The decision that counts; None: the visit ended without any."""
        return self.decisions[-1] if self.decisions else None

    @property
    def kind(self) -> EventKind:
        """The last decision's kind; `ended` without one."""
        return self.last.kind if self.last else EventKind.ENDED

    @property
    def person_id(self) -> str | None:
        """The person whose name the visit carries in the end."""
        return self.last.person_id if self.last else None

    @property
    def people(self) -> set[str]:
        """Everybody who occurs in it."""
        return {one.person_id for decision in self.decisions for one in (decision.best, decision.second) if one}

    def without(self, people: Iterable[str]) -> "VisitRecord | None":
        """The record without these people; None: it names one of them, so that nothing of it may stay."""
        record = self
        for person in set(people) & self.people:
            if any(decision.person_id == person for decision in self.decisions):
                return None
            cleared = [decision.without(person) for decision in record.decisions]
            record = msgspec.structs.replace(record, decisions=cleared)
        return record

    def reassigned(self, old: str, new: str) -> "VisitRecord":
        """The record in which one person is another: two entries of the gallery were one."""
        return msgspec.structs.replace(self, decisions=[one.reassigned(old, new) for one in self.decisions])
