"""People as the page shows them: in words."""

from dataclasses import dataclass
from datetime import datetime

from edge.galleries.coverage import Coverage
from edge.people.summary import PersonSummary
from edge.people.undoing import ChangeLine
from edge.terminal import plural

_ACTIONS = {
    "enrolled": "photos added",
    "removed": "removed",
    "photo_removed": "a photo removed",
    "renamed": "renamed",
    "merged": "made one person",
    "consent": "consent changed",
    "undone": "a change undone",
}


@dataclass(frozen=True, slots=True)
class PersonCard:
    """One person on the page."""

    summary: PersonSummary
    photos: str
    missing: str
    """Which views their photos lack; empty: none."""
    seen: str

    @classmethod
    def of(cls, summary: PersonSummary) -> "PersonCard":
        photos = plural(len(summary.templates), "photo")
        if summary.from_visits:
            photos += f" and {len(summary.from_visits)} from visits"
        return cls(summary, photos, missing(summary.coverage), _seen(summary.last_seen))


def missing(found: Coverage) -> str:
    """Which views no photo shows, as a clause; empty: all are there, or nobody knows."""
    views = (
        ("from the front", found.front),
        ("from the left", found.left),
        ("from the right", found.right),
        ("in the dark", found.dark),
    )
    known = found.front + found.left + found.right + found.dark
    lacking = [f"none {view}" for view, count in views if not count]
    return ", ".join(lacking) if known or not found.not_known else ""


def change_in_words(line: ChangeLine) -> str:
    """One change, as in a list of them."""
    who = " and ".join(line.people) if line.action == "merged" else ", ".join(line.people)
    at = datetime.fromisoformat(line.at).astimezone()
    return f"{who}: {_ACTIONS.get(line.action, line.action)}, {at:%A %H:%M}"


def _seen(at: float | None) -> str:
    if at is None:
        return "not seen yet"
    when = datetime.fromtimestamp(at).astimezone()
    days = (datetime.now().astimezone().date() - when.date()).days
    if days < 2:
        return f"seen {'today' if days <= 0 else 'yesterday'} at {when:%H:%M}"
    return f"seen on {when:%A} at {when:%H:%M}" if days < 7 else f"seen on {when.day} {when:%B %Y}"
