"""That was not Ada; and: never tell me about this one."""

from dataclasses import dataclass

import numpy as np

from edge.config.loading import LoadedConfig
from edge.diary.record import VisitRecord
from edge.errors import UsageError
from edge.events import EventKind
from edge.feedback.kept_strangers import discard_strangers, one_stranger, opened_strangers
from edge.feedback.remembered import (
    LOCK_WAIT_S,
    EmbedderFacts,
    RememberedVisit,
    embedder_facts,
    gallery_of,
    gallery_or_none,
    person_in,
    remember,
)
from edge.feedback.said import Feedback, FeedbackPrice, price_of_ignoring
from edge.galleries.corrections import MAX_ANCHORS, MAX_IGNORED, read_corrections, write_corrections
from edge.galleries.gallery import Gallery, Person, timestamp
from edge.galleries.lock import gallery_lock
from edge.records import Vector, direction
from edge.visits.matcher import load_matcher
from edge.visits.rejection import check_rejection
from edge.visits.thresholds import linking_thresholds, similarity_scale


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A visit that would be rejected for somebody."""

    found: RememberedVisit
    person: Person
    vector: Vector
    alike: list[str]
    price: FeedbackPrice


def reject(loaded: LoadedConfig, visit: str, person: str) -> Feedback:
    """Keep a person's name from those who resemble this visit more than the person. Raises WhosthereError."""
    embedder, path = embedder_facts(loaded), loaded.gallery_path
    with gallery_lock(path, LOCK_WAIT_S):
        made = _anchor(loaded, embedder, visit, person)
        before = read_corrections(path, embedder.id, embedder.dimensions)
        after = before.with_anchor(
            made.person.id, made.found.id, made.vector, made.alike, timestamp(), infrared=made.found.infrared
        )
        write_corrections(after, path)
    count = len(after.of(made.person.id))
    return _feedback(made.found, made.person, after.anchors[-1].id, count, made.price)


def price_of_rejecting(loaded: LoadedConfig, visit: str, person: str) -> FeedbackPrice:
    """What it would cost; nothing is written. Raises WhosthereError where it would be refused."""
    return _anchor(loaded, embedder_facts(loaded), visit, person).price


def ignore(loaded: LoadedConfig, visit: str) -> Feedback:
    """Publish nothing about the stranger of this visit any more. Raises WhosthereError."""
    embedder, path = embedder_facts(loaded), loaded.gallery_path
    with gallery_lock(path, LOCK_WAIT_S):
        gallery = gallery_or_none(loaded, embedder)
        found = remember(loaded, visit, embedder)
        if found.record.kind is not EventKind.UNKNOWN:
            ended = found.record.kind.value
            raise UsageError(f"{found.id}: ended {ended}; allowed: unknown, as nobody else can be ignored")
        return _ignore_vector(loaded, embedder, gallery, found.id, found.probes[0], infrared=found.infrared)


def ignore_stranger(loaded: LoadedConfig, number: int) -> Feedback:
    """Publish nothing about a stranger any more, and forget their pictures. Raises WhosthereError."""
    embedder = embedder_facts(loaded)
    with opened_strangers(loaded) as file:
        visits = one_stranger(number, file)
    if any(visit.embedder != embedder.id.sha256 for visit in visits):
        raise UsageError(f"stranger-{number}: came while models.embedder was another one; allowed: to discard them")
    vector = direction(np.sum([visit.vector for visit in visits], axis=0))
    with gallery_lock(loaded.gallery_path, LOCK_WAIT_S):
        gallery = gallery_or_none(loaded, embedder)
        said = _ignore_vector(loaded, embedder, gallery, visits[-1].visit, vector, infrared=False)
    discard_strangers(loaded, [number])
    return said


def _ignore_vector(
    loaded: LoadedConfig, embedder: EmbedderFacts, gallery: Gallery, visit: str, vector: Vector, *, infrared: bool
) -> Feedback:
    """Ignore a stranger by their embedding; hold the gallery's lock. Raises WhosthereError."""
    path = loaded.gallery_path
    before = read_corrections(path, embedder.id, embedder.dimensions)
    alike = _alike(loaded, embedder, gallery, vector, None)
    after = before.with_ignored(visit, vector, alike, timestamp(), infrared=infrared)
    write_corrections(after, path)
    price = price_of_ignoring(loaded, embedder.card)
    return Feedback("ignored", visit, None, None, after.ignored[-1].id, len(after.ignored), MAX_IGNORED, price)


def _anchor(loaded: LoadedConfig, embedder: EmbedderFacts, visit: str, person: str) -> _Anchor:
    gallery = gallery_of(loaded, embedder)
    known = person_in(gallery, person)
    found = remember(loaded, visit, embedder)
    _check_resembled(found.record, known)
    templates = gallery.seen(known)
    vector = found.nearest_to(templates.vectors)
    matcher = load_matcher(loaded, embedder.card, gallery)
    price = check_rejection(found.seen(vector), templates, matcher, known.name)
    alike = _alike(loaded, embedder, gallery, vector, known)
    return _Anchor(found, known, vector, alike, FeedbackPrice(miss_rate=price.miss_rate, spare=price.spare))


def _feedback(found: RememberedVisit, person: Person, correction: str, count: int, price: FeedbackPrice) -> Feedback:
    return Feedback("rejected", found.id, person.id, person.name, correction, count, MAX_ANCHORS, price)


def _check_resembled(found: VisitRecord, person: Person) -> None:
    """Raises UsageError for a visit that was not taken for the person."""
    resembled = {decision.best.person_id for decision in found.decisions if decision.best}
    if person.id not in resembled:
        others = ", ".join(sorted(resembled)) or "nobody"
        raise UsageError(f"{found.id}: resembled {others}, not {person.id}, so there is nothing to reject")


def _alike(
    loaded: LoadedConfig, embedder: EmbedderFacts, gallery: Gallery, vector: Vector, person: Person | None
) -> list[str]:
    """Everybody else who may be in the visit, by id."""
    least = linking_thresholds(similarity_scale(loaded.config.match, embedder.card)).different
    others = (one for one in gallery.people if one is not person)
    return [one.id for one in others if float((gallery.vectors(one) @ vector).max()) >= least]
