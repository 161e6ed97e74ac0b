"""A camera or a video -> photos of one person that are good, varied and surely of one person."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from converter.person_pictures import LONG_AGO, thumbnail
from converter.template_selection import Fate, PictureVerdict, Shot, cover
from edge.faces.advice import SPOKEN
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.likeness import LikenessBar, main_group
from edge.models.similarity import NEAR_COPY
from edge.records import Image

AROUND = 2.5
"""How many times the face's box a photo is wide, so that faces are found in it again."""
MOST_KEPT = 240
"""Beyond that, the half that covers pose and light best is kept: a long video must fit in memory."""


@dataclass(frozen=True, slots=True, eq=False)
class GoodPhoto:
    """A good face, and the picture around it."""

    shot: Shot
    picture: Image


@dataclass(slots=True)
class Collected:
    """What came of the frames."""

    frames: int = 0
    photos: list[GoodPhoto] = field(default_factory=list)
    """Those that were chosen, in the order of the frames."""
    verdicts: list[PictureVerdict] = field(default_factory=list)
    """On every good face."""
    refused: Counter[str] = field(default_factory=Counter)
    """Why frames could not be used."""


def collect(frames: Iterable[tuple[float, Image]], analyser: Analyser, bar: LikenessBar, count: int) -> Collected:
    """Choose `count` photos at most from frames (seconds, BGR picture): good, and as different as possible.

    A frame must show one face, which must be good enough for a template. Faces that are unlike most of the others are
    left out: somebody else may have walked by.
    """
    found, kept, strict = Collected(), list[GoodPhoto](), analyser.for_enrolment()
    for at_s, image in frames:
        found.frames += 1
        taken = _candidate(at_s, image, strict, found.refused)
        if taken is not None:
            kept.append(taken)
        if len(kept) > MOST_KEPT:
            kept = _covering(kept, MOST_KEPT // 2)
    ours = main_group([one.shot.vector for one in kept], 0, bar)
    own = [one for one, belongs in zip(kept, ours, strict=True) if belongs]
    found.photos = _covering(_distinct(own, bar.alike(NEAR_COPY)), count)
    chosen = {id(one) for one in found.photos}
    found.verdicts = [
        _verdict(one, chosen=id(one) in chosen, own=bool(belongs)) for one, belongs in zip(kept, ours, strict=True)
    ]
    return found


def _candidate(at_s: float, image: Image, analyser: Analyser, refused: Counter[str]) -> GoodPhoto | None:
    faces = analyser.portraits(image)
    good = [face for face in faces if face.quality.usable]
    if len(good) != 1:
        problems = [face.quality.problem for face in faces if face.quality.problem is not None]
        why = SPOKEN[problems[0]] if problems else "nobody is in view"
        refused["several faces are in view" if len(good) > 1 else why] += 1
        return None
    (face,) = good
    if face.embedding is None:
        return None
    shot = Shot(f"{at_s:.1f} s", face.embedding, face.quality, thumbnail(face.crop), LONG_AGO, infrared=face.infrared)
    return GoodPhoto(shot, _around(image, face))


def _around(image: Image, face: AnalysedFace) -> Image:
    """The square around a face, as much of it as there is."""
    (x, y), half = face.face.box.centre, max(face.face.box.width, face.face.box.height) * AROUND / 2
    height, width = image.shape[:2]
    top, left = max(0, round(y - half)), max(0, round(x - half))
    return np.ascontiguousarray(image[top : min(height, round(y + half)), left : min(width, round(x + half))])


def _covering(candidates: list[GoodPhoto], count: int) -> list[GoodPhoto]:
    chosen = {id(shot) for shot in cover([one.shot for one in candidates], count)}
    return [one for one in candidates if id(one.shot) in chosen]


def _distinct(candidates: list[GoodPhoto], near_copy: float) -> list[GoodPhoto]:
    """Without near-copies in the same pose, of which the best one stays; in the order given."""
    kept: list[GoodPhoto] = []
    for one in sorted(candidates, key=lambda c: -c.shot.quality.score):
        if not any(float(one.shot.vector @ other.shot.vector) >= near_copy for other in kept):
            kept.append(one)
    return [one for one in candidates if any(one is other for other in kept)]


def _verdict(one: GoodPhoto, *, chosen: bool, own: bool) -> PictureVerdict:
    fate = Fate.IN if chosen else Fate.SURPLUS if own else Fate.SET_ASIDE
    reason = "" if chosen else "others cover pose and light better" if own else "unlike most of the others"
    return PictureVerdict(one.shot.source, fate, reason, one.shot.thumbnail, one.shot.quality.score)
