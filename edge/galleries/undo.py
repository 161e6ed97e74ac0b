"""Takes one change back, and leaves alone what has changed since: an older gallery would lose that."""

from collections.abc import Sequence

import msgspec

from edge.errors import UsageError
from edge.galleries.changes import Entry, EntryChange, GalleryChange
from edge.galleries.corrections import Corrections
from edge.galleries.gallery import Gallery, Person, Template
from edge.records import Vector

ABOUT = ("name", "notes", "consent", "expires_at", "guest")
"""What a gallery says about a person, apart from their templates."""
PersonRows = tuple[Person, dict[bytes, tuple[Template, Vector]]]


def undone(change: GalleryChange, gallery: Gallery, at: str) -> Gallery:
    """The gallery's next version, in which a change has not happened. Raises UsageError when it cannot be undone.

    What the change did to templates is taken back template by template. A name or a date that has been changed again
    since is nobody's to guess: then nothing is undone.
    """
    known = _reverted(change.people, gallery, change)
    if _shape(known) == _shape(list(_by_id(gallery).values())):
        raise UsageError(f"change {change.id} has been undone already, or the gallery was replaced since")
    new = _next(known, gallery, at)
    _check_names(new, change)
    return new


def undone_additions(change: GalleryChange, additions: Gallery, at: str) -> Gallery:
    """The next version of the templates from visits, in which a change has not moved any. Raises UsageError."""
    return _next(_reverted(change.additions, additions, change), additions, at)


def _reverted(changes: Sequence[EntryChange], gallery: Gallery, change: GalleryChange) -> list[PersonRows]:
    """Everybody, with these changes taken back. Raises UsageError."""
    if change.embedder.sha256 != gallery.header.embedder.sha256:
        raise UsageError(f"change {change.id} was made with the embedder {change.embedder.name}, which is not in use")
    known = _by_id(gallery)
    for one in changes:
        left = _before(one, known.get(one.id), change)
        if left is None:
            known.pop(one.id, None)
        else:
            known[one.id] = left
    return list(known.values())


def undone_anchors(change: GalleryChange, corrections: Corrections) -> Corrections:
    """The corrections, in which a change has not moved any."""
    moved = {one.id for one in change.anchors_after}
    back = [one for one in change.anchors_before if one.id not in {a.id for a in change.anchors_after}]
    kept = [one for one in corrections.anchors if one.id not in moved]
    present = {one.id for one in corrections.anchors}
    restored = [one for one in change.anchors_before if one.id in moved & present]
    return msgspec.structs.replace(corrections, anchors=[*kept, *restored, *back])


def _before(one: EntryChange, now: PersonRows | None, change: GalleryChange) -> PersonRows | None:
    """The person as they were before the change, with what has been added since; None: nobody."""
    before, after = _rows(one.before), _rows(one.after)
    if now is None:
        if one.before is not None and one.after is not None:
            raise UsageError(f"change {change.id} cannot be undone: {one.before.person.name} has been removed since")
        return (one.before.person, before) if one.before is not None else None
    person, rows = now
    for field in ABOUT:
        old, new = (getattr(entry.person, field) if entry else None for entry in (one.before, one.after))
        if one.before is None or one.after is None or old == new:
            continue
        if getattr(person, field) not in (old, new):
            raise UsageError(
                f"change {change.id} cannot be undone: {field} of {person.name} has been changed again since; undo "
                "that first"
            )
        person = msgspec.structs.replace(person, **{field: old})
    left = {key: row for key, row in rows.items() if key in before or key not in after}
    left |= {key: row for key, row in before.items() if key not in after}
    return (person, left) if left else None


def _shape(known: Sequence[PersonRows]) -> list[tuple[Person, set[bytes]]]:
    """What two galleries can be compared by."""
    return [(person, set(rows)) for person, rows in known]


def _rows(entry: Entry | None) -> dict[bytes, tuple[Template, Vector]]:
    pairs = zip(entry.person.templates, entry.rows(), strict=True) if entry else ()
    return {vector.tobytes(): (template, vector) for template, vector in pairs}


def _by_id(gallery: Gallery) -> dict[str, PersonRows]:
    return {
        person.id: (person, {v.tobytes(): (t, v) for t, v in zip(person.templates, vectors, strict=True)})
        for person, vectors in gallery.known()
    }


def _next(known: Sequence[PersonRows], gallery: Gallery, at: str) -> Gallery:
    """The gallery's next version, of these people."""
    people = [
        (msgspec.structs.replace(person, templates=[t for t, _ in rows.values()]), [v for _, v in rows.values()])
        for person, rows in known
    ]
    header, dimensions = gallery.header, gallery.embeddings.shape[1]
    return Gallery.of(header.version + 1, at, header.embedder, dimensions, people)


def _check_names(gallery: Gallery, change: GalleryChange) -> None:
    """Raises UsageError when two people would have the same name."""
    seen: dict[str, str] = {}
    for person in gallery.people:
        if person.name in seen:
            raise UsageError(
                f"change {change.id} cannot be undone: {person.name} is the name of {seen[person.name]} by now; rename "
                "them first"
            )
        seen[person.name] = person.id
