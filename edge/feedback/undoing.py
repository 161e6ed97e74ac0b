"""Every correction with its price; and taking one of them back."""

import msgspec

from edge.config.loading import LoadedConfig
from edge.errors import UsageError
from edge.feedback.corrections_said import CorrectionLine, UndoneCorrection, said_so_far
from edge.feedback.remembered import LOCK_WAIT_S, embedder_facts, gallery_or_none
from edge.galleries.additions import additions_path, source_of, without_visit, write_additions
from edge.galleries.corrections import Anchor, read_any, read_corrections, vector_of, write_corrections
from edge.galleries.file import open_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Person, Template, timestamp
from edge.galleries.lock import gallery_lock
from edge.people.editing import signing_key
from edge.records import SeenFaces
from edge.visits.matcher import Matcher, load_matcher
from edge.visits.rejection import price_of


def list_corrections(loaded: LoadedConfig) -> list[CorrectionLine]:
    """All of it: templates from visits, rejected visits with their prices, ignored strangers. Raises WhosthereError."""
    embedder = embedder_facts(loaded)
    lines = said_so_far(loaded, embedder)
    anchors = read_corrections(loaded.gallery_path, embedder.id, embedder.dimensions).anchors
    if not anchors:
        return lines
    gallery = gallery_or_none(loaded, embedder)
    matcher = load_matcher(loaded, embedder.card, gallery)
    known = {anchor.id: anchor for anchor in anchors}
    return [_priced(line, known[line.id], gallery, matcher) if line.id in known else line for line in lines]


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


def _priced(line: CorrectionLine, anchor: Anchor, gallery: Gallery, matcher: Matcher) -> CorrectionLine:
    known = next((one for one in gallery.people if one.id == anchor.person_id), None)
    if known is None:
        return line
    seen = SeenFaces.of(vector_of(anchor), infrared=anchor.infrared)
    price = price_of(seen, gallery.seen(known), matcher)
    spare = None if price.spare is None else round(price.spare, 3)
    return msgspec.structs.replace(line, miss_rate=price.miss_rate, spare=spare)


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
