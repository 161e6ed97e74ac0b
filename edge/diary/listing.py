"""Visits as `whosthere visits` shows them, and as the page will."""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from edge.diary.record import PersonScore, VisitRecord
from edge.events import EventKind
from edge.records import Doubt

Names = Mapping[str, str]
"""Person id -> the name that the gallery has now."""


class NamedScore(msgspec.Struct, frozen=True):
    """A person, and how similar the visitor was to them."""

    person_id: str
    name: str
    """Their id if they have left the gallery."""
    similarity: float

    @classmethod
    def of(cls, score: PersonScore | None, names: Names) -> "NamedScore | None":
        return None if score is None else cls.known(score, names)

    @classmethod
    def known(cls, score: PersonScore, names: Names) -> "NamedScore":
        return cls(score.person_id, names.get(score.person_id, score.person_id), round(score.similarity, 4))


class VisitLine(msgspec.Struct, frozen=True):
    """One visit of `visits --json`. Times are RFC 3339, UTC."""

    visit_id: str
    started_at: str
    duration_s: float
    clock_set: bool
    rang: bool
    decision: EventKind
    """The last one; `ended`: there was none."""
    decided_after_s: float | None
    silenced: bool
    """A stranger whom the owner wants ignored: the decision was not published."""
    corrected: bool
    """A final `unknown` or `uncertain` became a name."""
    person_id: str | None
    person_name: str | None
    best: NamedScore | None
    """The most similar person, whatever the decision."""
    second: NamedScore | None
    candidates: list[NamedScore]
    """Whom an uncertain visitor may be."""
    doubt: Doubt | None
    """Why it is no name although somebody is similar enough."""
    threshold: float | None
    margin: float | None
    false_match_rate: float | None
    faces: int
    usable_faces: int
    refused: dict[str, int]
    """Faces that were not used, by reason."""
    model: str
    gallery_version: str

    @classmethod
    def of(cls, visit: VisitRecord, names: Names) -> "VisitLine":
        last = visit.last
        best = NamedScore.of(last.best, names) if last else None
        named = best if visit.person_id else None
        margin = last.margin if last else None
        uncertain = visit.kind is EventKind.UNCERTAIN
        return cls(
            visit_id=visit.id,
            started_at=datetime.fromtimestamp(visit.started_at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            duration_s=round(visit.ended_at - visit.started_at, 1),
            clock_set=visit.clock_set,
            rang=visit.rang_s is not None,
            decision=visit.kind,
            decided_after_s=last.at_s if last else None,
            silenced=visit.silenced,
            corrected=bool(last and last.corrects is not None),
            person_id=named.person_id if named else None,
            person_name=named.name if named else None,
            best=best,
            second=NamedScore.of(last.second, names) if last else None,
            candidates=[NamedScore.known(one, names) for one in last.contenders] if last and uncertain else [],
            doubt=last.doubt if last else None,
            threshold=None if last is None or last.threshold is None else round(last.threshold, 4),
            margin=None if margin is None else round(margin, 4),
            false_match_rate=last.false_match_rate if last else None,
            faces=visit.analysed,
            usable_faces=visit.usable,
            refused={found.problem.value: found.count for found in visit.refused},
            model=visit.model,
            gallery_version=visit.gallery_version,
        )

    @property
    def who(self) -> str:
        """The result in a word or two."""
        match self.decision:
            case EventKind.RECOGNIZED:
                return self.person_name or "?"
            case EventKind.UNCERTAIN:
                likely = " or ".join(one.name for one in self.candidates)
                return f"uncertain: {likely}" if likely else "uncertain"
            case EventKind.NO_USABLE_FACE:
                return "no usable face"
            case EventKind.ENDED:
                return "nobody seen"
        return self.decision.value
