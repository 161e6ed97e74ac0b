"""Which face of a photo is the person: by size and place, or by likeness to the person's other photos."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.faces.analyser import AnalysedFace
from edge.faces.likeness import CHOICE_RATE, STRAY_RATE, LikenessBar
from edge.faces.photo_faces import PhotoFaces, Refusal, Undecided
from edge.records import Vector

BY_FAR = 2.0
"""How many times as wide as the second face the largest must be."""
CENTRAL = 0.2
"""How far from the middle its centre may lie, as a fraction of the photo's width."""


@dataclass(frozen=True, slots=True, eq=False)
class ChosenFace:
    """The face of a photo that is taken for the person's."""

    portrait: AnalysedFace
    number: int
    """From 1, from left to right."""
    of: int
    """How many faces the photo has."""
    why: str
    """In words; empty: it is the only one."""
    by_size: bool = False
    """Chosen by size alone: there was nothing to compare it with."""

    @property
    def vector(self) -> Vector:
        """Its embedding. Raises ValueError when it has none, because it is not usable."""
        if self.portrait.embedding is None:
            raise ValueError("a face without an embedding cannot become a template")
        return self.portrait.embedding


def only_face(photo: PhotoFaces) -> ChosenFace | None:
    """The face of a photo that has no other; None: it has."""
    return ChosenFace(photo.faces[0], 1, 1, "") if len(photo.faces) == 1 else None


def picked_face(photo: PhotoFaces, number: int) -> ChosenFace:
    """The face that the user picked. Raises Refusal when there is none of that number."""
    if not 1 <= number <= len(photo.faces):
        count = len(photo.faces)
        raise Refusal(f"found no face {number} in it; allowed: 1 to {count}; faces: {photo.listed()}")
    return _chosen(photo, number - 1, "picked by number")


def largest_face(photo: PhotoFaces) -> ChosenFace | None:
    """The face that is by far the largest, and central; None: no face is both."""
    sizes = [portrait.face.box.short_side for portrait in photo.faces]
    first, second = sorted(range(len(sizes)), key=lambda i: -sizes[i])[:2]
    off_centre = abs(photo.faces[first].face.box.centre[0] / photo.width - 0.5)
    if sizes[first] < BY_FAR * sizes[second] or off_centre > CENTRAL:
        return None
    return _chosen(photo, first, "by far the largest, and in the middle", by_size=True)


def most_like(photo: PhotoFaces, references: Sequence[Vector], bar: LikenessBar) -> ChosenFace:
    """The face that is like the person's other photos. Raises Undecided when none is, or not clearly more than another.

    The face that is by far the largest must be no more like them than the only face of a photo.
    """
    known = np.stack(references)
    likeness = [-1.0 if p.embedding is None else float((known @ p.embedding).max()) for p in photo.faces]
    order = sorted(range(len(likeness)), key=lambda i: -likeness[i])
    best, second = likeness[order[0]], likeness[order[1]]
    large = largest_face(photo)
    prominent = large is not None and large.number == order[0] + 1
    comparisons = len(references) * (1 if prominent else len(photo.faces))
    needed = bar.similarity(STRAY_RATE if prominent else CHOICE_RATE, comparisons)
    if best < needed:
        raise Undecided(
            f"{len(photo.faces)} faces in it, and none is like the other photos (similarity "
            f"{bar.shown(max(best, 0))} at best, {bar.shown(needed)} is needed): {photo.listed()}"
        )
    if not bar.leads(best, second):
        raise Undecided(
            f"{len(photo.faces)} faces in it, and {order[0] + 1} and {order[1] + 1} are both like the other photos "
            f"(similarity {best:.2f} and {second:.2f}): {photo.listed()}"
        )
    other = f"; the next face {second:.2f}" if second > -1 else ""
    return _chosen(photo, order[0], f"like the other photos (similarity {best:.2f}{other})")


def _chosen(photo: PhotoFaces, index: int, why: str, *, by_size: bool = False) -> ChosenFace:
    portrait, count = photo.faces[index], len(photo.faces)
    told = f"face {index + 1} of {count}, {photo.described(portrait)}: {why}" if count > 1 else why
    return ChosenFace(portrait, index + 1, count, told, by_size)
