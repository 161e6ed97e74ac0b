"""Visits as the page shows them: by day, in the box's time zone, with words for figures."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from edge.diary.certainty import Certainty, certainty
from edge.diary.listing import Names, VisitLine
from edge.diary.record import VisitRecord
from edge.events import EventKind
from edge.terminal import plural

_TITLES = {
    EventKind.UNKNOWN: "Somebody unknown",
    EventKind.NO_USABLE_FACE: "Somebody, not seen well",
    EventKind.ENDED: "Nobody seen",
}
_TONES = {3: "good", 2: "good", 1: "warn", 0: ""}


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

    @classmethod
    def of(cls, visit: VisitRecord, names: Names, *, pictured: bool) -> "VisitCard":
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
        )

    @property
    def tone(self) -> str:
        """The class of its badge."""
        return _TONES[self.certainty.level] if self.line.decision is not EventKind.UNKNOWN else ""


def by_day(cards: Iterable[VisitCard], today: date) -> list[tuple[str, list[VisitCard]]]:
    """The cards under the names of their days; they come newest first and stay so."""
    return [(_day(day, today), list(visits)) for day, visits in groupby(cards, key=lambda card: card.day)]


def _title(line: VisitLine) -> str:
    if line.decision is EventKind.UNCERTAIN:
        return " or ".join(one.name for one in line.candidates) or "Somebody"
    return _TITLES.get(line.decision) or line.person_name or "Somebody"


def _lasted(seconds: float) -> str:
    minutes = round(seconds / 60)
    return plural(max(1, round(seconds)), "second") if seconds < 90 else plural(minutes, "minute")


def _day(day: date, today: date) -> str:
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day:%A}, {day.day} {day:%B}" + (f" {day.year}" if day.year != today.year else "")
