"""The last week in a few sentences: how many came, who was named, and why others could not be."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from edge.diary.record import VisitRecord
from edge.diary.spoken import REMEDY
from edge.events import EventKind
from edge.records import Problem
from edge.terminal import plural

WEEK_S = 7 * 86_400.0
MAX_VISITS = 20_000
_WERE = {
    Problem.TOO_SMALL: "were too far away",
    Problem.TOO_BLURRED: "were too blurred",
    Problem.TOO_DARK: "were too dark",
    Problem.TOO_BRIGHT: "were too bright",
    Problem.TURNED_AWAY: "looked away",
    Problem.CUT_OFF: "were cut off at the edge of the picture",
    Problem.NOT_A_FACE: "had the face covered",
}


class WeekSummary(msgspec.Struct, frozen=True):
    """Visits of one week, by how they ended."""

    visits: int
    named: int
    unknown: int
    uncertain: int
    without_face: int
    """Somebody came, and no face could be used."""
    main_problem: Problem | None
    """Why, most often; None: there is nothing to say."""
    of_these: int
    """How many of them had that problem."""

    def sentences(self) -> list[str]:
        """What to say about the week, and what to do."""
        if not self.visits:
            return ["Nobody came within the last 7 days."]
        rest = [(self.named, "named"), (self.unknown, "unknown"), (self.uncertain, "uncertain")]
        shares = ", ".join(f"{count} {word}" for count, word in rest if count)
        found = [f"{plural(self.visits, 'visit')} within the last 7 days" + (f": {shares}." if shares else ".")]
        if self.main_problem is not None:
            verb = _WERE[self.main_problem]
            found.append(
                f"{self.of_these} of {plural(self.without_face, 'visit')} without a usable face {verb}: "
                f"{REMEDY[self.main_problem]}."
            )
        return found


def week_of(visits: Iterable[VisitRecord]) -> WeekSummary:
    """The summary of these visits."""
    every = list(visits)
    kinds = Counter(visit.kind for visit in every)
    blind = [visit for visit in every if visit.kind is EventKind.NO_USABLE_FACE]
    problems = Counter(problem for visit in blind if (problem := _main_problem(visit)) is not None)
    main = problems.most_common(1)[0] if problems else (None, 0)
    return WeekSummary(
        visits=len(every),
        named=kinds[EventKind.RECOGNIZED],
        unknown=kinds[EventKind.UNKNOWN],
        uncertain=kinds[EventKind.UNCERTAIN],
        without_face=len(blind),
        main_problem=main[0],
        of_these=main[1],
    )


def _main_problem(visit: VisitRecord) -> Problem | None:
    """Why most of its faces were refused."""
    worst = max(visit.refused, key=lambda one: one.count, default=None)
    return worst.problem if worst else None
