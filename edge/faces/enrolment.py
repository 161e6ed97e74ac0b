"""The templates of one person: which are already there, and which look wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.faces.likeness import CHOICE_RATE, LikenessBar
from edge.galleries.gallery import Gallery, Person, Template
from edge.galleries.names import printable
from edge.models.measure import Measure
from edge.records import Quality, Vector

if TYPE_CHECKING:
    from edge.faces.analyser import AnalysedFace

SAME_PICTURE = 0.995
"""Only the same photo saved twice is this similar, with the bundled embedder, never two photos of one person."""


class Intake:
    """Collects the new templates of one person, each picture once."""

    def __init__(self, gallery: Gallery, name: str, bar: LikenessBar) -> None:
        self._gallery = gallery
        self.bar = bar
        self.name = name
        self.person = gallery.named(name)
        """The person in the gallery; None: somebody new."""
        self._known: list[Vector] = list(gallery.vectors(self.person)) if self.person else []
        self._sources = [t.source for t in self.person.templates] if self.person else []
        self.templates: list[Template] = []
        self.vectors: list[Vector] = []

    @property
    def known(self) -> list[Vector]:
        """The person's templates from before."""
        return self._known

    def similarity(self, vector: Vector) -> float | None:
        """Return the similarity to the nearest template of this person, old or new; None if there is none."""
        everything = self._known + self.vectors
        return float(max(v @ vector for v in everything)) if everything else None

    def same_picture(self, vector: Vector) -> str | None:
        """Return the source of a template made from the same picture; None if there is none."""
        sources = self._sources + [t.source for t in self.templates]
        same = self.bar.alike(SAME_PICTURE)
        pairs = zip(sources, self._known + self.vectors, strict=True)
        return next((source for source, known in pairs if float(known @ vector) > same), None)

    @property
    def others(self) -> list[tuple[Person, Vector]]:
        """The templates of everybody else in the gallery."""
        return [(p, v) for p, some in self._gallery.known() if p is not self.person for v in some]

    def likeness_to_others(self, vector: Vector) -> str:
        """Say which other person of the gallery a face is like, to go on with a sentence; empty: like none."""
        best = max(self.others, key=lambda other: float(other[1] @ vector), default=None)
        if best is None or float(best[1] @ vector) < self.bar.similarity(CHOICE_RATE, len(self.others)):
            return ""
        return f"; it looks like {best[0].name} (similarity {float(best[1] @ vector):.2f})"

    def add(self, source: str, portrait: AnalysedFace, at: str) -> None:
        """Add an embedded portrait; `source` is a photo's name, whatever it holds, and `at` an RFC 3339 time."""
        if portrait.embedding is None:
            raise ValueError("a portrait without an embedding cannot become a template")
        self.templates.append(template(source, portrait.quality, at, infrared=portrait.infrared))
        self.vectors.append(portrait.embedding)

    def result(self, at: str) -> Gallery:
        """Return the gallery with the new templates; the same object if there are none."""
        if not self.templates:
            return self._gallery
        return self._gallery.with_templates(self.name, self.vectors, self.templates, at)


def template(source: str, quality: Quality, at: str, *, infrared: bool) -> Template:
    """Record the origin of an embedding, and which view of the person it shows."""
    yaw, brightness = round(quality.pose.yaw, 1), round(quality.brightness, 1)
    return Template(printable(source), round(quality.score, 4), at, infrared, yaw, brightness)


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


def resemblances(gallery: Gallery, person: Person, threshold: float, measure: Measure) -> list[Oddity]:
    """Return a person's templates that look like somebody else's: the nearest per other person, most similar first."""
    found = []
    for other in gallery.people:
        if other.id == person.id:
            continue
        likeness = measure.between(gallery.vectors(person), gallery.vectors(other))
        for i, j in enumerate(likeness.argmax(1)):
            if likeness[i, j] >= threshold:
                sources = person.templates[i].source, other.templates[j].source
                found.append(Oddity(sources[0], other, sources[1], float(likeness[i, j])))
    return sorted(found, key=lambda oddity: -oddity.similarity)
