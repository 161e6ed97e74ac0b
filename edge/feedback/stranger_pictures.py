"""The pictures of a stranger as templates, for `whosthere strangers name`."""

from collections.abc import Callable, Sequence
from pathlib import Path

from edge.capture.photos import decode
from edge.config.loading import LoadedConfig
from edge.faces.analyser import Analyser
from edge.faces.enrolment import Intake
from edge.faces.photo_faces import PhotoFaces, Refusal, read_faces
from edge.feedback.kept_strangers import discard_strangers, one_stranger, opened_strangers
from edge.models.similarity import TOO_ALIKE
from edge.people.enroll_result import EnrollReport, PhotoOutcome, PhotoReport
from edge.people.enrolling import Taken, enroll_into
from edge.people.photo_intake import decide_all, enter
from edge.visits.strangers_layout import StrangerVisitRow


def name_stranger(loaded: LoadedConfig, number: int, person: str, path: Path, *, dry_run: bool = False) -> EnrollReport:
    """Enrol a stranger with their good pictures, and forget them as one if any is in. Raises WhosthereError."""
    with opened_strangers(loaded) as file:
        visits = one_stranger(number, file)
    report = enroll_into(path, person, take_pictures(f"stranger-{number}", visits), loaded, dry_run=dry_run)
    if report.written:
        discard_strangers(loaded, [number])
    return report


def take_pictures(stranger: str, visits: Sequence[StrangerVisitRow]) -> Callable[[Analyser, Intake, str], Taken]:
    """Take the pictures of a stranger as `enroll_into` wants it, the best first.

    The same is refused and set aside as among photos, so that nobody whose visit was taken for the stranger's is
    enrolled. A picture that is nearly the same as a better one, or as a template of the person, is left out.
    """
    pictures = [
        (f"{stranger}-{visit.visit}-{place}.jpg", picture)
        for visit in visits
        for place, picture in enumerate(visit.unpacked, 1)
    ]
    pictures.sort(key=lambda named: -named[1].quality)

    def take(analyser: Analyser, intake: Intake, at: str) -> Taken:
        read = [_read(picture.jpeg, analyser) for _, picture in pictures]
        decisions = decide_all(read, None, analyser, intake)
        too_alike = intake.bar.alike(TOO_ALIKE)
        reports = []
        for (source, _), faces, decision in zip(pictures, read, decisions, strict=True):
            usable = decision is not None and decision.chosen is not None and not decision.set_aside
            likeness = intake.similarity(decision.chosen.vector) if usable and decision and decision.chosen else None
            if likeness is not None and likeness >= too_alike:
                reason = f"nearly the same as one that is in (similarity {likeness:.2f})"
                reports.append(PhotoReport(source, PhotoOutcome.ALREADY_IN, reason=reason))
                continue
            reports.append(enter(source, source, faces, decision, intake, at))
        return reports, None

    return take


def _read(jpeg: bytes, analyser: Analyser) -> PhotoFaces | str:
    """The faces of a picture, or why it cannot be used."""
    image = decode(jpeg)
    if image is None:
        return "it is damaged"
    try:
        return read_faces(analyser, image)
    except Refusal as error:
        return str(error)
