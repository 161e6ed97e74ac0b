"""That was Ada: a visit becomes a template, if it is good, new and like the photos."""

from dataclasses import dataclass, replace

import numpy as np

from edge.config.faces import enrolment_limits
from edge.config.loading import LoadedConfig
from edge.config.visits import MatchSettings
from edge.diary.record import VisitRecord
from edge.errors import UsageError
from edge.faces.advice import explain
from edge.faces.enrolment import template
from edge.faces.shortfall import shortfall
from edge.feedback.remembered import (
    LOCK_WAIT_S,
    EmbedderFacts,
    RememberedVisit,
    embedder_facts,
    gallery_of,
    person_in,
    remember,
)
from edge.feedback.said import Feedback, FeedbackKind, FeedbackPrice
from edge.galleries.additions import (
    MAX_ADDED,
    added,
    read_additions,
    source_of,
    visits_in,
    with_additions,
    write_additions,
)
from edge.galleries.corrections import read_corrections
from edge.galleries.gallery import Gallery, Person, timestamp
from edge.galleries.lock import gallery_lock
from edge.models.card import Calibration
from edge.models.similarity import NEAR_COPY, alike, same_person
from edge.people.editing import signing_key
from edge.records import Quality, SeenFaces, Vector
from edge.visits.infrared_scale import infrared_scale, likeness
from edge.visits.thresholds import name_margin, similarity_scale, threshold_for


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A visit that is said to be somebody's."""

    loaded: LoadedConfig
    embedder: EmbedderFacts
    gallery: Gallery
    additions: Gallery
    person: Person
    found: RememberedVisit


def confirm(loaded: LoadedConfig, visit: str) -> Feedback:
    """The name of the visit was right. Where that adds nothing, the result says why. Raises WhosthereError."""
    embedder = embedder_facts(loaded)
    with gallery_lock(loaded.gallery_path, LOCK_WAIT_S):
        gallery = gallery_of(loaded, embedder)
        found = remember(loaded, visit, embedder)
        if found.record.person_id is None:
            raise UsageError(f"{found.id}: was not named, so there is nothing to confirm; use `visit name`")
        person = person_in(gallery, found.record.person_id)
        wanted = _wanted(loaded, embedder, gallery, person, found)
        try:
            return _add(wanted, "confirmed")
        except UsageError as error:
            count = _count(wanted.additions, person)
            return Feedback(
                "confirmed", found.id, person.id, person.name, None, count, MAX_ADDED, FeedbackPrice(), str(error)
            )


def name(loaded: LoadedConfig, visit: str, person: str) -> Feedback:
    """The visit was this person, who is in the gallery. Raises UsageError with the reason when it cannot be used."""
    with gallery_lock(loaded.gallery_path, LOCK_WAIT_S):
        return _add(_look_up(loaded, visit, person), "named")


def price_of_naming(loaded: LoadedConfig, visit: str, person: str) -> FeedbackPrice:
    """What it would cost; nothing is written. Raises WhosthereError where it would be refused."""
    wanted = _look_up(loaded, visit, person)
    _check(wanted)
    return _price(wanted)


def _look_up(loaded: LoadedConfig, visit: str, person: str) -> _Wanted:
    embedder = embedder_facts(loaded)
    gallery = gallery_of(loaded, embedder)
    known = person_in(gallery, person)
    return _wanted(loaded, embedder, gallery, known, remember(loaded, visit, embedder))


def _wanted(
    loaded: LoadedConfig, embedder: EmbedderFacts, gallery: Gallery, person: Person, found: RememberedVisit
) -> _Wanted:
    additions = read_additions(loaded.gallery_path, embedder.id, loaded.gallery_keys, embedder.dimensions)
    return _Wanted(loaded, embedder, gallery, additions, person, found)


def _add(wanted: _Wanted, kind: FeedbackKind) -> Feedback:
    """Add a template and write it; hold the gallery's lock. Raises UsageError when it may not be added."""
    loaded, person, found = wanted.loaded, wanted.person, wanted.found
    key = signing_key(loaded)
    probe, best = _check(wanted)
    made = template(source_of(found.id), best, timestamp(), infrared=best.infrared)
    after = added(wanted.additions, person, probe, made, timestamp())
    write_additions(after, loaded.gallery_path, key, loaded.gallery_keys)
    count = _count(after, person)
    return Feedback(kind, found.id, person.id, person.name, found.id, count, MAX_ADDED, _price(wanted))


