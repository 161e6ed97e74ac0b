"""`whosthere visit`: what the owner says about visits."""

from pathlib import Path
from typing import Literal

import click
import msgspec

from edge.commands import visit_templates
from edge.commands.visit_context import EXIT_CODES, LOCK_WAIT_S, config_option, is_infrared, person_in, remembered
from edge.config.loading import LoadedConfig, load_config
from edge.diary.record import VisitRecord
from edge.errors import UsageError
from edge.events import EventKind
from edge.faces.embed import TfliteEmbedder
from edge.faces.loading import load_embedder
from edge.galleries.additions import additions_path, source_of, without_visit, write_additions
from edge.galleries.corrections import (
    MAX_ANCHORS,
    MAX_IGNORED,
    Anchor,
    Ignored,
    read_any,
    read_corrections,
    vector_of,
    write_corrections,
)
from edge.galleries.file import open_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Person, Template, timestamp
from edge.galleries.lock import gallery_lock
from edge.people.editing import signing_key
from edge.records import SeenFaces, Vector
from edge.terminal import echo, json_option, print_json, table
from edge.visits.matcher import Matcher, load_matcher
from edge.visits.rejection import check_rejection, price_of
from edge.visits.thresholds import linking_thresholds, similarity_scale


class CorrectionLine(msgspec.Struct, frozen=True):
    """One correction of `visit corrections --json`."""

    id: str
    kind: Literal["rejected", "ignored", "template"]
    """Not this person; a stranger about whom nothing is published; or this person, with a template from the visit."""
    person_id: str | None
    """Null for a stranger."""
    person_name: str | None
    """Null: nobody of that id is in the gallery, so that it has no effect."""
    visit_id: str
    added_at: str
    miss_rate: float | None
    """At most this part of the person's own visits loses their name by it; null: the embedder is not calibrated."""
    spare: float | None
    """How far the person's own templates are from being denied; null: they have only one."""


@click.group()
def command() -> None:
    """Say who a visit was, or who not, or to ignore that stranger; list and undo such corrections."""


command.add_command(visit_templates.confirm)
command.add_command(visit_templates.name)


@command.command(epilog=EXIT_CODES)
@click.argument("visit")
@click.argument("person")
@config_option
def reject(visit: str, person: str, config_path: Path) -> None:
    """Say that VISIT was not PERSON. Visitors who are nearer to it than to PERSON's photos are then not called that.

    VISIT is a visit_id, the beginning of one, or `last`; PERSON is a name or an id. "Nearer" means by at least
    `match.min_margin`. A correction only ever takes PERSON's name away: nobody gets another name for it. It needs the
    visit's embedding, so `diary.embeddings_days` must have been above 0. A push from the desktop leaves it in place.

    \b
      whosthere visit reject last "Ada Lovelace"
    """
    loaded = load_config(config_path)
    embedder = load_embedder(loaded.config.models, loaded.base)
    path = loaded.gallery_path
    with gallery_lock(path, LOCK_WAIT_S):
        gallery = open_gallery(path, embedder.id, loaded.gallery_keys, embedder.dimensions)
        known = person_in(gallery, person)
        found, probes = remembered(loaded, visit, embedder)
        _check_resembled(found, known)
        templates, infrared = gallery.seen(known), is_infrared(found)
        anchor = max(probes, key=lambda probe: float((templates.vectors @ probe).max()))
        matcher = load_matcher(loaded, embedder.card, gallery)
        price = check_rejection(SeenFaces.of(anchor, infrared=infrared), templates, matcher, known.name)
        before = read_corrections(path, embedder.id, embedder.dimensions)
        linking = linking_thresholds(similarity_scale(loaded.config.match, embedder.card))
        alike = _alike(gallery, anchor, known, linking.different)
        after = before.with_anchor(known.id, found.id, anchor, alike, timestamp(), infrared=infrared)
        write_corrections(after, path)
    made = after.anchors[-1]
    echo(f"{found.id} was not {known.name}: correction {made.id}, {len(after.of(known.id))} of {MAX_ANCHORS} for them")
    echo(f"Price: {_spoken(price.miss_rate, price.spare)}")
    echo(f"A running daemon applies it within a second. `whosthere visit undo {made.id}` takes it back.")


