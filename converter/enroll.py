"""A folder of people -> a gallery, and the result for every photo. The same photos give the same bytes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np

from converter.people_folder import PersonFolder
from converter.person_pictures import LONG_AGO, PersonPictures
from converter.template_selection import PictureVerdict, Shot, select
from edge.faces.analyser import Analyser
from edge.faces.enrolment import template
from edge.faces.likeness import LikenessBar
from edge.galleries.coverage import Coverage, coverage
from edge.galleries.gallery import EmbedderId, Gallery, Person, lookalikes
from edge.galleries.names import printable
from edge.models.similarity import NEAR_COPY, same_person, spread
from edge.terminal import progress

CLOSE = 0.1
"""Pairs of people who are closer than this to the threshold are reported; for the bundled embedder."""


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """One person's photos with their results, and warnings about the person as a whole."""

    folder: PersonFolder
    verdicts: list[PictureVerdict]
    templates: int
    coverage: Coverage
    """Which views of the person the templates show."""
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class ClosePair:
    """Two people who look alike."""

    names: tuple[str, str]
    similarity: float
    margin: float
    """How far they stay below the threshold; negative: one can be taken for the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Build:
    """A gallery, and how it was made."""

    gallery: Gallery
    people: list[Enrolled]
    pairs: list[ClosePair]
    threshold: float


def build(
    people: list[PersonFolder],
    analyser: Analyser,
    bar: LikenessBar,
    threshold: Callable[[int], float],
    limit: int,
    now: datetime,
) -> Build:
    """Build version 1 of a gallery. `threshold` gives the similarity needed for a name with that many templates."""
    late = {person.id for person in people if person.expires_at is not None and person.expires_at <= now}
    read = {person.id: PersonPictures(analyser, bar, person) for person in people}
    wanted = [(person, path) for person in people if person.id not in late for path in person.pictures]
    for person, path in progress(wanted, "photos"):
        read[person.id].add(path)
    shots = {person.id: read[person.id].decide() for person in people}
    similarity = threshold(min(limit * max(1, len(people)), max(1, sum(map(len, shots.values())))))
    names = {person.id: person.name for person in people}
    selection = select(shots, names, similarity, limit, bar.alike(NEAR_COPY))
    refused = {person: pictures.left_out(shots, names, similarity) for person, pictures in read.items()}
    known = [_person(person, selection.chosen[person.id]) for person in people if selection.chosen[person.id]]
    at = max((template.added_at for person, _ in known for template in person.templates), default=LONG_AGO)
    gallery = Gallery.of(1, at, analyser.embedder.id, analyser.embedder.dimensions, known)
    covered = {person.id: coverage(person.templates) for person, _ in known}
    enrolled = [
        Enrolled(
            person,
            sorted(selection.verdicts[person.id] + refused[person.id], key=lambda v: _natural(v.source)),
            len(selection.chosen[person.id]),
            covered.get(person.id, coverage([])),
            _warnings(person, len(selection.chosen[person.id]), late=person.id in late),
        )
        for person in people
    ]
    in_force = threshold(len(gallery.embeddings))
    pairs = [
        ClosePair((a.name, b.name), likeness, in_force - likeness)
        for a, b, likeness in lookalikes(gallery, in_force - CLOSE * spread(same_person(bar.calibration)))
    ]
    return Build(gallery, enrolled, pairs, in_force)


def successor(gallery: Gallery, previous: Gallery | None, version: int | None) -> Gallery:
    """The gallery with its version: `version`, else one more than the previous one, or the same if nothing changed."""
    if version is None and previous is not None:
        same = _contents(gallery) == _contents(previous)
        version = previous.header.version + (0 if same else 1)
    header = gallery.header
    people = [(person, vectors) for person, vectors in gallery.known()]
    dimensions = gallery.embeddings.shape[1]
    return Gallery.of(version or 1, header.created_at, header.embedder, dimensions, people)


def _contents(gallery: Gallery) -> tuple[EmbedderId, list[Person], bytes]:
    return gallery.header.embedder, gallery.people, gallery.embeddings.tobytes()


def _person(
    person: PersonFolder, chosen: list[Shot]
) -> tuple[Person, list[np.ndarray[tuple[int], np.dtype[np.float32]]]]:
    templates = [template(shot.source, shot.quality, shot.taken_at, infrared=shot.infrared) for shot in chosen]
    notes = "\n".join(map(printable, person.about.notes.splitlines()))
    consent = person.about.consent
    if consent is not None:
        given_by, purpose = printable(consent.given_by), printable(consent.purpose)
        consent = msgspec.structs.replace(consent, given_by=given_by, purpose=purpose)
    return (
        Person(person.id, person.name, templates, notes, consent, person.expires_at),
        [shot.vector for shot in chosen],
    )


def _warnings(person: PersonFolder, templates: int, *, late: bool) -> list[str]:
    if late:
        return [f"left out: person.yaml allows recognition only before {person.expires_at:%Y-%m-%d}"]
    found = [
        f"its id is {person.id}, because {known.name} ({known.id}) has a similar name; if they are one person, rename "
        f"{known.name} in the old gallery first: `whosthere gallery rename`"
        for known in person.similar
    ]
    if person.about.consent is None:
        found.append("person.yaml states no consent")
    if not templates:
        found.append("left out: none of the photos can be used")
    elif templates < 3:
        found.append("add photos until there are at least three, some in daylight and some in lamplight")
    return found


def _natural(source: str) -> list[tuple[int, str]]:
    return [(int(n or 0), text.lower()) for n, text in re.findall(r"(\d+)|(\D+)", source)]
