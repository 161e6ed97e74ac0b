"""Who is in a visit now, and who was recognized last."""

from collections.abc import Sequence

from edge.events import Event, EventKind
from edge.records import Candidate

HOUSEHOLD = 200
"""Up to this many people, each has a presence of their own. In a larger gallery only those who came have one."""

_DECISIONS = frozenset(EventKind) - {EventKind.STARTED, EventKind.ENDED}


class Presence:
    """Follows the events. Only people in the current gallery count."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._visits: dict[str, str] = {}
        """Person ids by visit, for the open visits of recognized people."""
        self._came: set[str] = set()
        """Those who were recognized since the start."""
        self._last: str | None = None

    @property
    def known(self) -> frozenset[str]:
        """The ids of everybody in the current gallery."""
        return frozenset(self._names)

    @property
    def present(self) -> dict[str, bool]:
        """Whether each person is in a visit now: everybody in a household, only those who came in a larger gallery."""
        visiting = set(self._visits.values())
        return {
            person: person in visiting
            for person in self._names
            if len(self._names) <= HOUSEHOLD or person in self._came
        }

    @property
    def last_name(self) -> str | None:
        """The name in the latest final decision (or end of a visit); None: nobody was named yet."""
        return self._names.get(self._last) if self._last else None

    def people(self, people: Sequence[tuple[str, str]]) -> None:
        """Take the current gallery, as (id, name); people who are not in it are forgotten."""
        self._names = dict(people)
        self._visits = {visit: person for visit, person in self._visits.items() if person in self._names}
        self._came &= self._names.keys()
        if self._last not in self._names:
            self._last = None

    def update(self, event: Event) -> None:
        """A decision names the visitor or takes back a provisional name; an end closes the visit."""
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