def _check(wanted: _Wanted) -> tuple[Vector, Quality]:
    """The embedding to add and its best face. Raises UsageError with the reason when it may not be added."""
    loaded, embedder, gallery = wanted.loaded, wanted.embedder, wanted.gallery
    person, found = wanted.person, wanted.found
    rejected = read_corrections(loaded.gallery_path, embedder.id, embedder.dimensions).of(person.id)
    if any(anchor.visit_id == found.id for anchor in rejected):
        raise UsageError(f"{found.id}: was rejected for {person.name}; `whosthere visit undo` takes that back")
    best = check_quality(loaded, found.record)
    probe = found.nearest_to(gallery.vectors(person))
    seen = SeenFaces.of(probe, infrared=best.infrared)
    _check_likeness(gallery, person, seen, embedder, loaded.config.match)
    same = same_person(similarity_scale(loaded.config.match, embedder.card))
    _check_new(with_additions(gallery, wanted.additions), person, probe, alike(NEAR_COPY, same))
    return probe, best


def _price(wanted: _Wanted) -> FeedbackPrice:
    """How many strangers are called by this person's name, with one template more."""
    calibration = wanted.embedder.card.naming_calibration
    if calibration is None:
        return FeedbackPrice()
    known = with_additions(wanted.gallery, wanted.additions)
    own = next(len(one.templates) for one in known.people if one.id == wanted.person.id)
    settings, total = wanted.loaded.config.match, len(known.embeddings)
    before, after = (called(settings, calibration, total + more, own + more) for more in (0, 1))
    return FeedbackPrice(strangers_before=before, strangers_after=after)


def called(settings: MatchSettings, calibration: Calibration, templates: int, own: int) -> float:
    """The part of all strangers who are called by the name of somebody with `own` of the gallery's templates."""
    threshold = threshold_for(settings, calibration, templates)
    rate = calibration.rate_at(threshold.similarity) if threshold else 0.0
    return float(-np.expm1(own * np.log1p(-rate)))


def _count(additions: Gallery, person: Person) -> int:
    return next((len(visits_in(one)) for one in additions.people if one.id == person.id), 0)


def check_quality(loaded: LoadedConfig, found: VisitRecord) -> Quality:
    """The visit's best face. Raises UsageError when a photo like it could not be enrolled."""
    if found.best_face is None or found.usable < found.rules.min_faces:
        raise UsageError(f"{found.id}: found {found.usable} usable faces; allowed: at least {found.rules.min_faces}")
    limits = enrolment_limits(loaded.config.quality)
    problem = shortfall(found.best_face, limits)
    if problem is not None:
        why = explain(replace(found.best_face, problem=problem), limits)
        raise UsageError(f"{found.id}: even its best face cannot be a template: {why}")
    return found.best_face


def _check_likeness(
    gallery: Gallery, person: Person, probe: SeenFaces, embedder: EmbedderFacts, settings: MatchSettings
) -> None:
    """Against drift: only photos that were enrolled by hand count. Raises UsageError."""
    scale = infrared_scale(embedder.card.infrared_calibration, embedder.card.calibration)
    nearness = {one.id: float(likeness(probe, gallery.seen(one), scale).max()) for one in gallery.people}
    own, known = nearness.pop(person.id), similarity_scale(settings, embedder.card)
    same, lead = same_person(known), name_margin(settings, known)
    if own < same:
        raise UsageError(
            f"found a similarity of {own:.2f} to the enrolled photos of {person.name}; allowed: at least {same:.2f}, "
            "which two pictures of one person reach; enrol a photo instead"
        )
    names = {one.id: one.name for one in gallery.people}
    other, nearest = max(nearness.items(), key=lambda pair: pair[1], default=("", -1.0))
    if own - nearest < lead:
        raise UsageError(
            f"found a similarity of {own:.2f} to {person.name} and {nearest:.2f} to {names[other]}; allowed: a "
            f"lead of at least {lead:g} (match.min_margin)"
        )


def _check_new(gallery: Gallery, person: Person, probe: Vector, near_copy: float) -> None:
    known = next(one for one in gallery.people if one.id == person.id)
    nearest = float(np.max(gallery.vectors(known) @ probe))
    if nearest >= near_copy:
        raise UsageError(f"found a template of {person.name} that is as good as the same (similarity {nearest:.2f})")
