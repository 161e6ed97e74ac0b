"""Enrolment into the box's gallery, whatever the pictures come from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from msgspec.structs import replace

from edge.config.loading import LoadedConfig
from edge.errors import GalleryError
from edge.faces.analyser import Analyser
from edge.faces.enrolment import Intake, Oddity, outliers, resemblances
from edge.faces.likeness import LikenessBar
from edge.faces.loading import load_configured_analyser
from edge.galleries import names
from edge.galleries.changes import change_between
from edge.galleries.coverage import coverage
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery, end_of, timestamp
from edge.galleries.lock import gallery_lock
from edge.models.measure import measure_of
from edge.models.similarity import same_person
from edge.people.editing import made_consent, signing_key, write_change
from edge.people.enroll_result import EnrollReport, Likeness, PhotoReport
from edge.terminal import path_text
from edge.visits.thresholds import lookalike_threshold, similarity_scale

Taken = tuple[list[PhotoReport], str | None]
"""The outcome of each picture, and why there are too few; None: there are enough."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms somebody is known."""

    until: date
    """The last day."""
    guest: bool
    """Somebody new, who looks like nobody else here; the box deletes them after the last day."""


def enroll_into(
    path: Path,
    person: str,
    take: Callable[[Analyser, Intake, str], Taken],
    loaded: LoadedConfig,
    *,
    dry_run: bool,
    terms: Terms | None = None,
) -> EnrollReport:
    """Add what `take` puts into its Intake to the gallery at `path`, at the time that it is given.

    A guest who can be mistaken for somebody is not added. Raises GalleryError and ModelError; then the gallery is as it
    was.
    """
    signing_key(loaded)
    with gallery_lock(path):
        analyser = load_configured_analyser(loaded)
        bar = LikenessBar(similarity_scale(loaded.config.match, analyser.embedder.card))
        at = timestamp()
        known = _known(path, analyser, loaded)
        intake = Intake(known, person, bar)
        if terms is not None and terms.guest and (intake.person or known.similar(person)):
            raise GalleryError(f"{path}: found {person!r} in it already; a guest is somebody new")
        taken, shortfall = take(analyser, intake, at)
        gallery = intake.result(at)
        if terms is not None and gallery is not known:
            gallery = _on_terms(gallery, person, terms)
        if terms is not None and terms.guest and _is_mistakable(gallery, person, loaded, analyser):
            shortfall = "a guest may not look like somebody who is in the gallery"
        written = gallery is not known and not dry_run and (shortfall is None or terms is None or not terms.guest)
        if written:
            write_change(loaded, path, change_between("enrolled", known, gallery), gallery)
    return _report(path, gallery, intake, taken, shortfall, loaded, analyser, dry_run=dry_run, written=written)


def _on_terms(gallery: Gallery, name: str, terms: Terms) -> Gallery:
    """The same version, in which somebody is known until a day."""
    today = datetime.now(UTC).date()
    agreed = made_consent(name, today, "recognition at this box", terms.until)
    people = [
        replace(one, consent=agreed, expires_at=end_of(terms.until), guest=terms.guest)
        if one.name == names.tidy(name)
        else one
        for one in gallery.people
    ]
    return Gallery(replace(gallery.header, people=people), gallery.embeddings)


def _is_mistakable(gallery: Gallery, name: str, loaded: LoadedConfig, analyser: Analyser) -> bool:
    person = gallery.named(name)
    threshold = lookalike_threshold(loaded.config.match, analyser.embedder.card, len(gallery.embeddings))
    return person is not None and bool(resemblances(gallery, person, threshold, measure_of(analyser.embedder.card)))


def _known(path: Path, analyser: Analyser, loaded: LoadedConfig) -> Gallery:
    """The gallery to add to; an empty one when there is none yet. Raises GalleryError."""
    if path.exists():
        return open_gallery(path, analyser.embedder.id, loaded.gallery_keys, analyser.embedder.dimensions)
    return Gallery.empty(analyser.embedder.id, analyser.embedder.dimensions)


def _report(
    path: Path,
    gallery: Gallery,
    intake: Intake,
    taken: list[PhotoReport],
    shortfall: str | None,
    loaded: LoadedConfig,
    analyser: Analyser,
    *,
    dry_run: bool,
    written: bool,
) -> EnrollReport:
    threshold = lookalike_threshold(loaded.config.match, analyser.embedder.card, len(gallery.embeddings))
    same, measure = same_person(intake.bar.calibration), measure_of(analyser.embedder.card)
    person = gallery.named(intake.name)
    return EnrollReport(
        gallery=path_text(path),
        version=gallery.header.version,
        written=written,
        dry_run=dry_run,
        person_id=person.id if person else gallery.new_id(intake.name),
        person_name=person.name if person else intake.name,
        new_person=intake.person is None,
        similar_names=[f"{p.name} ({p.id})" for p in gallery.similar(intake.name) if p is not person]
        if intake.person is None
        else [],
        templates=len(person.templates) if person else 0,
        photos=taken,
        shortfall=shortfall,
        threshold=threshold,
        same_person_threshold=same,
        outliers=[likeness(o) for o in outliers(gallery, person, same)] if person else [],
        lookalikes=[likeness(o) for o in resemblances(gallery, person, threshold, measure)] if person else [],
        coverage=coverage(person.templates if person else []),
    )


def likeness(oddity: Oddity) -> Likeness:
    return Likeness(oddity.source, oddity.person.id, oddity.person.name, oddity.nearest, oddity.similarity)
