"""What `whosthere enroll` did: as text, as JSON, and as an exit code."""

from enum import StrEnum

import click
import msgspec

from edge.errors import GalleryError, WhosthereError
from edge.faces.enrolment import Oddity
from edge.inspection.service import is_active
from edge.terminal import plural, print_json, warn

RELOADED = "The daemon loads it within a second."
SURELY_THE_SAME = 0.9
"""Two people of a few million pairs are hardly ever so similar."""


class Result(StrEnum):
    """What became of one photo."""

    ENROLLED = "enrolled"
    ALREADY_IN = "already_in"
    REFUSED = "refused"


class Intaken(msgspec.Struct, frozen=True):
    """One photo, or one portrait from the camera."""

    photo: str
    result: Result
    reason: str | None = None
    """Unless enrolled."""
    quality: float | None = None
    similarity: float | None = None
    """To the nearest template that the person had; None for the first."""


class Likeness(msgspec.Struct, frozen=True):
    """Two templates that are less or more alike than they should be."""

    photo: str
    person_id: str
    person_name: str
    """Of the other template."""
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
    templates: int
    """How many the person has now."""
    photos: list[Intaken]
    shortfall: str | None
    """With --camera: why there are fewer portraits than asked for."""
    threshold: float
    """From here on two people look alike: what a name needs."""
    same_person_threshold: float
    outliers: list[Likeness]
    """Templates of this person unlike all others of theirs."""
    lookalikes: list[Likeness]
    """Templates of this person like somebody else's."""

    def count(self, result: Result) -> int:
        return sum(photo.result is result for photo in self.photos)


def likeness(oddity: Oddity) -> Likeness:
    return Likeness(oddity.source, oddity.person.id, oddity.person.name, oddity.nearest, oddity.similarity)


def show(report: EnrollReport, *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print_json(report)
        return
    for photo in report.photos:
        _show_photo(photo, "would go in" if report.dry_run else "went in")
    click.echo(_summary(report))
    for odd in report.outliers:
        warn(
            f"{odd.photo}: looks little like the other photos of {report.person_name} (similarity "
            f"{odd.similarity:.2f} at best; {report.same_person_threshold:.2f} and more is usual): is it them?"
        )
    for like in report.lookalikes:
        warn(_alike(like, report))
    if report.written and is_active():
        click.echo(RELOADED)


def _show_photo(photo: Intaken, went_in: str) -> None:
    if photo.result is Result.ENROLLED:
        click.echo(f"{photo.photo}: {went_in}, quality {photo.quality:.2f}")
    elif photo.result is Result.ALREADY_IN:
        click.echo(f"{photo.photo}: skipped: {photo.reason}")
    else:
        warn(f"{photo.photo}: refused: {photo.reason}")


def _summary(report: EnrollReport) -> str:
    added = report.count(Result.ENROLLED)
    who = f"{report.person_name} ({report.person_id})"
    if not added:
        return f"{who}: nothing added; {report.gallery} is as it was"
    if report.new_person:
        what = f"{who}: new, with {plural(added, 'template')}"
    else:
        what = f"{who}: {plural(added, 'new template')}, {report.templates} in all"
    if report.dry_run:
        return f"{what}; nothing was written, this was a dry run"
    return f"{what}; {report.gallery} is version {report.version} now"


def _alike(like: Likeness, report: EnrollReport) -> str:
    who = f"{like.photo}: looks like {like.person_name} in {like.other} (similarity {like.similarity:.2f}"
    if like.similarity >= SURELY_THE_SAME:
        return f"{who}): that is the same picture or the same person under two names; `whosthere gallery remove` one"
    return (
        f"{who}, a name needs {report.threshold:.2f}): visits of either may come out as `uncertain`; "
        "more photos of both help, unless they are twins"
    )


def conclude(report: EnrollReport) -> None:
    """Raises GalleryError when none went in, WhosthereError when some were refused or are missing."""
    refused, total = report.count(Result.REFUSED), len(report.photos)
    fine = total - refused
    if report.shortfall:
        trouble = report.shortfall
    elif refused:
        trouble = f"{refused} of {plural(total, 'photo')} refused, {fine} {'is' if fine == 1 else 'are'} in"
    else:
        return
    raise (WhosthereError if fine else GalleryError)(f"{report.gallery}: {trouble}")
