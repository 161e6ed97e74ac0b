"""Changes a gallery's file: what the new one replaces is kept beside it, except people who were removed."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from edge.config.sections import NO_KEYS, GalleryKeys, GallerySettings
from edge.errors import GalleryError
from edge.galleries.atomic_file import write_whole
from edge.galleries.encryption import is_encrypted
from edge.galleries.file import decode, encode, identity_of, open_gallery, write_gallery
from edge.galleries.gallery import Gallery
from edge.galleries.history import History
from edge.owner import as_owner
from edge.regular_file import read_regular

KEEP = GallerySettings().keep_versions
"""How many earlier galleries are kept where no config.yaml says so."""


def replace_gallery(
    gallery: Gallery,
    path: Path,
    signing_key: Path | None = None,
    recipients: Sequence[str] = (),
    keys: GalleryKeys = NO_KEYS,
    keep: int = KEEP,
) -> None:
    """Write a gallery over the one at `path`, which is kept. Raises GalleryError; then `path` is as it was."""
    keep_earlier(gallery, path, keys, keep)
    write_gallery(gallery, path, signing_key, recipients, keys)


def replace_with(content: bytes, sender: str, path: Path, keep: int = KEEP) -> Gallery:
    """Write a gallery's bytes over the one at `path`, which is kept. Returns the new one.

    Raises GalleryError when they are no gallery: it begins with `sender`, and `path` is as it was.
    """
    gallery = decode(content, sender, None, NO_KEYS)
    keep_earlier(gallery, path, NO_KEYS, keep)
    write_whole(content, path)
    return gallery


def remove_person(
    person: str,
    gallery: Gallery,
    path: Path,
    signing_key: Path | None = None,
    keys: GalleryKeys = NO_KEYS,
    keep: int = KEEP,
) -> list[str]:
    """Write `gallery`, from which the person with this id was removed, and remove the kept galleries with them.

    A copy of the new gallery is kept in their place, so that a damaged file never brings the person back. Returns the
    files that were removed. Raises GalleryError.
    """
    write_gallery(gallery, path, signing_key, keys=keys)
    removed = drop_kept(person, path, keys)
    History(path).keep(gallery.header.version, identity_of(gallery), keep, copy=True)
    return removed


def drop_kept(person: str, path: Path, keys: GalleryKeys) -> list[str]:
    """Remove the kept galleries with this person, and unreadable ones. Returns their paths."""
    removed = []
    for file in History(path).kept():
        try:
            gallery = open_gallery(file, None, GalleryKeys(None, keys.identity))
            if all(one.id != person for one in gallery.people):
                continue
        except GalleryError:
            # An unreadable gallery may contain anybody.
            pass
        with contextlib.suppress(OSError), as_owner(file):
            file.unlink()
            removed.append(str(file))
    return removed


def drop_from_base(person: str, path: Path, keys: GalleryKeys) -> list[str]:
    """Take a person out of the copy of what was received last. Returns its path if they were in it.

    It is not used to recognise anybody, so its signature may go. An encrypted one is removed, not written in clear.
    """
    base = History(path).base
    try:
        if not base.exists():
            return []
        gallery = open_gallery(base, None, GalleryKeys(None, keys.identity))
        if all(one.id != person for one in gallery.people):
            return []
        left = gallery.without(person, gallery.header.created_at)
        if not is_encrypted(read_regular(base)[:64]):
            write_whole(encode(left), base)
            return [str(base)]
    except (GalleryError, OSError):
        # One that cannot be read may contain anybody.
        pass
    with contextlib.suppress(OSError), as_owner(base):
        base.unlink()
    return [str(base)]


def keep_earlier(new: Gallery, path: Path, keys: GalleryKeys, keep: int) -> None:
    """Keep the file at `path`, unless it is no gallery or has the same contents."""
    try:
        old = open_gallery(path, None, GalleryKeys(None, keys.identity))
    except GalleryError:
        return
    if identity_of(old) != identity_of(new):
        History(path).keep(old.header.version, identity_of(old), keep)
