"""Is this the person whom they say they are? Looks at one face after another, and answers as soon as it is sure."""

from dataclasses import dataclass

import msgspec
import numpy as np

from edge.config.visits import VisitSettings
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.still_image import each_once
from edge.galleries.gallery import Gallery, Person
from edge.records import Image, Match, Outcome
from edge.visits.decision import match_visit
from edge.visits.fusion import FusedFaces
from edge.visits.matcher import Matcher
from edge.visits.thresholds import LinkingThresholds


@dataclass(frozen=True, slots=True, eq=False)
class CheckedLook:
    """One picture and what it adds."""

    face: AnalysedFace | None
    """The largest face; None: there is none."""
    similarity: float | None
    """This face alone, compared with the person's nearest template; None: it is not usable."""


class IdentityCheck:
    """Faces of one visitor against one person."""

    def __init__(self, analyser: Analyser, matcher: Matcher, linking: LinkingThresholds, min_faces: int) -> None:
        """`matcher` holds nobody but the person. `min_faces`: how many usable faces an answer needs."""
        self._analyser = analyser
        self._matcher = matcher
        self._linking = linking
        self._settings = msgspec.structs.replace(VisitSettings(), min_faces=min_faces)
        self.faces = FusedFaces(linking.coherent)
        self.match: Match | None = None
        """To all usable faces together; None without any."""

    @property
    def threshold(self) -> float:
        """The similarity that is needed."""
        return self.match.threshold if self.match else self._matcher.threshold

    @property
    def verified(self) -> bool:
        enough = self.faces.count >= self._settings.min_faces
        return enough and self.match is not None and self.match.outcome is Outcome.RECOGNIZED

    def look(self, image: Image, now: float) -> CheckedLook:
        """Add the largest face of a BGR picture, seen at `now` in seconds.

        When somebody else steps in front of the camera, everything starts over: nobody is verified by another's face.
        """
        portraits = each_once(self._analyser.portraits(image))
        face = max(portraits, key=lambda portrait: portrait.face.box.width, default=None)
        if face is None:
            return CheckedLook(None, None)
        alone = None
        if face.embedding is not None:
            alone = self._matcher.match(face.embedding)
            if self.faces.count and self.faces.similarity(face.embedding) < self._linking.different:
                self.faces = FusedFaces(self._linking.coherent)
        self.faces.add(face.quality, face.embedding, now)
        self.match = match_visit(self._matcher, self.faces, self._settings, frozenset())
        return CheckedLook(face, alone.best.similarity if alone and alone.best else None)


def only(gallery: Gallery, person: Person) -> Gallery:
    """A gallery of nobody but one of its people."""
    header, vectors = gallery.header, list(gallery.vectors(person))
    known = [(person, vectors)]
    return Gallery.of(header.version, header.created_at, header.embedder, np.shape(gallery.embeddings)[1], known)
