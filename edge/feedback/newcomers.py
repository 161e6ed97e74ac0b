"""That was somebody new: an unknown visitor becomes a person of the gallery, with the visit as their first template."""

from edge.config.loading import LoadedConfig
from edge.errors import UsageError
from edge.faces.enrolment import template
from edge.feedback.naming import called, check_quality
from edge.feedback.remembered import (
    LOCK_WAIT_S,
    EmbedderFacts,
    RememberedVisit,
    embedder_facts,
    gallery_or_none,
    remember,
)
from edge.feedback.said import Feedback, FeedbackPrice
from edge.galleries import names
from edge.galleries.additions import source_of
from edge.galleries.changes import change_between
from edge.galleries.gallery import Gallery, timestamp
from edge.galleries.lock import gallery_lock
from edge.models.similarity import same_person
from edge.people.editing import signing_key, write_change
from edge.records import Quality
from edge.visits.infrared_scale import infrared_scale, likeness
from edge.visits.thresholds import similarity_scale


def enroll_visitor(loaded: LoadedConfig, visit: str, name: str) -> Feedback:
    """The visitor was somebody new of this name. It is a change of the gallery, which can be undone for a week.

    Raises UsageError with the reason when the visit cannot be used, and WhosthereError.
    """
    signing_key(loaded)
    chosen = _checked(name)
    embedder = embedder_facts(loaded)
    with gallery_lock(loaded.gallery_path, LOCK_WAIT_S):
        gallery, found, best = _look_up(loaded, visit, embedder)
        if known := gallery.named(chosen):
            raise UsageError(f"{known.name}: found in the gallery already; say that the visit was theirs instead")
        price, at = _price(loaded, embedder, gallery), timestamp()
        made = template(source_of(found.id), best, at, infrared=best.infrared)
        grown = gallery.with_templates(chosen, [found.probes[0]], [made], at)
        change = change_between("enrolled", gallery, grown)
        write_change(loaded, loaded.gallery_path, change, grown)
    person = grown.named(chosen)
    return Feedback("enrolled", found.id, person.id if person else None, chosen, change.id, 1, 1, price)


def price_of_enrolling(loaded: LoadedConfig, visit: str) -> FeedbackPrice:
    """What it would cost; nothing is written. Raises WhosthereError where it would be refused."""
    embedder = embedder_facts(loaded)
    gallery, _, _ = _look_up(loaded, visit, embedder)
    return _price(loaded, embedder, gallery)


def _checked(name: str) -> str:
    if problem := names.problem(name):
        raise UsageError(f"{name!r} is not allowed as a name: {problem}")
    return names.tidy(name)


def _look_up(loaded: LoadedConfig, visit: str, embedder: EmbedderFacts) -> tuple[Gallery, RememberedVisit, Quality]:
    """The gallery, the visit and its best face. Raises UsageError when it cannot be somebody's first template."""
    gallery, found = gallery_or_none(loaded, embedder), remember(loaded, visit, embedder)
    best = check_quality(loaded, found.record)
    same = same_person(similarity_scale(loaded.config.match, embedder.card))
    scale = infrared_scale(embedder.card.infrared_calibration, embedder.card.calibration)
    seen = found.seen(found.probes[0])
    nearness = {one.name: float(likeness(seen, gallery.seen(one), scale).max()) for one in gallery.people}
    nearest = max(nearness, key=lambda name: nearness[name], default="")
    if nearness and nearness[nearest] >= same:
        raise UsageError(
            f"{found.id}: found a similarity of {nearness[nearest]:.2f} to {nearest}; allowed for somebody new: less "
            f"than {same:.2f}, which two pictures of one person reach; say that it was {nearest}, or enrol photos"
        )
    return gallery, found, best


def _price(loaded: LoadedConfig, embedder: EmbedderFacts, gallery: Gallery) -> FeedbackPrice:
    """How many strangers will be called by the new name."""
    calibration = embedder.card.calibration
    if calibration is None:
        return FeedbackPrice()
    return FeedbackPrice(strangers_after=called(loaded.config.match, calibration, len(gallery.embeddings) + 1, 1))
