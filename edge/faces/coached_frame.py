"""One frame of an enrolment in front of the camera: its faces, which of them is the person, and what the coach says."""

from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.coach import Advice, Coach
from edge.faces.face_choice import ChosenFace, largest_face
from edge.faces.photo_faces import faces_of
from edge.faces.still_image import each_once
from edge.records import Image


def coach_frame(coach: Coach, analyser: Analyser, image: Image, now: float) -> tuple[Advice, ChosenFace | None]:
    """The coach's advice, and which face was chosen if there were several. `analyser` has the limits of templates."""
    portraits = each_once(analyser.portraits(image))
    chosen = _prominent(portraits, image)
    return coach.update([chosen.portrait] if chosen else portraits, now), chosen


def _prominent(portraits: list[AnalysedFace], image: Image) -> ChosenFace | None:
    """The face of somebody with small faces around, such as a picture on the wall; None: there is nothing to choose."""
    if len(portraits) < 2 or len((photo := faces_of(portraits, image)).faces) < 2:
        return None
    return largest_face(photo)
