"""The results of `whosthere gallery`: as structs for JSON, and as text."""

from pathlib import Path

import msgspec

from edge.config.visits import MatchSettings
from edge.faces.enrolment import outliers, resemblances
from edge.galleries.coverage import Coverage, coverage
from edge.galleries.gallery import EmbedderId, Gallery, Person, Template
from edge.models.card import Card
from edge.models.measure import Measure, measure_of
from edge.models.similarity import same_person
from edge.people.enroll_result import Likeness
from edge.people.enrolling import likeness
from edge.terminal import echo, path_text, plural, table, warn
from edge.visits.infrared_scale import infrared_scale
from edge.visits.lookalikes import LookAlikes, MatchRule, look_alikes, pair_in_words
from edge.visits.thresholds import Threshold, name_margin, naming_scale, similarity_scale


class PersonLine(msgspec.Struct, frozen=True):
    """One person of `gallery list`."""

    id: str
    name: str
    templates: int
    first_added_at: str
    last_added_at: str


class GalleryListing(msgspec.Struct, frozen=True):
    """`gallery list --json`."""

    gallery: str
    schema_version: int
    version: int
    created_at: str
    embedder: EmbedderId
    people: list[PersonLine]


class PersonDetail(msgspec.Struct, frozen=True):
    """`gallery show --json`."""

    id: str
    name: str
    templates: list[Template]
    nearest: Likeness | None
    """The other person who looks most like this one; None when there is nobody else."""
    threshold: float
    coverage: Coverage
    """Which views of the person the templates show."""
    room: float | None
    """How much the similarity to that person is below the threshold; negative: above."""


class VerifyReport(msgspec.Struct, frozen=True):
    """`gallery verify --json`."""

    gallery: str
    ok: bool
    error: str | None = None
    version: int | None = None
    people: int | None = None
    templates: int | None = None
    embedder: EmbedderId | None = None
    threshold: float | None = None
    false_alarm_target: float | None = None
    """None: config.yaml sets the threshold itself."""
    target_met: bool | None = None
    """False: the target is rarer than the calibration can show, so the strictest measured threshold is used."""
    min_margin: float | None = None
    """By how much the most similar person must lead the second, as in match.min_margin."""
    lookalikes: list[LookAlikes] = []
    """Who cannot be told apart, or hardly, most similar first."""
    outliers: list[Likeness] = []


def listing(path: Path, gallery: Gallery) -> GalleryListing:
    header = gallery.header
    people = [_line(person) for person in gallery.people]
    shown = path_text(path)
    return GalleryListing(shown, header.schema_version, header.version, header.created_at, header.embedder, people)


def _line(person: Person) -> PersonLine:
    added = sorted(template.added_at for template in person.templates)
    return PersonLine(person.id, person.name, len(person.templates), added[0], added[-1])


def listing_text(path: Path, gallery: Gallery) -> str:
    report = listing(path, gallery)
    rows = [
        (p.name, p.id, str(p.templates), p.first_added_at[:10], p.last_added_at[:10])
        for p in sorted(report.people, key=lambda p: p.name.casefold())
    ]
    people = table(("person", "id", "templates", "first added", "last added"), rows, frozenset({2}))
    total = f"{plural(len(rows), 'person', 'people')}, {plural(len(gallery.embeddings), 'template')}"
    origin = f"version {report.version} of {report.created_at}, made with {report.embedder.name}"
    return "\n".join([*([people, ""] if rows else []), f"{report.gallery}: {total}; {origin}"])


def detail(gallery: Gallery, person: Person, threshold: float, measure: Measure) -> PersonDetail:
    near = resemblances(gallery, person, -1.0, measure)
    nearest = likeness(near[0]) if near else None
    room = threshold - nearest.similarity if nearest else None
    shown = coverage(person.templates)
    return PersonDetail(person.id, person.name, person.templates, nearest, threshold, shown, room)


def detail_text(report: PersonDetail) -> str:
    rows = [(t.source, f"{t.quality:.2f}", t.added_at, "infrared" if t.infrared else "") for t in report.templates]
    columns = 4 if any(t.infrared for t in report.templates) else 3
    headings = ("template", "quality", "added", "light")
    templates = table(headings[:columns], [row[:columns] for row in rows], frozenset({1}))
    title = f"{report.name} ({report.id}), {plural(len(rows), 'template')}"
    views = f"Photos: {report.coverage.in_words()}"
    return "\n".join([title, "", templates, "", views, _nearest_text(report)])


def _nearest_text(report: PersonDetail) -> str:
    near, room = report.nearest, report.room
    if near is None or room is None:
        return "Nobody else is in the gallery."
    who = f"Looks most like {near.person_name}: {near.similarity:.2f} ({near.photo} and their {near.other})"
    if room > 0:
        return f"{who}; a name needs {report.threshold:.2f}, which leaves {room:.2f}."
    return f"{who}; a name needs only {report.threshold:.2f}: visits of either may come out as `uncertain`."


def refused(path: Path, error: str) -> VerifyReport:
    return VerifyReport(path_text(path), ok=False, error=error)


def verified(
    path: Path,
    gallery: Gallery,
    threshold: Threshold,
    match: MatchSettings,
    card: Card,
) -> VerifyReport:
    infrared = infrared_scale(card.naming_infrared_calibration, card.naming_calibration)
    margin = name_margin(match, naming_scale(match, card))
    rule = MatchRule(threshold.similarity, margin, card.naming_calibration, infrared, measure_of(card))
    same = same_person(similarity_scale(match, card))
    return VerifyReport(
        path_text(path),
        ok=True,
        version=gallery.header.version,
        people=len(gallery.people),
        templates=len(gallery.embeddings),
        embedder=gallery.header.embedder,
        threshold=threshold.similarity,
        false_alarm_target=match.false_alarm_target if threshold.calibrated else None,
        target_met=threshold.within_data if threshold.calibrated else None,
        min_margin=match.min_margin,
        lookalikes=look_alikes(gallery, rule),
        outliers=[likeness(odd) for person in gallery.people for odd in outliers(gallery, person, same)],
    )


def show_verified(report: VerifyReport) -> None:
    """Print it."""
    people = plural(report.people or 0, "person", "people")
    templates = plural(report.templates or 0, "template")
    embedder = report.embedder.name if report.embedder else "?"
    echo(f"{report.gallery} is in order: version {report.version}, {people}, {templates}, made with {embedder}")
    echo(f"Threshold in force: {report.threshold:.3f}, {_why(report)}")
    if not report.people:
        warn("Nobody is in it, so every visitor will be `unknown`.")
    for pair in report.lookalikes:
        warn(pair_in_words(pair, report.min_margin or 0.0))
        for advice in pair.advice:
            echo(f"  What would help: {advice}.")
    for odd in report.outliers:
        warn(
            f"{odd.person_name}: {odd.photo} looks unlike their other templates ({odd.similarity:.2f} at best); check "
            "who is in it"
        )


def _why(report: VerifyReport) -> str:
    if report.false_alarm_target is None:
        return "as match.threshold in config.yaml sets it"
    target = f"for at most {report.false_alarm_target:.2%} of strangers to be called by a name"
    if report.target_met:
        return target
    return f"the strictest that was measured; {target}, it would have to be higher"
