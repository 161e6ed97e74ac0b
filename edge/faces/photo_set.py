"""The photos of one person, decided together: which face of each is theirs, and which photos show somebody else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.config.faces import QualitySettings
from edge.faces.face_choice import ChosenFace, largest_face, most_like, only_face, picked_face
from edge.faces.likeness import CHOICE_RATE, STRAY_RATE, LikenessBar, main_group
from edge.faces.photo_faces import PhotoFaces, Refusal, Undecided, check_usable
from edge.records import Vector


@dataclass(frozen=True, slots=True, eq=False)
class EnrolmentPhoto:
    """One photo to enrol."""

    faces: PhotoFaces
    number: int | None = None
    """The face that the user picked, from 1; None: it is chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoDecision:
    """What becomes of a photo."""

    chosen: ChosenFace | None
    """The face to enrol, unless it is set aside; None: the photo is refused."""
    reason: str = ""
    """Why no template is made of it, and what to do; empty: one is."""
    set_aside: bool = False
    """The face is good, but unlike the person's other photos."""


def decide(
    photos: Sequence[EnrolmentPhoto],
    known: Sequence[Vector],
    bar: LikenessBar,
    limits: QualitySettings,
    how_to_pick: str,
    others: Sequence[Vector] = (),
) -> list[PhotoDecision]:
    """Decide about one person's photos, in their order. `known` are the person's templates so far, `others` those of
    other people.

    Faces alone in their photo are compared with each other and with `known`; the others are chosen by likeness to
    those that agree. Where there is nothing to compare with, a face must be by far the largest of its photo, and like
    nobody else.
    `how_to_pick` says in which way the user can pick a face.
    """
    chosen: list[ChosenFace | Refusal | None] = [_certain(photo, limits) for photo in photos]
    if not known and not any(isinstance(one, ChosenFace) for one in chosen):
        chosen = [one or _by_size(photo.faces, others, bar, limits) for one, photo in zip(chosen, photos, strict=True)]
    agreeing, references = _agreeing(photos, chosen, known, bar)
    decisions = []
    for photo, one, agrees in zip(photos, chosen, agreeing, strict=True):
        if one is None or (isinstance(one, ChosenFace) and one.by_size and not agrees):
            found = _by_likeness(photo.faces, references, bar, limits)
            decisions.append(_decision(found, True, references, bar, how_to_pick))
        else:
            decisions.append(_decision(one, agrees, references, bar, how_to_pick))
    return decisions


def _certain(photo: EnrolmentPhoto, limits: QualitySettings) -> ChosenFace | Refusal | None:
    """The face that needs no choice, or why it cannot be used; None: there are several."""
    try:
        found = picked_face(photo.faces, photo.number) if photo.number is not None else only_face(photo.faces)
        return _usable(found, limits) if found else None
    except Refusal as refusal:
        return refusal


def _by_size(
    faces: PhotoFaces, others: Sequence[Vector], bar: LikenessBar, limits: QualitySettings
) -> ChosenFace | Refusal | None:
    found = largest_face(faces)
    try:
        if found is None or not others:
            return _usable(found, limits) if found else None
        likeness = float((np.stack(others) @ _usable(found, limits).vector).max())
    except Refusal as refusal:
        return refusal
    if likeness < bar.similarity(CHOICE_RATE, len(others)):
        return found
    return Undecided(
        f"{len(faces.faces)} faces in it, and the largest is like somebody else in the gallery (similarity "
        f"{likeness:.2f}): {faces.listed()}"
    )


def _by_likeness(
    faces: PhotoFaces, references: Sequence[Vector], bar: LikenessBar, limits: QualitySettings
) -> ChosenFace | Refusal:
    if not references:
        return Undecided(f"{len(faces.faces)} faces in it, none by far the largest and central: {faces.listed()}")
    try:
        return _usable(most_like(faces, references, bar), limits)
    except Refusal as refusal:
        return refusal


def _usable(found: ChosenFace, limits: QualitySettings) -> ChosenFace:
    check_usable(found.portrait, limits)
    return found


def _agreeing(
    photos: Sequence[EnrolmentPhoto],
    chosen: Sequence[ChosenFace | Refusal | None],
    known: Sequence[Vector],
    bar: LikenessBar,
) -> tuple[list[bool], list[Vector]]:
    """Whether each photo's face belongs to the person's main group, and that group's vectors. A picked face does."""
    picked = [i for i, photo in enumerate(photos) if photo.number is not None]
    free = [i for i, photo in enumerate(photos) if photo.number is None]
    faces = {
        i: one.portrait.embedding
        for i, one in enumerate(chosen)
        if isinstance(one, ChosenFace) and one.portrait.embedding is not None
    }
    order = [i for i in (*picked, *free) if i in faces]
    vectors = [*known, *(faces[i] for i in order)]
    anchors = len(known) + sum(i in faces for i in picked)
    belongs = main_group(vectors, anchors, bar)
    agrees = dict(zip(order, belongs[len(known) :], strict=True))
    return [bool(agrees.get(i, True)) for i in range(len(photos))], [
        vector for vector, member in zip(vectors, belongs, strict=True) if member
    ]


def _decision(
    one: ChosenFace | Refusal, agrees: bool, references: Sequence[Vector], bar: LikenessBar, how_to_pick: str
) -> PhotoDecision:
    if isinstance(one, Undecided):
        return PhotoDecision(None, f"{one}; {how_to_pick}, or crop the photo")
    if isinstance(one, Refusal):
        return PhotoDecision(None, str(one))
    vector = one.portrait.embedding
    if agrees or vector is None:
        return PhotoDecision(one)
    best = float((np.stack(references) @ vector).max())
    needed = bar.similarity(STRAY_RATE, len(references))
    reason = (
        f"unlike the person's other photos: similarity {bar.shown(best)} at best, {bar.shown(needed)} is needed; "
        f"it probably shows somebody else; if not, {how_to_pick}"
    )
    return PhotoDecision(one, reason, set_aside=True)
