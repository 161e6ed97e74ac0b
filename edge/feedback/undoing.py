"""What the owner has said up to now, with its price; and taking one of it back."""

from typing import Literal

import msgspec

from edge.config.loading import LoadedConfig
from edge.errors import UsageError
from edge.feedback.remembered import LOCK_WAIT_S, embedder_facts, gallery_or_none
from edge.galleries.additions import additions_path, source_of, without_visit, write_additions
from edge.galleries.corrections import Anchor, Ignored, read_any, read_corrections, vector_of, write_corrections
from edge.galleries.file import open_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Person, Template, timestamp
from edge.galleries.lock import gallery_lock
from edge.people.editing import signing_key
from edge.records import SeenFaces
from edge.visits.matcher import Matcher, load_matcher
from edge.visits.rejection import price_of


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

    @property
    def meaning(self) -> str:
        """What it says about the visit, in a few words."""
        who = self.person_name or self.person_id
        return {"ignored": "is ignored", "template": f"was {who}", "rejected": f"was not {who}"}[self.kind]


class UndoneCorrection(msgspec.Struct, frozen=True):
    """A correction that was taken back."""

    id: str
    kind: Literal["rejected", "ignored", "template"]
    visit_id: str
    person_id: str | None


def list_corrections(loaded: LoadedConfig) -> list[CorrectionLine]:
    """All of it: templates from visits, rejected visits, ignored strangers. Raises WhosthereError."""
    embedder = embedder_facts(loaded)
    path = loaded.gallery_path
    gallery = gallery_or_none(loaded, embedder)
    corrections, additions = read_corrections(path, embedder.id, embedder.dimensions), _additions(loaded)
    matcher = load_matcher(loaded, embedder.card, gallery) if corrections.anchors else None
    return [
        *(_template_line(person, template, gallery) for person in additions.people for template in person.templates),
        *(_line(anchor, gallery, matcher) for anchor in corrections.anchors),
        *(_ignored_line(one) for one in corrections.ignored),
    ]


def undo(loaded: LoadedConfig, correction: str | None) -> UndoneCorrection:
    """Take one back by its id; None: the newest. Raises UsageError when there is none, and GalleryError."""
    path = loaded.gallery_path
    with gallery_lock(path, LOCK_WAIT_S):
        before, additions = read_any(path), _additions(loaded)
        known = {one.id: one for one in before.all} if before else {}
        templates = {_visit_of(template): (person.id, template) for person, template in _templates(additions)}
        times = {one.id: one.added_at for one in known.values()} | {v: t.added_at for v, (_, t) in templates.items()}
        name = correction or max(times, key=lambda one: times[one], default="")
        if name in templates:
            left = without_visit(additions, name, timestamp())
            write_additions(left, path, signing_key(loaded), loaded.gallery_keys)
            return UndoneCorrection(name, "template", name, templates[name][0])
        if before is None or name not in known:
            raise UsageError(f"found no correction {correction or ''}; there are: {', '.join(times) or 'none'}")
        wanted = known[name]
        write_corrections(before.without(wanted), path)
    if isinstance(wanted, Anchor):
        return UndoneCorrection(wanted.id, "rejected", wanted.visit_id, wanted.person_id)
    return UndoneCorrection(wanted.id, "ignored", wanted.visit_id, None)


def _line(anchor: Anchor, gallery: Gallery, matcher: Matcher | None) -> CorrectionLine:
    known = next((one for one in gallery.people if one.id == anchor.person_id), None)
    seen = SeenFaces.of(vector_of(anchor), infrared=anchor.infrared)
    price = price_of(seen, gallery.seen(known), matcher) if known and matcher else None
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
    visit, name = _visit_of(template), known.name if known else None
    return CorrectionLine(visit, "template", person.id, name, visit, template.added_at, None, None)


def _ignored_line(one: Ignored) -> CorrectionLine:
    return CorrectionLine(one.id, "ignored", None, None, one.visit_id, one.added_at, None, None)


def _visit_of(template: Template) -> str:
    return template.source.removeprefix(source_of(""))


def _templates(additions: Gallery) -> list[tuple[Person, Template]]:
    return [(person, template) for person in additions.people for template in person.templates]


def _additions(loaded: LoadedConfig) -> Gallery:
    """The templates from visits, whatever their embedder."""
    path = additions_path(loaded.gallery_path)
    if path.exists():
        return open_gallery(path, None, loaded.gallery_keys)
    return Gallery.empty(EmbedderId("none", ""), 0)
