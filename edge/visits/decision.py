"""The rule that decides when a name is announced. It is stated here and nowhere else.

The matcher says who a visit's fused faces resemble, and whether that is over the threshold and the margin. This
module says whether that is enough to announce, and in which order names are given, so that two people in one picture
never share one. `manager` applies the rule to visits, `whosthere identify` to still pictures.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from msgspec import structs

from edge.config.visits import VisitSettings
from edge.events import EventKind
from edge.records import Doubt, Match, Outcome, Vector
from edge.visits.fusion import FusedFaces
from edge.visits.matcher import Matcher


class Evidence(Protocol):
    """What a visit has gathered."""

    @property
    def count(self) -> int:
        """How many faces were usable."""
        ...

    def age(self, now: float) -> float:
        """Seconds since the first of them."""
        ...


@dataclass(frozen=True, slots=True)
class Announcement:
    """What to say about a visit now."""

    kind: EventKind
    """One of recognized, unknown, uncertain, no_usable_face."""
    match: Match | None
    provisional: bool = False
    """The final decision is still to come."""


def announcement(
    faces: Evidence, match: Match | None, settings: VisitSettings, now: float, *, last: bool
) -> Announcement | None:
    """Decide about a visit that has no final decision yet; None: wait for more faces.

    `match` is the gallery's answer to the fused faces, None without a usable face. `last`: the visit ends now, so
    something final must be said. A name needs `min_faces` usable faces: with fewer it is at most provisional, and
    `uncertain` at the end. Anything other than a name is final only once patience has run out.
    """
    if match is None:
        return Announcement(EventKind.NO_USABLE_FACE, None) if last else None
    if match.outcome is Outcome.RECOGNIZED and faces.count < settings.min_faces:
        if last:
            return Announcement(
                EventKind.UNCERTAIN, structs.replace(match, outcome=Outcome.UNCERTAIN, doubt=Doubt.FEW_FACES)
            )
        return Announcement(EventKind.RECOGNIZED, match, provisional=True) if settings.provisional else None
    if match.outcome is Outcome.RECOGNIZED or last or _out_of_patience(faces, settings, now):
        return Announcement(EventKind(match.outcome.value), match)
    return None


def correction(faces: Evidence, match: Match | None, settings: VisitSettings) -> Announcement | None:
    """What corrects a final `unknown` or `uncertain`: a name, on the terms of any other name; None: nothing yet.

    There is at most one correction per visit, and a name is never corrected: a face that turns out to be somebody
    else's gets a visit of its own (`swap`).
    """
    if match is None or match.outcome is not Outcome.RECOGNIZED or faces.count < settings.min_faces:
        return None
    return Announcement(EventKind.RECOGNIZED, match)


def match_visit(matcher: Matcher, faces: FusedFaces, settings: VisitSettings, taken: Set[str]) -> Match | None:
    """The gallery's answer to all faces of a visit and, where they fall into groups, to each group.

    The best answer counts. Groups that name different people make the visit uncertain. None without a usable face.
    """
    groups = faces.groups(settings.min_faces)
    matches = [matcher.match(group.embedding, taken, len(groups), infrared=faces.infrared) for group in groups]
    if not matches:
        return None
    best = max(matches, key=lambda m: (m.outcome is Outcome.RECOGNIZED, likeness(m)))
    # A rejected name is not given, but neither does another one come in its place.
    named = [m.best for m in matches if m.best and (m.person or m.doubt is Doubt.REJECTED)]
    others = [one for one in named if best.person and one.person_id != best.person.person_id]
    return structs.replace(best, outcome=Outcome.UNCERTAIN, runner_up=others[0], doubt=Doubt.GROUPS) if others else best


def is_ignored(matcher: Matcher, faces: FusedFaces, kind: EventKind) -> bool:
    """Whether a decision is about a stranger whom the owner wants ignored."""
    fused = faces.embedding
    return kind is EventKind.UNKNOWN and fused is not None and matcher.ignores(fused, infrared=faces.infrared)


def likeness(match: Match | None) -> float:
    """The key by which names are given, the highest first: the similarity to the nearest person, or -1."""
    return match.best.similarity if match and match.best else -1.0


def match_all(matcher: Matcher, probes: Sequence[Vector | None], *, infrared: bool = False) -> list[Match | None]:
    """Match the faces of one still picture, each a unit vector (d,); None stays None. `infrared`: it is a grey one.

    The most similar face gets its name first, and no other face gets the same one.
    """
    matches = [None if probe is None else matcher.match(probe, infrared=infrared) for probe in probes]
    taken: set[str] = set()
    for i in sorted(range(len(probes)), key=lambda i: -likeness(matches[i])):
        probe = probes[i]
        if probe is not None:
            matches[i] = match = matcher.match(probe, taken, infrared=infrared)
            taken |= {match.person.person_id} if match.person else set()
    return matches


def _out_of_patience(faces: Evidence, settings: VisitSettings, now: float) -> bool:
    return faces.count >= settings.patience_faces and faces.age(now) >= settings.patience_s
