"""Who is in a visit now, and who was the last to be recognized."""

from collections.abc import Sequence

from edge.records import Candidate, Event, EventKind

HOUSEHOLD = 200
"""The most people whose presence is told one by one; of a larger gallery, only who came."""

_DECISIONS = frozenset(EventKind) - {EventKind.STARTED, EventKind.ENDED}


class Presence:
    """Events in, people out. Only people of the gallery in force count."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._visits: dict[str, str] = {}
        """Person by visit, for open visits of recognized people."""
        self._came: set[str] = set()
        """Who was recognized since the start."""
        self._last: str | None = None

    @property
    def known(self) -> frozenset[str]:
        """Everybody in the gallery in force."""
        return frozenset(self._names)

    @property
    def present(self) -> dict[str, bool]:
        """Are they in a visit now? Of everybody in a household's gallery; of whoever came, in a larger one."""
        here = set(self._visits.values())
        return {
            person: person in here for person in self._names if len(self._names) <= HOUSEHOLD or person in self._came
        }

    @property
    def last_name(self) -> str | None:
        """Of the person whom a final decision (or the end of a visit) named last; None: nobody yet."""
        return self._names.get(self._last) if self._last else None

    def people(self, people: Sequence[tuple[str, str]]) -> None:
        """The gallery in force, as (id, name); whoever is missing from it is forgotten."""
        self._names = dict(people)
        self._visits = {visit: person for visit, person in self._visits.items() if person in self._names}
        self._came &= self._names.keys()
        if self._last not in self._names:
            self._last = None

    def update(self, event: Event) -> None:
        """A decision names the visitor or takes a provisional name back; an end empties the visit."""
        person = event.match.person if event.match else None
        if event.kind in _DECISIONS or event.kind is EventKind.ENDED:
            self._visits.pop(event.visit_id, None)
        if person is None or person.person_id not in self._names:
            return
        if event.kind is EventKind.RECOGNIZED:
            self._visits[event.visit_id] = person.person_id
            self._came.add(person.person_id)
        self._remember(event, person)

    def nobody(self) -> None:
        """Every visit is over."""
        self._visits.clear()

    def _remember(self, event: Event, person: Candidate) -> None:
        final = event.kind is EventKind.RECOGNIZED and not event.provisional
        if final or event.kind is EventKind.ENDED:
            self._last = person.person_id
