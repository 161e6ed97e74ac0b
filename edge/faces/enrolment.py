"""Photos -> templates of one person: which are admitted, which are already there, and which look wrong."""

from dataclasses import dataclass

import numpy as np

from edge.errors import WhosthereError
from edge.faces.advice import explain
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.still_image import all_portraits
from edge.galleries.gallery import Gallery, Person, Template
from edge.galleries.names import printable
from edge.records import Image, Problem, Vector

SAME_PICTURE = 0.995
"""Only the same photo saved twice is this similar, never two photos of one person."""
ON_ITS_SIDE_DEG = 60.0
UPSIDE_DOWN_LEAD = 0.1
"""By how much the detector must prefer the photo turned round: some upright faces score equally both ways."""
UPSIDE_DOWN_SCORE = 0.75
"""The least score of the photo turned round: half a face may be found only that way."""


class Refusal(WhosthereError):
    """A picture must not become a template. The message says why and what to do, without the file's name."""


def admit(analyser: Analyser, image: Image) -> AnalysedFace:
    """Return the only usable face of a picture, embedded. Raises Refusal."""
    analyser = analyser.for_enrolment()
    portraits = all_portraits(analyser, image)
    faces = [p for p in portraits if p.quality.problem is not Problem.NOT_A_FACE]
    if _upside_down(analyser, image, portraits):
        raise Refusal("the photo is upside down; turn it upright")
    if len(faces) > 1:
        raise Refusal(f"{len(faces)} faces in it; crop it so that only this person is left")
    if not portraits:
        raise Refusal("no face found; take a photo that shows the whole face from the front")
    portrait = faces[0] if faces else portraits[0]
    if not portrait.quality.usable:
        raise Refusal(explain(portrait.quality, analyser.limits))
    if abs(portrait.quality.pose.roll) > ON_ITS_SIDE_DEG:
        raise Refusal("the photo lies on its side; turn it upright")
    return portrait


def _upside_down(analyser: Analyser, image: Image, portraits: list[AnalysedFace]) -> bool:
    """Whether the picture shows a face upside down.

    The landmark network takes upside-down faces for upright ones, and their embeddings are meaningless.
    """
    turned = analyser.detector.detect(np.ascontiguousarray(image[::-1, ::-1]))
    upright = max((p.face.score for p in portraits), default=0.0)
    best = max((face.score for face in turned), default=0.0)
    return best > max(upright + UPSIDE_DOWN_LEAD, UPSIDE_DOWN_SCORE)


class Intake:
    """Collects the new templates of one person, each picture once."""

    def __init__(self, gallery: Gallery, name: str) -> None:
        self._gallery = gallery
        self.name = name
        self.person = gallery.named(name)
        """The person in the gallery; None: somebody new."""
        self._known: list[Vector] = list(gallery.vectors(self.person)) if self.person else []
        self._sources = [t.source for t in self.person.templates] if self.person else []
        self.templates: list[Template] = []
        self.vectors: list[Vector] = []

    def similarity(self, vector: Vector) -> float | None:
        """Return the similarity to the nearest template of this person, old or new; None if there is none."""
        everything = self._known + self.vectors
        return float(max(v @ vector for v in everything)) if everything else None

    def same_picture(self, vector: Vector) -> str | None:
        """Return the source of a template made from the same picture; None if there is none."""
        sources = self._sources + [t.source for t in self.templates]
        pairs = zip(sources, self._known + self.vectors, strict=True)
        return next((source for source, known in pairs if float(known @ vector) > SAME_PICTURE), None)

    def add(self, source: str, portrait: AnalysedFace, at: str) -> None:
        """Add an embedded portrait; `source` is a photo's name, whatever it holds, and `at` an RFC 3339 time."""
        if portrait.embedding is None:
            raise ValueError("a portrait without an embedding cannot become a template")
        self.templates.append(Template(printable(source), round(portrait.quality.score, 4), at, portrait.infrared))
        self.vectors.append(portrait.embedding)

    def result(self, at: str) -> Gallery:
        """Return the gallery with the new templates; the same object if there are none."""
        if not self.templates:
            return self._gallery
        return self._gallery.with_templates(self.name, self.vectors, self.templates, at)


@dataclass(frozen=True, slots=True)
class Oddity:
    """A template and how similar it is to the nearest one of the people it was compared with."""

    source: str
    person: Person
    """Whose template is the nearest."""
    nearest: str
    """That template's source."""
    similarity: float


def outliers(gallery: Gallery, person: Person, same: float) -> list[Oddity]:
    """Return a person's templates that are less similar than `same` to all their others."""
    vectors = gallery.vectors(person)
    if len(vectors) < 2:
        return []
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1.0)
    nearest = likeness.argmax(1)
    return [
        Oddity(template.source, person, person.templates[j].source, float(likeness[i, j]))
        for i, (template, j) in enumerate(zip(person.templates, nearest, strict=True))
        if likeness[i, j] < same
    ]


def resemblances(gallery: Gallery, person: Person, threshold: float) -> list[Oddity]:
    """Return a person's templates that look like somebody else's: the nearest per other person, most similar first."""
    found = []
    for other in gallery.people:
        if other.id == person.id:
            continue
        likeness = gallery.vectors(person) @ gallery.vectors(other).T
        for i, j in enumerate(likeness.argmax(1)):
            if likeness[i, j] >= threshold:
                sources = person.templates[i].source, other.templates[j].source
                found.append(Oddity(sources[0], other, sources[1], float(likeness[i, j])))
    return sorted(found, key=lambda oddity: -oddity.similarity)
