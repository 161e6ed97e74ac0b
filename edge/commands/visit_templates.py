"""`whosthere visit confirm` and `visit name`: a visit becomes a template, if it is good, new and like the photos."""

from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from edge.commands.visit_context import LOCK_WAIT_S, config_option, person_in, remembered
from edge.config.faces import enrolment_limits
from edge.config.loading import LoadedConfig, load_config
from edge.config.visits import MatchSettings
from edge.diary.record import VisitRecord
from edge.errors import UsageError
from edge.faces.advice import explain
from edge.faces.embed import TfliteEmbedder
from edge.faces.enrolment import template
from edge.faces.loading import load_embedder
from edge.faces.quality import shortfall
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
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery, Person, timestamp
from edge.galleries.lock import gallery_lock
from edge.models.similarity import NEAR_COPY, alike, same_person
from edge.people.editing import signing_key
from edge.records import Quality, SeenFaces, Vector
from edge.terminal import echo
from edge.visits.infrared_scale import infrared_scale, likeness
from edge.visits.thresholds import name_margin, similarity_scale


@click.command("confirm")
@click.argument("visit")
@config_option
def confirm(visit: str, config_path: Path) -> None:
    """Say that the name of VISIT was right. If its faces add something, they become one more template.

    VISIT is a visit_id, the beginning of one, or `last`. What a template needs is the same as for `visit name`.
    """
    loaded = load_config(config_path)
    with gallery_lock(loaded.gallery_path, LOCK_WAIT_S):
        embedder, gallery = _opened(loaded)
        found, probes = remembered(loaded, visit, embedder)
        if found.person_id is None:
            raise UsageError(f"{found.id}: was not named, so there is nothing to confirm; use `visit name`")
        person = person_in(gallery, found.person_id)
        try:
            text = _add(loaded, embedder, gallery, person, found, probes)
        except UsageError as error:
            text = f"nothing is added: {error}"
    echo(f"{found.id} was {person.name}; {text}")


@click.command("name")
@click.argument("visit")
@click.argument("person")
@config_option
def name(visit: str, person: str, config_path: Path) -> None:
    """Say that VISIT was PERSON, who is in the gallery. Its faces become one more template of theirs.

    \b
    They must be
      - as good as an enrolment photo must be
      - something new: no near-copy of a template that is there
      - like a photo of PERSON that was enrolled, and clearly more so than like anybody else
    There are at most five such templates per person. Somebody new: `whosthere enroll`.
    """
    loaded = load_config(config_path)
    with gallery_lock(loaded.gallery_path, LOCK_WAIT_S):
        embedder, gallery = _opened(loaded)
        known = person_in(gallery, person)
        found, probes = remembered(loaded, visit, embedder)
        text = _add(loaded, embedder, gallery, known, found, probes)
    echo(f"{found.id} was {known.name}; {text}")


def _opened(loaded: LoadedConfig) -> tuple[TfliteEmbedder, Gallery]:
    embedder = load_embedder(loaded.config.models, loaded.base)
    return embedder, open_gallery(loaded.gallery_path, embedder.id, loaded.gallery_keys, embedder.dimensions)


def _add(
    loaded: LoadedConfig,
    embedder: TfliteEmbedder,
    gallery: Gallery,
    person: Person,
    found: VisitRecord,
    probes: list[Vector],
) -> str:
    """Add a template and write it; what to say. Raises UsageError with the reason when it may not be added."""
    path, keys, key = loaded.gallery_path, loaded.gallery_keys, signing_key(loaded)
    rejected = read_corrections(path, embedder.id, embedder.dimensions).of(person.id)
    if any(anchor.visit_id == found.id for anchor in rejected):
        raise UsageError(f"{found.id}: was rejected for {person.name}; `whosthere visit undo` takes that back")
    best = _check_quality(loaded, found)
    probe = max(probes, key=lambda one: float((gallery.vectors(person) @ one).max()))
    _check_likeness(gallery, person, SeenFaces.of(probe, infrared=best.infrared), embedder, loaded.config.match)
    before = read_additions(path, embedder.id, keys, embedder.dimensions)
    same = same_person(similarity_scale(loaded.config.match, embedder.card))
    _check_new(with_additions(gallery, before), person, probe, alike(NEAR_COPY, same))
    made = template(source_of(found.id), best, timestamp(), infrared=best.infrared)
    after = added(before, person, probe, made, timestamp())
    write_additions(after, path, key, keys)
    count = next(len(visits_in(one)) for one in after.people if one.id == person.id)
    return (
        f"its faces are a template now ({count} of {MAX_ADDED}), which a running daemon uses within a second. "
        f"`whosthere visit undo {found.id}` takes it back"
    )


def _check_quality(loaded: LoadedConfig, found: VisitRecord) -> Quality:
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
    gallery: Gallery, person: Person, probe: SeenFaces, embedder: TfliteEmbedder, settings: MatchSettings
) -> None:
    """Against drift: only photos that were enrolled by hand count. Raises UsageError."""
    scale = infrared_scale(embedder.infrared_calibration, embedder.calibration)
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
