"""What a box said of scripted visits against what is true."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from converter.visit_player.playing import PlayedScene
from converter.visit_player.script import Actor
from edge.events import Event, EventKind


class VisitScore(msgspec.Struct, frozen=True):
    """Scenes of one kind, together."""

    kind: str
    scenes: int
    known: int
    """Known people who came; each once, however long they stayed away in between."""
    usable: int
    """Those of them who showed at least one usable face."""
    named: int
    """Those of them who were called by their own name in a final decision."""
    strangers: int
    rightly_unknown: int
    """Strangers who were called by no name."""
    wrong_names: int
    """Final decisions that called somebody by a name that is not theirs."""
    wrong_labels: int
    """Faces of single frames that carried somebody else's name, of `labels`."""
    labels: int
    visits: int
    """Visits started; one per person who came is right."""
    people: int
    decisions: int
    corrections: int
    looks: int
    """Faces that were analysed closely."""
    seconds_to_name: list[float]
    """From the first usable face to the right name, per person named."""

    def seconds(self, percentile: float) -> float | None:
        """A percentile of `seconds_to_name`; None when nobody was named."""
        return float(np.percentile(self.seconds_to_name, percentile)) if self.seconds_to_name else None


def score(played: Iterable[PlayedScene]) -> list[VisitScore]:
    """One row per kind, in order, and one for all of them."""
    by_kind: dict[str, list[VisitScore]] = {}
    for scene in played:
        by_kind.setdefault(scene.scene.kind, []).append(_scene_score(scene))
    rows = [_sum(kind, rows) for kind, rows in by_kind.items()]
    return [*rows, _sum("all", rows)]


def _scene_score(played: PlayedScene) -> VisitScore:
    known = [actor for actor in played.scene.actors if actor.known]
    strangers = [actor for actor in played.scene.actors if not actor.known]
    first_named = {actor.person: _first_named(played, actor) for actor in known}
    named = {person: event for person, event in first_named.items() if event is not None}
    waited = [max(0.0, e.at - played.usable.get(person, e.at)) for person, e in named.items()]
    names = _names_given(played)
    return VisitScore(
        kind=played.scene.kind,
        scenes=1,
        known=len(known),
        usable=sum(actor.person in played.usable for actor in known),
        named=len(named),
        strangers=len(strangers),
        rightly_unknown=sum(not any(who is actor for who, _ in names) for actor in strangers),
        wrong_names=sum(who is None or name != who.person for who, name in names),
        wrong_labels=sum(name not in (None, actor.person) for actor, name in played.labels),
        labels=len(played.labels),
        visits=sum(event.kind is EventKind.STARTED for event, _ in played.events),
        people=len(played.scene.actors),
        decisions=sum(_is_decision(event) for event, _ in played.events),
        corrections=sum(event.corrects is not None for event, _ in played.events),
        looks=played.looks,
        seconds_to_name=waited,
    )


def _is_decision(event: Event) -> bool:
    return event.kind not in (EventKind.STARTED, EventKind.ENDED) and not event.provisional


def _names_given(played: PlayedScene) -> list[tuple[Actor | None, str]]:
    """(who stood there, the name that was announced) of each final name."""
    return [
        (actor, event.match.person.name)
        for event, actor in played.events
        if event.kind is EventKind.RECOGNIZED and not event.provisional and event.match and event.match.person
    ]


def _first_named(played: PlayedScene, actor: Actor) -> Event | None:
    for event, who in played.events:
        name = event.match.person.name if event.match and event.match.person else None
        if who is actor and event.kind is EventKind.RECOGNIZED and not event.provisional and name == actor.person:
            return event
    return None


def _sum(kind: str, rows: Sequence[VisitScore]) -> VisitScore:
    totals = {
        name: sum(getattr(row, name) for row in rows)
        for name in VisitScore.__struct_fields__
        if name not in {"kind", "seconds_to_name"}
    }
    return VisitScore(kind=kind, seconds_to_name=[s for row in rows for s in row.seconds_to_name], **totals)
