"""Two entries of the gallery that are one person become one, with all that the box keeps about either."""

from pathlib import Path

import msgspec

from edge.config.loading import LoadedConfig
from edge.diary.reassigning import reassign, visits_of
from edge.errors import UsageError
from edge.faces.embed import TfliteEmbedder
from edge.faces.loading import load_embedder
from edge.galleries.additions import MAX_ADDED, read_additions, write_additions
from edge.galleries.changes import GalleryChange, change_between
from edge.galleries.corrections import MAX_ANCHORS, Anchor, Corrections, faces_of, read_corrections, write_corrections
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery, Person, timestamp
from edge.galleries.lock import gallery_lock
from edge.people.editing import person_of, signing_key, write_change
from edge.visits.matcher import load_matcher
from edge.visits.rejection import check_rejection


def merge_people(
    loaded: LoadedConfig, path: Path, kept: str, other: str, wait_s: float = 0.0
) -> tuple[Person, Person, Gallery]:
    """Make one person of two: `kept` gets the templates, corrections and visits of `other`, who is no longer there.

    Returns both as they were, and the gallery written. Raises GalleryError and StorageError.
    """
    signing_key(loaded)
    embedder = load_embedder(loaded.config.models, loaded.base)
    with gallery_lock(path, wait_s):
        old = open_gallery(path, embedder.id, loaded.gallery_keys, embedder.dimensions)
        one, two = person_of(path, old, kept), person_of(path, old, other)
        new = old.merged(one, two, timestamp())
        change = change_between("merged", old, new)
        additions = read_additions(path, embedder.id, loaded.gallery_keys, embedder.dimensions)
        joined = _joined_additions(additions, one, two)
        change = msgspec.structs.replace(change, additions=change_between("merged", additions, joined).people)
        corrections = read_corrections(path, embedder.id, embedder.dimensions)
        moved = _moved_anchors(loaded, embedder, new, one, two, corrections)
        change = _with_anchors(change, corrections, moved)
        change = msgspec.structs.replace(change, visits=visits_of(loaded, two.id, unless=one.id))
        write_change(loaded, path, change, new)
        if change.additions:
            write_additions(joined, path, loaded.signing_key, loaded.gallery_keys)
        if moved != corrections:
            write_corrections(moved, path)
        reassign(loaded, two.id, one.id, None)
    return one, two, new


def _joined_additions(additions: Gallery, one: Person, two: Person) -> Gallery:
    """The templates from visits, those of both people under the id of the first; the best ones where there are many."""
    rows = {person.id: (person, vectors) for person, vectors in additions.known()}
    if two.id not in rows:
        return additions
    both = [rows[key] for key in (one.id, two.id) if key in rows]
    pairs = [pair for person, vectors in both for pair in zip(person.templates, vectors, strict=True)]
    pairs = sorted(pairs, key=lambda pair: -pair[0].quality)[:MAX_ADDED]
    entry = Person(one.id, one.id, [template for template, _ in pairs])
    left = [row for key, row in rows.items() if key not in (one.id, two.id)]
    known = [*left, (entry, [vector for _, vector in pairs])]
    header = additions.header
    return Gallery.of(header.version + 1, timestamp(), header.embedder, additions.embeddings.shape[1], known)


def _moved_anchors(
    loaded: LoadedConfig, embedder: TfliteEmbedder, new: Gallery, one: Person, two: Person, before: Corrections
) -> Corrections:
    """Rejected visits of both, as rejected for the person that they are now.

    "That was not Ada" is wrong if it was the other entry, who is Ada too. A correction that would deny a template of
    the person is therefore dropped, and so is one more than are allowed.
    """
    about = [anchor for anchor in before.anchors if anchor.person_id in (one.id, two.id)]
    templates = new.seen(next(person for person in new.people if person.id == one.id))
    matcher = load_matcher(loaded, embedder.card, new)
    kept: list[Anchor] = []
    for anchor in about:
        alike = [person for person in anchor.alike if person not in (one.id, two.id)]
        try:
            check_rejection(faces_of([anchor]), templates, matcher, one.name)
        except UsageError:
            continue
        if {one.id, two.id}.isdisjoint(anchor.alike) and len(kept) < MAX_ANCHORS:
            kept.append(msgspec.structs.replace(anchor, person_id=one.id, alike=alike))
    others = [anchor for anchor in before.anchors if anchor not in about]
    return msgspec.structs.replace(before, anchors=[*others, *kept])


def _with_anchors(change: GalleryChange, before: Corrections, after: Corrections) -> GalleryChange:
    old = [anchor for anchor in before.anchors if anchor not in after.anchors]
    new = [anchor for anchor in after.anchors if anchor not in before.anchors]
    return msgspec.structs.replace(change, anchors_before=old, anchors_after=new)