@command.command(epilog=EXIT_CODES)
@click.argument("visit")
@config_option
def ignore(visit: str, config_path: Path) -> None:
    """Never tell about the stranger of VISIT again: later visits of theirs are only `started` and `ended`.

    VISIT is a visit_id, the beginning of one, or `last`. It must have ended `unknown`. People in the gallery are never
    ignored. The diary still has the visits. It needs the visit's embedding: `diary.embeddings_days` must be above 0.
    """
    loaded = load_config(config_path)
    embedder = load_embedder(loaded.config.models, loaded.base)
    path = loaded.gallery_path
    with gallery_lock(path, LOCK_WAIT_S):
        gallery = _gallery(loaded, embedder)
        found, probes = remembered(loaded, visit, embedder)
        if found.kind is not EventKind.UNKNOWN:
            raise UsageError(f"{found.id}: ended {found.kind.value}; allowed: unknown, as nobody else can be ignored")
        before = read_corrections(path, embedder.id, embedder.dimensions)
        linking = linking_thresholds(similarity_scale(loaded.config.match, embedder.card))
        alike = _alike(gallery, probes[0], None, linking.different)
        after = before.with_ignored(found.id, probes[0], alike, timestamp(), infrared=is_infrared(found))
        write_corrections(after, path)
        matcher = load_matcher(loaded, embedder.card, gallery)
    made = after.ignored[-1]
    echo(
        f"{found.id}: the stranger is ignored from now on (correction {made.id}, {len(after.ignored)} of {MAX_IGNORED})"
    )
    target = loaded.config.match.false_alarm_target
    if matcher.calibration is not None:
        echo(f"Price: one other stranger in {1 / target:,.0f} is as similar to one of them, and ignored too")
    echo(f"A running daemon applies it within a second. `whosthere visit undo {made.id}` takes it back.")


@command.command(epilog=EXIT_CODES)
@click.argument("correction", required=False)
@config_option
def undo(correction: str | None, config_path: Path) -> None:
    """Take back a CORRECTION by its id, as `visit corrections` lists it; without one, the newest."""
    loaded = load_config(config_path)
    path = loaded.gallery_path
    with gallery_lock(path, LOCK_WAIT_S):
        before, additions = read_any(path), _additions(loaded)
        known = {one.id: one for one in before.all} if before else {}
        templates = {template.source.removeprefix(source_of("")): template for template in _templates(additions)}
        times = {name: one.added_at for name, one in [*known.items(), *templates.items()]}
        name = correction or max(times, key=lambda one: times[one], default="")
        wanted = known.get(name)
        if name in templates:
            key = signing_key(loaded)
            write_additions(without_visit(additions, name, timestamp()), path, key, loaded.gallery_keys)
        elif before is not None and wanted is not None:
            write_corrections(before.without(wanted), path)
        else:
            raise UsageError(f"found no correction {correction or ''}; there are: {', '.join(times) or 'none'}")
    if wanted is None:
        echo(f"the template from visit {name} is removed")
        return
    what = f"may be {wanted.person_id} again" if isinstance(wanted, Anchor) else "is not ignored any more"
    echo(f"correction {wanted.id} is undone: {wanted.visit_id} {what}")


