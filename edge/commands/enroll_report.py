"""The result of `whosthere enroll`: as text, as JSON, and as an exit code."""

from edge.errors import GalleryError, WhosthereError
from edge.inspection.service import is_active
from edge.models.similarity import alike
from edge.people.enroll_result import EnrollReport, Likeness, PhotoOutcome, PhotoReport
from edge.terminal import echo, plural, print_json, safe, warn
from edge.visits.lookalikes import SURELY_THE_SAME

RELOADED = "The daemon loads it within a second."


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
    if not report.written:
        return f"{who}: nothing was written"
    return f"{what}; {report.gallery} is now version {report.version}"


def _alike(like: Likeness, report: EnrollReport) -> str:
    who = f"{like.photo}: looks like {like.person_name} in {like.other} (similarity {like.similarity:.2f}"
    if like.similarity >= alike(SURELY_THE_SAME, report.same_person_threshold):
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
