"""Changes of the box's gallery: each is kept for a week, so that it can be undone."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from edge.config.loading import LoadedConfig
from edge.errors import GalleryError, UsageError
from edge.galleries import names
from edge.galleries.changes import Action, GalleryChange, change_between, record_change
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Consent, Gallery, Person, end_of, timestamp
from edge.galleries.lock import gallery_lock
from edge.galleries.names import nobody_called
from edge.galleries.store import remove_person, replace_gallery
from edge.owner import as_owner


def signing_key(loaded: LoadedConfig) -> Path | None:
    """The key that this box signs with. Raises GalleryError when the daemon would refuse what it writes."""
    if loaded.gallery_keys.allowed_signers is not None and loaded.signing_key is None:
        raise GalleryError(
            "gallery.allowed_signers is set, so the daemon refuses unsigned galleries: set gallery.signing_key "
            "(and allow its public half), or change the gallery on the desktop and push it"
        )
    return loaded.signing_key


def key_problem(loaded: LoadedConfig) -> str:
    """Why nobody can be changed on this box; empty: they can."""
    try:
        signing_key(loaded)
    except GalleryError as error:
        return str(error)
    return ""


def person_of(path: Path, gallery: Gallery, name: str) -> Person:
    """Somebody by name or id. Raises GalleryError, which lists everybody."""
    person = gallery.person(name)
    if person is None:
        raise GalleryError(f"{path}: {nobody_called(name, (p.name for p in gallery.people))}")
    return person


def rename(
    loaded: LoadedConfig, person: str, name: str, path: Path | None = None, wait_s: float = 0.0
) -> tuple[Person, Gallery]:
    """Give somebody another name, in the box's gallery or the one at `path`.

    Returns them as they were, and the gallery written. Raises GalleryError.
    """

    def renamed(gallery: Gallery, known: Person) -> Gallery:
        return gallery.renamed(known, name, timestamp())

    return _edit(loaded, path, "renamed", person, renamed, wait_s)


def set_consent(
    loaded: LoadedConfig, person: str, consent: Consent | None, path: Path | None = None, wait_s: float = 0.0
) -> tuple[Person, Gallery]:
    """Record what somebody agreed to, and until when they are recognised; None: nothing is recorded, and no end.

    Returns them as they were, and the gallery written. Raises GalleryError.
    """
    ends = end_of(consent.until) if consent and consent.until else None

    def agreed(gallery: Gallery, known: Person) -> Gallery:
        return gallery.with_about(
            known, timestamp(), consent=consent, expires_at=ends, guest=known.guest and ends is not None
        )

    return _edit(loaded, path, "consent", person, agreed, wait_s)


def remove_photo(
    loaded: LoadedConfig, person: str, photo: str, path: Path | None = None, wait_s: float = 0.0
) -> tuple[Person, Gallery]:
    """Remove one template, by its number from 1, its source, or both, as in `2 party.jpg`.

    Returns the person as they were, and the gallery written. Raises GalleryError, also for a source of several.
    """

    def without(gallery: Gallery, known: Person) -> Gallery:
        return gallery.without_template(known, _place_of(known, photo), timestamp())

    return _edit(loaded, path, "photo_removed", person, without, wait_s)


def _place_of(person: Person, photo: str) -> int:
    known = [(str(number), one.source, f"{number} {one.source}") for number, one in enumerate(person.templates, 1)]
    for way in (1, 0, 2):
        found = [place for place, ways in enumerate(known) if ways[way] == photo]
        if len(found) == 1:
            return found[0]
    raise GalleryError(
        f"{person.name}: found no photo {photo!r}, or several; allowed: {', '.join(ways[2] for ways in known)}"
    )


def made_consent(given_by: str, given_on: date, purpose: str, until: date | None) -> Consent:
    """A consent. Raises UsageError for texts that no gallery can hold, and for an end before the beginning."""
    for what, text, limit in (("who agreed", given_by, names.MAX_NAME), ("the purpose", purpose, 500)):
        if not text.strip() or len(text) > limit or names.unprintable(text):
            raise UsageError(f"{what}: found {text[:80]!r}; allowed: 1 to {limit} printable characters")
    if until is not None and until < given_on:
        raise UsageError(f"found {until} as the last day, before the consent is given on {given_on}")
    return Consent(given_by, given_on, purpose, until)


def remove(loaded: LoadedConfig, path: Path, gallery: Gallery, known: Person, *, final: bool) -> Gallery:
    """Write the gallery without somebody; hold its lock. Unless it is `final`, that can be undone for a week.

    Raises GalleryError.
    """
    key, keys = signing_key(loaded), loaded.gallery_keys
    left = gallery.without(known.id, timestamp())
    with _recorded(None if final else change_between("removed", gallery, left), path, key):
        remove_person(known.id, left, path, key, keys, loaded.config.gallery.keep_versions)
    return left


def write_change(loaded: LoadedConfig, path: Path, change: GalleryChange, new: Gallery) -> None:
    """Write a gallery that the owner has changed; hold its lock. Raises GalleryError, and then nothing has changed."""
    key, keys = signing_key(loaded), loaded.gallery_keys
    with _recorded(change, path, key):
        replace_gallery(new, path, key, keys=keys, keep=loaded.config.gallery.keep_versions)


def _edit(
    loaded: LoadedConfig,
    path: Path | None,
    action: Action,
    person: str,
    edited: Callable[[Gallery, Person], Gallery],
    wait_s: float,
) -> tuple[Person, Gallery]:
    """Change somebody in a gallery, None: the box's own. Returns them as they were, and the gallery written."""
    path = path or loaded.gallery_path
    signing_key(loaded)
    with gallery_lock(path, wait_s):
        old = open_gallery(path, None, loaded.gallery_keys)
        known = person_of(path, old, person)
        new = edited(old, known)
        write_change(loaded, path, change_between(action, old, new), new)
    return known, new


@contextlib.contextmanager
def _recorded(change: GalleryChange | None, path: Path, key: Path | None) -> Iterator[None]:
    """Keep a change, so that it can be undone, unless the body fails."""
    if change is None or not change.people:
        yield
        return
    kept = record_change(change, path, key)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError), as_owner(kept):
            kept.unlink()
        raise
