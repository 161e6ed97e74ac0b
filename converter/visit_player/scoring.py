"""What an engine said of takes against what is true."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from converter.visit_player.playing import Played, Said
from converter.visit_player.script import Actor


class VisitScore(msgspec.Struct, frozen=True):
    """Takes of one kind, together, as one engine answered them."""

    engine: str
    kind: str
    scenes: int
    known: int
    """Known people who came; each once, however long they stayed away in between."""
    usable: int
    """Those of them who showed at least one usable face."""
    named: int
    """Those with a usable face who were called by their own name in a decision."""
    strangers: int
    rightly_unknown: int
    """Strangers who were called by no name."""
    wrong_names: int
    """People who were called by a name that is not theirs, and decisions that named somebody where nobody was."""
    wrong_labels: int
    """Faces of single frames that carried somebody else's name, of `labels`."""
    labels: int
    visits: int
    """Visits started; one per person who came is right."""
    elsewhere: int
    """Those of them that began where nobody of the script was: a bystander in a photo, or no face at all."""
    people: int
    decisions: int
    corrections: int
    pictures: int
    """Pictures of known people, held up to the camera."""
    pictures_named: int
    """Those that were called by the name of the person in the picture."""
    pictures_noticed: int
    """Those that were said to be no living person."""
    spoofs: int
    """Living people who were said to be a picture."""
    looks: int
    """Faces that were analysed closely."""
    seconds_to_name: list[float]
    """From the first usable face to the right name, per person named."""

    @property
    def decisions_per_visit(self) -> float:
        return self.decisions / max(self.people, 1)

    def seconds(self, percentile: float) -> float | None:
        """A percentile of `seconds_to_name`; None when nobody was named."""
        return float(np.percentile(self.seconds_to_name, percentile)) if self.seconds_to_name else None


class OddTake(msgspec.Struct, frozen=True):
    """A take with a mistake of an engine, or with more in its photos than the script knows."""

    engine: str
    kind: str
    number: int
    """Its number among its kind, with which it can be played again."""
    said: list[str]


def odd_takes(played: Iterable[Played]) -> list[OddTake]:
    """The takes that deserve a look, and why."""
    found = ((take, _oddities(take, _take_score(take))) for take in played)
    return [OddTake(take.engine, take.kind, take.number, said) for take, said in found if said]


def _oddities(played: Played, row: VisitScore) -> list[str]:
    decisions = [(said, who) for said, who in played.said if not said.started]
    known = [actor for actor in played.actors if actor.known and not actor.pictured and actor.person in played.usable]
    said = [f"{actor.person} was not named" for actor in known if _first_named(decisions, actor) is None]
    for one, who in decisions:
        person = who.person if who else "nobody"
        if one.name not in (None, person):
            said.append(f"{person} was called {one.name}")
    if row.wrong_labels:
        said.append(f"another name was shown at {row.wrong_labels} of {row.labels} faces")
    if row.visits != row.people:
        said.append(f"visits: {row.visits}, {row.elsewhere} of them elsewhere; people: {row.people}")
    return said


def score(played: Iterable[Played]) -> list[VisitScore]:
    """One row per engine and kind, in the order in which they come, and per engine one for all kinds."""
    by_kind: dict[str, dict[str, list[VisitScore]]] = {}
    for take in played:
        by_kind.setdefault(take.engine, {}).setdefault(take.kind, []).append(_take_score(take))
    rows = []
    for engine, kinds in by_kind.items():
        sums = [_sum(engine, kind, rows) for kind, rows in kinds.items()]
        rows += [*sums, _sum(engine, "all", sums)]
    return rows


def _take_score(played: Played) -> VisitScore:
    living = [actor for actor in played.actors if not actor.pictured]
    pictured = [actor for actor in played.actors if actor.pictured]
    known = [actor for actor in living if actor.known and actor.person in played.usable]
    strangers = [actor for actor in living if not actor.known]
    decisions = [(said, who) for said, who in played.said if not said.started]
    named = {actor.person: at for actor in known if (at := _first_named(decisions, actor)) is not None}
    fooled = [actor for actor in pictured if _first_named(decisions, actor) is not None]
    wrong = [who for said, who in decisions if said.name is not None and (who is None or said.name != who.person)]
    noticed = {who.person for said, who in decisions if said.spoof and who is not None}
    return VisitScore(
        engine=played.engine,
        kind=played.kind,
        scenes=1,
        known=sum(actor.known for actor in living),
        usable=len(known),
        named=len(named),
        strangers=len(strangers),
        rightly_unknown=sum(actor not in wrong for actor in strangers),
        wrong_names=sum(who is None for who in wrong) + len({who.person for who in wrong if who is not None}),
        wrong_labels=sum(name not in (None, actor.person) for actor, name in played.labels),
        labels=len(played.labels),
        visits=sum(said.started for said, _ in played.said),
        elsewhere=sum(said.started and who is None for said, who in played.said),
        people=len(played.actors),
        decisions=len(decisions),
        corrections=sum(said.corrects for said, _ in decisions),
        pictures=len(pictured),
        pictures_named=len(fooled),
        pictures_noticed=sum(actor.person in noticed for actor in pictured),
        spoofs=sum(actor.person in noticed for actor in living),
        looks=played.looks,
        seconds_to_name=[max(0.0, at - played.usable[person]) for person, at in named.items()],
    )


def _first_named(decisions: Sequence[tuple[Said, Actor | None]], actor: Actor) -> float | None:
    """When somebody was first called by their own name."""
    return next((said.at for said, who in decisions if who is actor and said.name == actor.person), None)


def _sum(engine: str, kind: str, rows: Sequence[VisitScore]) -> VisitScore:
    totals = {
        name: sum(getattr(row, name) for row in rows)
        for name in VisitScore.__struct_fields__
        if name not in {"engine", "kind", "seconds_to_name"}
    }
    return VisitScore(
        engine=engine, kind=kind, seconds_to_name=[s for row in rows for s in row.seconds_to_name], **totals
    )
