"""The gallery of a running daemon: taken in, watched for changes, rid of those whose time has run out."""

import contextlib
import logging
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from edge.config.loading import LoadedConfig
from edge.daemon.controls import check_target
from edge.errors import GalleryError, WhosthereError
from edge.faces.embed import TfliteEmbedder
from edge.galleries.daemon_status import FileStamp, GalleryStatus, StatusFile, stamp_of
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery
from edge.galleries.history import History
from edge.visits.matcher import Matcher, load_matcher
from edge.visits.thresholds import Bounds

log = logging.getLogger("whosthere.gallery")

RESTED = 3
"""So many times in a row a file that is written over must look the same before it is read."""


class GalleryManager:
    """Makes the matchers, and says beside the gallery's file which one is in force."""

    def __init__(self, loaded: LoadedConfig, embedder: TfliteEmbedder, now: datetime) -> None:
        """Open the gallery; none at all means that everybody is unknown. Raises GalleryError and ModelError."""
        self._embedder = embedder
        self._loaded = loaded
        self._target: float | None = None
        """A false-alarm target in place of the configured one."""
        path = loaded.gallery_path
        self._looked_at = self._seen = stamp_of(path)
        self._rested = 0
        if self._looked_at is None and not path.exists():
            log.warning("%s: no gallery yet, so that everybody is unknown; `whosthere enroll` makes one", path)
            self._gallery = Gallery.empty(embedder.id, embedder.dimensions)
            problem = None
        else:
            self._gallery, problem = self._opened(path)
        self.matcher = self._matcher(now)
        self._since = now
        self._status_file = StatusFile(path)
        self._announce(problem)

    def reload(self, loaded: LoadedConfig, now: datetime) -> Matcher:
        """Take the gallery anew. Raises WhosthereError, and then the old one stays in force."""
        path = loaded.gallery_path
        self._looked_at = self._seen = stamp_of(path)
        before = self._loaded, self._gallery, self.matcher, self._target
        try:
            self._gallery = open_gallery(path, self._embedder.id, loaded.gallery_keys)
            if loaded.config.match != self._loaded.config.match:
                self._target = None
            self._loaded = loaded
            self.matcher = self._matcher(now)
        except WhosthereError as error:
            self._loaded, self._gallery, self.matcher, self._target = before
            self._announce(str(error))
            raise
        self._since = now
        if self._status_file.gallery != path:
            self._status_file.close()
            self._status_file = StatusFile(path)
        self._announce(None)
        return self.matcher

    @property
    def target(self) -> float:
        """The false-alarm target in force."""
        return self._loaded.config.match.false_alarm_target if self._target is None else self._target

    @property
    def bounds(self) -> Bounds | None:
        """Of the targets that can be set now; None: none can."""
        return None if self._loaded.config.match.threshold is not None else self.matcher.target_bounds

    def set_false_alarm_target(self, target: float, now: datetime) -> Matcher:
        """A matcher for another false-alarm target, until the next start or a change of `match` in config.yaml.

        Raises UsageError when that target has no meaning.
        """
        check_target(target, self.bounds)
        self._target = target
        self.matcher = self._matcher(now)
        self._announce(None)
        return self.matcher

    def changed(self) -> bool:
        """Whether the file is another one than that which was looked at last. Ask now and then.

        One that was renamed into place is whole; one that is being written over is waited for until it rests.
        """
        before, self._seen = self._seen, stamp_of(self._loaded.gallery_path)
        self._rested = self._rested + 1 if before == self._seen else 0
        if self._seen == self._looked_at:
            return False
        return self._rested >= RESTED or not _same_file(self._seen, self._looked_at)

    def expire(self, now: datetime) -> Matcher | None:
        """A matcher without those whose time has run out since it was last asked; None when nobody's has."""
        if all(person.expires_at is None or person.expires_at > now for person in self.matcher.gallery.people):
            return None
        self.matcher = self._matcher(now)
        self._since = now
        self._announce(None)
        return self.matcher

    def close(self) -> None:
        """Nobody is running here any more."""
        self._status_file.close()

    def _opened(self, path: Path) -> tuple[Gallery, str | None]:
        """The gallery, or when its file is no good the last one before it that is, and why. Raises GalleryError."""
        wanted, keys = self._embedder.id, self._loaded.gallery_keys
        try:
            return open_gallery(path, wanted, keys), None
        except GalleryError as error:
            for kept in History(path).kept():
                with contextlib.suppress(GalleryError):
                    earlier = open_gallery(kept, wanted, keys)
                    log.error("%s; the earlier version %d is used", error, earlier.header.version)
                    return earlier, str(error)
            raise

    def _matcher(self, now: datetime) -> Matcher:
        match = replace(self._loaded.config.match, false_alarm_target=self.target)
        aimed = replace(self._loaded, config=replace(self._loaded.config, match=match))
        return load_matcher(aimed, self._embedder.card, self._gallery.unexpired(now))

    def _announce(self, error: str | None) -> None:
        gallery = self.matcher.gallery
        self._status_file.write(
            GalleryStatus(
                looked_at=self._looked_at,
                error=error,
                version=gallery.header.version,
                people=len(gallery.people),
                templates=len(gallery.embeddings),
                signer=gallery.signer,
                threshold=self.matcher.threshold,
                since=self._since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
        )


def _same_file(one: FileStamp | None, other: FileStamp | None) -> bool:
    return one is not None and other is not None and one.inode == other.inode


def describe(matcher: Matcher) -> str:
    """One line for the log."""
    gallery = matcher.gallery
    signed = f", signed by {gallery.signer}" if gallery.signer else ""
    return (
        f"gallery version {gallery.header.version}, {len(gallery.people)} people, "
        f"threshold {matcher.threshold:.3f}{signed}"
    )
