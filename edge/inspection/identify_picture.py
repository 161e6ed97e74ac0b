"""Identifies every face of a picture against a gallery."""

from dataclasses import dataclass

from edge.events import EventKind
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.infrared import is_infrared
from edge.faces.still_image import all_portraits
from edge.records import Box, Image, Match, Quality
from edge.visits.decision import match_all
from edge.visits.matcher import Matcher


@dataclass(frozen=True, slots=True, eq=False)
class Identified:
    """One face of a picture and who it is."""

    box: Box
    """In pixels of the picture."""
    detection_score: float
    quality: Quality
    match: Match | None
    """None: the face is not usable, for the reason in `quality`."""

    @property
    def outcome(self) -> EventKind:
        """One of recognized, unknown, uncertain, no_usable_face."""
        return EventKind(self.match.outcome.value) if self.match else EventKind.NO_USABLE_FACE


def identify_image(analyser: Analyser, matcher: Matcher, image: Image) -> list[Identified]:
    """Every face of a BGR picture, from left to right. Two faces of one picture never share a name."""
    portraits = all_portraits(analyser, image)
    matches = match_all(matcher, [portrait.embedding for portrait in portraits], infrared=is_infrared(image))
    found = [_identified(portrait, match) for portrait, match in zip(portraits, matches, strict=True)]
    return sorted(found, key=lambda face: face.box.centre)


def _identified(portrait: AnalysedFace, match: Match | None) -> Identified:
    return Identified(portrait.face.box, portrait.face.score, portrait.quality, match)
