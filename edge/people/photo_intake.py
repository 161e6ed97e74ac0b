"""Photos of one person: which face in each is theirs, and what goes in."""

from collections.abc import Sequence

from edge.faces.analyser import Analyser
from edge.faces.enrolment import Intake
from edge.faces.photo_faces import PhotoFaces
from edge.faces.photo_set import EnrolmentPhoto, PhotoDecision, decide
from edge.people.enroll_result import PhotoOutcome, PhotoReport

HOW_TO_PICK = "give this photo alone, with --face and the number of the right face from the left"


def decide_all(
    read: Sequence[PhotoFaces | str], picked: int | None, analyser: Analyser, intake: Intake
) -> list[PhotoDecision | None]:
    """Decide about all photos of a person together; None for one that could not be read."""
    photos = [EnrolmentPhoto(faces, picked) for faces in read if isinstance(faces, PhotoFaces)]
    others = [vector for _, vector in intake.others]
    decisions = iter(decide(photos, intake.known, intake.bar, analyser.for_enrolment().limits, HOW_TO_PICK, others))
    return [next(decisions) if isinstance(faces, PhotoFaces) else None for faces in read]


def enter(
    shown: str,
    source: str,
    faces: PhotoFaces | str,
    decision: PhotoDecision | None,
    intake: Intake,
    at: str,
) -> PhotoReport:
    """Put the face that was decided on into the intake, and report on the photo."""
    if decision is None or isinstance(faces, str):
        return PhotoReport(shown, PhotoOutcome.REFUSED, reason=str(faces))
    count, chosen = len(faces.faces), decision.chosen
    if chosen is None or decision.set_aside:
        result = PhotoOutcome.SET_ASIDE if decision.set_aside else PhotoOutcome.REFUSED
        reason = decision.reason + (intake.likeness_to_others(chosen.vector) if chosen else "")
        return PhotoReport(shown, result, reason=reason, faces=count)
    vector = chosen.vector
    if twin := intake.same_picture(vector):
        return PhotoReport(shown, PhotoOutcome.ALREADY_IN, reason=f"the same picture as {twin}", faces=count)
    similarity = intake.similarity(vector)
    intake.add(source, chosen.portrait, at)
    return PhotoReport(
        shown,
        PhotoOutcome.ENROLLED,
        quality=chosen.portrait.quality.score,
        similarity=similarity,
        faces=count,
        face=chosen.number,
        choice=chosen.why or None,
        by_size=chosen.by_size,
    )
