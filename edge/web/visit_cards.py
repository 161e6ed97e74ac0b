"""Visits as the page shows them: by day, in the box's time zone, with words for figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from edge.diary.certainty import Certainty, certainty
from edge.diary.listing import Names, VisitLine
from edge.diary.reader import DiaryReader
from edge.diary.record import VisitRecord
from edge.events import EventKind
from edge.feedback.corrections_said import CorrectionLine
from edge.terminal import plural
from edge.web.days import day_heading

_TITLES = {
    EventKind.UNKNOWN: "Somebody unknown",
    EventKind.NO_USABLE_FACE: "Somebody, not seen well",
    EventKind.ENDED: "Nobody seen",
}
_TONES = {3: "good", 2: "good", 1: "warn", 0: ""}
Said = Mapping[str, Sequence[CorrectionLine]]
"""Visit id -> what the owner has said about it."""


@dataclass(frozen=True, slots=True)
class VisitCard:
    """One visit on the page."""

    line: VisitLine
    title: str
    day: date
    at: str
    lasted: str
    certainty: Certainty
    pictured: bool
    correctable: bool
    """Its embeddings were kept."""
    said: Sequence[CorrectionLine]

    @classmethod
    def of(
        cls, visit: VisitRecord, names: Names, *, pictured: bool, correctable: bool, said: Sequence[CorrectionLine]
    ) -> "VisitCard":
        line = VisitLine.of(visit, names)
        began = datetime.fromtimestamp(visit.started_at).astimezone()
        return cls(
            line=line,
            title=_title(line),
            day=began.date(),
            at=f"{began:%H:%M}",
            lasted=_lasted(line.duration_s),
            certainty=certainty(line),
            pictured=pictured,
            correctable=correctable,
            said=said,
        )

    @property
    def id(self) -> str:
        return self.line.visit_id

    @property
    def tone(self) -> str:
        """The class of its badge."""
        return _TONES[self.certainty.level] if self.line.decision is not EventKind.UNKNOWN else ""

    @property
    def is_named(self) -> bool:
        return self.line.decision is EventKind.RECOGNIZED

    @property
    def is_stranger(self) -> bool:
        return self.line.decision is EventKind.UNKNOWN

    @property
    def was_seen(self) -> bool:
        """There is a face that can be said to be somebody's."""
        return self.line.decision in {EventKind.RECOGNIZED, EventKind.UNKNOWN, EventKind.UNCERTAIN}


def cards_of(diary: DiaryReader, visits: Sequence[VisitRecord], names: Names, said: Said) -> list[VisitCard]:
    """The visits as cards, in the same order. Raises StorageError."""
    ids = [visit.id for visit in visits]
    pictured, embedded = diary.pictured(ids), diary.embedded(ids)
    return [
        VisitCard.of(
            visit,
            names,
            pictured=visit.id in pictured,
            correctable=visit.id in embedded,
            said=said.get(visit.id, ()),
        )
        for visit in visits
    ]


def by_day(cards: Iterable[VisitCard], today: date) -> list[tuple[str, list[VisitCard]]]:
    """The cards under the names of their days; they come newest first and stay so."""
    return [(day_heading(day, today), list(visits)) for day, visits in groupby(cards, key=lambda card: card.day)]


def _title(line: VisitLine) -> str:
    if line.decision is EventKind.UNCERTAIN:
        return " or ".join(one.name for one in line.candidates) or "Somebody"
    return _TITLES.get(line.decision) or line.person_name or "Somebody"


def _lasted(seconds: float) -> str:
    minutes = round(seconds / 60)
    return plural(max(1, round(seconds)), "second") if seconds < 90 else plural(minutes, "minute")
