"""The result of `whosthere enroll`: as text, as JSON, and as an exit code."""

from enum import StrEnum

import msgspec

from edge.errors import GalleryError, WhosthereError
from edge.faces.enrolment import Oddity
from edge.galleries.coverage import Coverage
from edge.inspection.service import is_active
from edge.terminal import echo, plural, print_json, safe, warn
from edge.visits.lookalikes import SURELY_THE_SAME

RELOADED = "The daemon loads it within a second."


class PhotoOutcome(StrEnum):
    """What happened to one photo."""

    ENROLLED = "enrolled"
    ALREADY_IN = "already_in"
    REFUSED = "refused"
    SET_ASIDE = "set_aside"
    """Its face is good, but unlike the person's other photos."""


class PhotoReport(msgspec.Struct, frozen=True):
    """One photo, or one portrait from the camera."""

    photo: str
    result: PhotoOutcome
    reason: str | None = None
    """Why it was not enrolled; None: it was."""
    quality: float | None = None
    similarity: float | None = None
    """The similarity to the person's nearest other template; None for the first."""
    faces: int | None = None
    """How many faces the photo has that may be the person's; None: it could not be read, or has none."""
    face: int | None = None
    """Which of them was enrolled, from 1, from left to right."""
    choice: str | None = None
    """Why that one, in words; None: it is the only one."""
    by_size: bool = False
    """It was chosen only because it is the largest: somebody should look whether it is the person."""


class Likeness(msgspec.Struct, frozen=True):
    """Two templates that are less, or more, alike than they should be."""

    photo: str
    person_id: str
    person_name: str
    """Whose the other template is."""
    other: str
    similarity: float


class EnrollReport(msgspec.Struct, frozen=True):
    """`whosthere enroll --json`."""

    gallery: str
    version: int
    written: bool
    dry_run: bool
    person_id: str
    person_name: str
    new_person: bool
    similar_names: list[str]
    """Other people, as NAME (ID), whose names differ from a new person's only in case, accents or signs."""
    templates: int
    """How many the person has now."""
    photos: list[PhotoReport]
    shortfall: str | None
    """With --camera: why there are fewer portraits than requested."""
    threshold: float
    """The similarity that a name needs; two people with more than that look alike."""
    same_person_threshold: float
    outliers: list[Likeness]
    """Templates of this person that are unlike all their others."""
    lookalikes: list[Likeness]
    """Templates of this person that are like somebody else's."""
    coverage: Coverage
    """Which views of the person all their templates show."""

    def count(self, result: PhotoOutcome) -> int:
        return sum(photo.result is result for photo in self.photos)


def likeness(oddity: Oddity) -> Likeness:
    return Likeness(oddity.source, oddity.person.id, oddity.person.name, oddity.nearest, oddity.similarity)


def show(report: EnrollReport, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print_json(report)
        return
    for photo in report.photos:
        _show_photo(photo, "would be enrolled" if report.dry_run else "enrolled")
    echo(_summary(report))
    if report.templates:
        echo(f"Photos of {report.person_name}: {report.coverage.in_words()}")
    if report.similar_names:
        warn(
            f"{report.person_name} is not {' or '.join(report.similar_names)}, whose name is similar; to add photos to "
            "somebody, give their exact name"
        )
    for odd in report.outliers:
        warn(
            f"{odd.photo}: looks unlike the other photos of {report.person_name} (similarity {odd.similarity:.2f} at "
            f"best, usually at least {report.same_person_threshold:.2f}); check who is in it"
        )
    for like in report.lookalikes:
        warn(_alike(like, report))
    if report.written and is_active():
        echo(RELOADED)


def _show_photo(photo: PhotoReport, enrolled: str) -> None:
    name = safe(photo.photo)
    if photo.result is PhotoOutcome.ENROLLED:
        line = f"{name}: {enrolled}, quality {photo.quality:.2f}"
        if photo.by_size:
            warn(f"{line}; {photo.choice}; no other photo to compare it with: check that it is the right face")
        else:
            echo(f"{line}; {photo.choice}" if photo.choice else line)
    elif photo.result is PhotoOutcome.ALREADY_IN:
        echo(f"{name}: skipped: {photo.reason}")
    else:
        warn(f"{name}: {photo.result.value.replace('_', ' ')}: {photo.reason}")


def _summary(report: EnrollReport) -> str:
    added = report.count(PhotoOutcome.ENROLLED)
    who = f"{report.person_name} ({report.person_id})"
    if not added:
        return f"{who}: nothing added; {report.gallery} is unchanged"
    if report.new_person:
        what = f"{who}: new, with {plural(added, 'template')}"
    else:
        what = f"{who}: {plural(added, 'new template')}, {report.templates} in all"
    if report.dry_run:
        return f"{what}; dry run: nothing was written"
    return f"{what}; {report.gallery} is now version {report.version}"


def _alike(like: Likeness, report: EnrollReport) -> str:
    who = f"{like.photo}: looks like {like.person_name} in {like.other} (similarity {like.similarity:.2f}"
    if like.similarity >= SURELY_THE_SAME:
        return f"{who}): the same picture, or one person under two names; `whosthere gallery remove` one of them"
    return (
        f"{who}, a name needs {report.threshold:.2f}): visits of either may come out as `uncertain`; "
        "more photos of both help, unless they are twins"
    )


def conclude(report: EnrollReport) -> None:
    """Raises GalleryError when none went in, WhosthereError when some were refused or are missing."""
    refused, aside, total = report.count(PhotoOutcome.REFUSED), report.count(PhotoOutcome.SET_ASIDE), len(report.photos)
    fine = total - refused - aside
    if report.shortfall:
        trouble = report.shortfall
    elif refused or aside:
        photos = f"of {plural(total, 'photo')}"
        also = f" and {aside} set aside" if aside else ""
        left_out = f"{refused} {photos} refused{also}" if refused else f"{aside} {photos} set aside"
        trouble = f"{left_out}, {fine} {'is' if fine == 1 else 'are'} in"
    else:
        return
    raise (WhosthereError if fine else GalleryError)(f"{report.gallery}: {trouble}")