@command.command("corrections", epilog=EXIT_CODES)
@json_option
@config_option
def list_corrections(as_json: bool, config_path: Path) -> None:
    """List all corrections with their price: how many of the person's own visits may lose their name."""
    loaded = load_config(config_path)
    embedder = load_embedder(loaded.config.models, loaded.base)
    path = loaded.gallery_path
    gallery = open_gallery(path, embedder.id, loaded.gallery_keys, embedder.dimensions)
    corrections, additions = read_corrections(path, embedder.id, embedder.dimensions), _additions(loaded)
    matcher = load_matcher(loaded, embedder.card, gallery)
    lines = [
        *(_template_line(person, template, gallery) for person in additions.people for template in person.templates),
        *(_line(anchor, gallery, matcher) for anchor in corrections.anchors),
        *(_ignored_line(one) for one in corrections.ignored),
    ]
    if as_json:
        print_json(lines)
    elif lines:
        rows = [(one.id, one.visit_id, _meaning(one), one.added_at, _cost(one)) for one in lines]
        echo(table(("id", "visit", "", "since", "price"), rows))
    else:
        echo("no correction")


def _check_resembled(found: VisitRecord, person: Person) -> None:
    """Raises UsageError for a visit that was not taken for the person."""
    resembled = {decision.best.person_id for decision in found.decisions if decision.best}
    if person.id not in resembled:
        others = ", ".join(sorted(resembled)) or "nobody"
        raise UsageError(f"{found.id}: resembled {others}, not {person.id}, so there is nothing to reject")


def _gallery(loaded: LoadedConfig, embedder: TfliteEmbedder) -> Gallery:
    """The current gallery; an empty one without a file: then everybody is a stranger."""
    if not loaded.gallery_path.exists():
        return Gallery.empty(embedder.id, embedder.dimensions)
    return open_gallery(loaded.gallery_path, embedder.id, loaded.gallery_keys, embedder.dimensions)


def _alike(gallery: Gallery, anchor: Vector, person: Person | None, similarity: float) -> list[str]:
    """Everybody else who may be in the visit, by id."""
    others = (one for one in gallery.people if one is not person)
    return [one.id for one in others if float((gallery.vectors(one) @ anchor).max()) >= similarity]


def _line(anchor: Anchor, gallery: Gallery, matcher: Matcher) -> CorrectionLine:
    known = next((one for one in gallery.people if one.id == anchor.person_id), None)
    seen = SeenFaces.of(vector_of(anchor), infrared=anchor.infrared)
    price = price_of(seen, gallery.seen(known), matcher) if known else None
    return CorrectionLine(
        id=anchor.id,
        kind="rejected",
        person_id=anchor.person_id,
        person_name=known.name if known else None,
        visit_id=anchor.visit_id,
        added_at=anchor.added_at,
        miss_rate=price.miss_rate if price else None,
        spare=None if price is None or price.spare is None else round(price.spare, 3),
    )


def _template_line(person: Person, template: Template, gallery: Gallery) -> CorrectionLine:
    known = next((one for one in gallery.people if one.id == person.id), None)
    visit = template.source.removeprefix(source_of(""))
    name = known.name if known else None
    return CorrectionLine(visit, "template", person.id, name, visit, template.added_at, None, None)


def _templates(additions: Gallery) -> list[Template]:
    return [template for person in additions.people for template in person.templates]


def _additions(loaded: LoadedConfig) -> Gallery:
    """The templates from visits, whatever their embedder."""
    path = additions_path(loaded.gallery_path)
    if path.exists():
        return open_gallery(path, None, loaded.gallery_keys)
    return Gallery.empty(EmbedderId("none", ""), 0)


def _ignored_line(one: Ignored) -> CorrectionLine:
    return CorrectionLine(one.id, "ignored", None, None, one.visit_id, one.added_at, None, None)


def _meaning(line: CorrectionLine) -> str:
    who = line.person_name or line.person_id
    return {"ignored": "is ignored", "template": f"was {who}", "rejected": f"was not {who}"}[line.kind]


def _cost(line: CorrectionLine) -> str:
    return "" if line.kind != "rejected" else _spoken(line.miss_rate, line.spare)


def _spoken(miss_rate: float | None, spare: float | None) -> str:
    rate = (
        "not known, as the embedder is not calibrated"
        if miss_rate is None
        else f"of their own visits, at most one in {1 / miss_rate:,.0f} is missed for it"
    )
    own = "" if spare is None else f"; their own photos are {spare:.2f} from being denied"
    return rate + own
