"""The faces of one photo, numbered from left to right, and what makes a photo useless for enrolment."""

from dataclasses import dataclass

import numpy as np

from edge.config.faces import QualitySettings
from edge.errors import WhosthereError
from edge.faces.advice import explain
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.still_image import all_portraits
from edge.records import Box, Image, Problem

ON_ITS_SIDE_DEG = 60.0
UPSIDE_DOWN_LEAD = 0.1
"""By how much the detector must prefer the photo turned round: some upright faces score equally both ways."""
UPSIDE_DOWN_SCORE = 0.75
"""The least score of the photo turned round: half a face may be found only that way."""
RIVAL = 0.5
"""A profile or a covered face this large, as a fraction of the largest face, may be the person."""


class Refusal(WhosthereError):
    """A picture must not become a template. The message says why and what to do, without the file's name."""


class Undecided(Refusal):
    """Nobody can say which of a photo's faces is the person. The message lists them, without what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoFaces:
    """The faces of one photo that may be the person's, at least one; face N is the N-th, from left to right."""

    faces: tuple[AnalysedFace, ...]
    width: int
    """Pixels of the photo."""
    height: int

    def listed(self) -> str:
        """The number, size and place of every face, in words."""
        return "; ".join(f"{i}: {self.described(face)}" for i, face in enumerate(self.faces, 1))

    def described(self, face: AnalysedFace) -> str:
        """The size and place of one of the faces, in words."""
        box = face.face.box
        return f"{box.width:.0f} px wide, {self._place(box)}"

    def _place(self, box: Box) -> str:
        x, y = box.centre
        across = ("left", "centre", "right")[min(2, max(0, int(3 * x / self.width)))]
        down = ("top", "", "bottom")[min(2, max(0, int(3 * y / self.height)))]
        return f"at the {down} {across}" if down else f"at the {across}"


def read_faces(analyser: Analyser, image: Image) -> PhotoFaces:
    """Find the faces of a BGR photo; the usable ones are embedded. Raises Refusal when there is none to choose from."""
    portraits = all_portraits(analyser.for_enrolment(), image)
    if _upside_down(analyser, image, portraits):
        raise Refusal("the photo is upside down; turn it upright")
    if not portraits:
        raise Refusal("no face found; take a photo that shows the whole face from the front")
    return faces_of(portraits, image)


def faces_of(portraits: list[AnalysedFace], image: Image) -> PhotoFaces:
    """Those of a picture's faces that may be the person's, of at least one.

    What is hardly a face counts only when it is large beside the others, or there are no others: it may be the person,
    seen from the side.
    """
    certain = [p for p in portraits if p.quality.problem is not Problem.NOT_A_FACE] or portraits[:1]
    largest = max(p.face.box.short_side for p in certain)
    faces = [p for p in portraits if p in certain or p.face.box.short_side >= RIVAL * largest]
    height, width = image.shape[:2]
    return PhotoFaces(tuple(sorted(faces, key=lambda p: p.face.box.centre)), width, height)


def _upside_down(analyser: Analyser, image: Image, portraits: list[AnalysedFace]) -> bool:
    """Whether the picture shows a face upside down.

    The landmark network takes upside-down faces for upright ones, and their embeddings are meaningless.
    """
    turned = analyser.detector.detect(np.ascontiguousarray(image[::-1, ::-1]))
    upright = max((p.face.score for p in portraits), default=0.0)
    best = max((face.score for face in turned), default=0.0)
    return best > max(upright + UPSIDE_DOWN_LEAD, UPSIDE_DOWN_SCORE)


def check_usable(portrait: AnalysedFace, limits: QualitySettings) -> None:
    """Raise Refusal when the face cannot become a template, by the limits of enrolment."""
    if not portrait.quality.usable:
        raise Refusal(explain(portrait.quality, limits))
    if abs(portrait.quality.pose.roll) > ON_ITS_SIDE_DEG:
        raise Refusal("the photo lies on its side; turn it upright")
