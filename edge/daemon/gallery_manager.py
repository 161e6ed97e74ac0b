"""The gallery of a running daemon: loaded, watched for changes, rid of people whose consent has expired."""

import contextlib
import logging
import math
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from edge.config.loading import LoadedConfig
from edge.daemon.pending_updates import gallery_version
from edge.errors import GalleryError, WhosthereError
from edge.faces.embed import TfliteEmbedder
from edge.galleries.additions import additions_path, read_additions, with_additions
from edge.galleries.corrections import Corrections, corrections_path, no_corrections, read_corrections
from edge.galleries.daemon_status import FileStamp, GalleryStatus, StatusFile, stamp_of
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery
from edge.galleries.history import History
from edge.people.guests import guests_over
from edge.terminal import plural
from edge.visits.matcher import Matcher, load_matcher
from edge.visits.thresholds import Bounds, check_target

log = logging.getLogger("whosthere.gallery")

RESTED = 3
"""A file that is written over is read once it has looked the same so many times in a row."""


class GalleryManager:
    """Makes the matchers, and publishes the state of the current one beside the gallery's file.

    Any thread may call any method. Only `reload` is slow, because verifying a signature may take a minute; it holds the
    lock only while it reads or changes the state, so that the other methods never wait for it.
    """

    def __init__(self, loaded: LoadedConfig, embedder: TfliteEmbedder, now: datetime) -> None:
        """Open the gallery; without a file everybody is unknown. Raises GalleryError and ModelError."""
        self._embedder = embedder
        self._loaded = loaded
        self._reloading = threading.Lock()
        self._lock = threading.Lock()
        self._target: float | None = None
        """A false-alarm target in place of the configured one."""
        path = loaded.gallery_path
        self._looked_at = self._seen = stamp_of(path)
        self._rested = 0
        self._gallery, problem = self._first(path)
        self._said_seen = _stamps_of_said(path)
        self._corrections = self._read_corrections(loaded, no_corrections(embedder.id))
        self._additions = self._read_additions(loaded, Gallery.empty(embedder.id, embedder.dimensions))
        self.matcher = self._matcher(loaded, self._gallery, None, now)
        """The current one; replaced as a whole."""
        self.version_on_disk = self._version_on_disk(loaded, problem)
        """The version of the file, in use or refused; None when there is none or it cannot be read."""
        self._since = now
        self._status_file = StatusFile(path)
        self._write_status(problem)

    def reload(self, loaded: LoadedConfig, now: datetime) -> Matcher:
        """Load the gallery and thresholds again. Raises WhosthereError, and then the old ones stay in use. Slow."""
        with self._reloading:
            path = loaded.gallery_path
            with self._lock:
                self._looked_at = self._seen = stamp_of(path)
                self._said_seen = _stamps_of_said(path)
            try:
                corrections = self._read_corrections(loaded, self._corrections)
                additions = self._read_additions(loaded, self._additions)
                gallery = self._open(path, loaded)
                with self._lock:
                    self._corrections, self._additions = corrections, additions
                    self._use(loaded, gallery, now)
            except WhosthereError as error:
                with self._lock:
                    self._write_status(str(error))
                self.version_on_disk = self._version_on_disk(loaded, str(error))
                raise
            return self.matcher

    @property
    def target(self) -> float:
        """The current false-alarm target."""
        with self._lock:
            return self._loaded.config.match.false_alarm_target if self._target is None else self._target

    @property
    def bounds(self) -> Bounds | None:
        """The range of targets that can be set now; None: none can."""
        with self._lock:
            return self._bounds()

    def set_false_alarm_target(self, target: float, now: datetime) -> Matcher:
        """Match for another false-alarm target, until the next start or a change of `match` in config.yaml.

        Raises UsageError when the calibration and the gallery do not cover that target.
        """
        with self._lock:
            check_target(target, self._bounds())
            self.matcher = self._matcher(self._loaded, self._gallery, target, now)
            self._target = target
            self._write_status(None)
            return self.matcher

    def changed(self) -> bool:
        """Whether the file, or that of the corrections, differs from the one that was read last; ask now and then.

        A file that was renamed into place is whole. One that is written over in place is given time to come to rest.
        """
        with self._lock:
            before, self._seen = self._seen, stamp_of(self._loaded.gallery_path)
            self._rested = self._rested + 1 if before == self._seen else 0
            if self._seen == self._looked_at:
                return _stamps_of_said(self._loaded.gallery_path) != self._said_seen
            return self._rested >= RESTED or not _same_file(self._seen, self._looked_at)

    @property
    def settling(self) -> bool:
        """Whether the file is being written: `changed` should be asked again soon."""
        with self._lock:
            return self._seen != self._looked_at

    @property
    def folders(self) -> set[Path]:
        """Where a change of the file, or of those beside it, can be seen."""
        path = self._loaded.gallery_path
        return {path.parent, Path(os.path.realpath(path)).parent}

    def expires_in_s(self, now: datetime) -> float:
        """How long nobody's consent expires; infinite: nobody's ever does."""
        ends = [person.expires_at for person in self.matcher.gallery.people if person.expires_at is not None]
        return max(0.0, (min(ends) - now).total_seconds()) if ends else math.inf

    def expire(self, now: datetime) -> Matcher | None:
        """A matcher without the people whose consent has expired since the last call; None when nobody's has."""
        with self._lock:
            if all(person.expires_at is None or person.expires_at > now for person in self.matcher.gallery.people):
                return None
            self.matcher = self._matcher(self._loaded, self._gallery, self._target, now)
            self._since = now
            self._write_status(None)
            return self.matcher

    def has_guests_over(self, now: datetime) -> bool:
        """Whether the time of a guest is over, who must be deleted."""
        with self._lock:
            return bool(guests_over(self._gallery, now))

    def close(self) -> None:
        """No daemon uses the gallery any more."""
        self._status_file.close()

    def _first(self, path: Path) -> tuple[Gallery, str | None]:
        """The gallery to start with, and what is wrong with the file if it is another one. Raises GalleryError."""
        if self._looked_at is None and not path.exists():
            log.warning("%s: no gallery yet, so everybody is unknown; `whosthere enroll` makes one", path)
            return Gallery.empty(self._embedder.id, self._embedder.dimensions), None
        try:
            return self._open(path, self._loaded), None
        except GalleryError as error:
            for kept in History(path).kept():
                with contextlib.suppress(GalleryError):
                    earlier = self._open(kept, self._loaded)
                    log.error("%s; the earlier version %d is used", error, earlier.header.version)
                    return earlier, str(error)
            raise

    def _open(self, path: Path, loaded: LoadedConfig) -> Gallery:
        return open_gallery(path, self._embedder.id, loaded.gallery_keys, self._embedder.dimensions)

    def _use(self, loaded: LoadedConfig, gallery: Gallery, now: datetime) -> None:
        target = self._target if loaded.config.match == self._loaded.config.match else None
        self.matcher = self._matcher(loaded, gallery, target, now)
        self._loaded, self._gallery, self._target, self._since = loaded, gallery, target, now
        self.version_on_disk = str(gallery.header.version)
        if self._status_file.gallery != loaded.gallery_path:
            self._status_file.close()
            self._status_file = StatusFile(loaded.gallery_path)
        self._write_status(None)

    def _read_corrections(self, loaded: LoadedConfig, before: Corrections) -> Corrections:
        """What the owner has corrected; what it was before when the file is damaged: the door does not wait for it."""
        try:
            return read_corrections(loaded.gallery_path, self._embedder.id, self._embedder.dimensions)
        except GalleryError as error:
            log.error("%s; until then, the corrections from before are used", error)
            return before

    def _read_additions(self, loaded: LoadedConfig, before: Gallery) -> Gallery:
        """The templates from visits; those from before when the file is damaged or not signed as it must be."""
        embedder = self._embedder
        try:
            return read_additions(loaded.gallery_path, embedder.id, loaded.gallery_keys, embedder.dimensions)
        except GalleryError as error:
            log.error("%s; until then, the templates from visits are those from before", error)
            return before

    def _bounds(self) -> Bounds | None:
        return None if self._loaded.config.match.threshold is not None else self.matcher.target_bounds

    def _matcher(self, loaded: LoadedConfig, gallery: Gallery, target: float | None, now: datetime) -> Matcher:
        if target is not None:
            match = replace(loaded.config.match, false_alarm_target=target)
            loaded = replace(loaded, config=replace(loaded.config, match=match))
        known = with_additions(gallery, self._additions).unexpired(now)
        return load_matcher(loaded, self._embedder.card, known, self._corrections)

    def _version_on_disk(self, loaded: LoadedConfig, problem: str | None) -> str | None:
        if problem is None:
            return str(self._gallery.header.version) if self._looked_at else None
        return gallery_version(loaded.gallery_path, loaded.gallery_keys)

    def _write_status(self, error: str | None) -> None:
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


def _stamps_of_said(gallery: Path) -> tuple[FileStamp | None, FileStamp | None]:
    """The stamps of what the owner has said about visits: corrections, and templates."""
    return stamp_of(corrections_path(gallery)), stamp_of(additions_path(gallery))


def _same_file(one: FileStamp | None, other: FileStamp | None) -> bool:
    return one is not None and other is not None and one.inode == other.inode


def describe(matcher: Matcher) -> str:
    """One line for the log."""
    gallery = matcher.gallery
    signed = f", signed by {gallery.signer}" if gallery.signer else ""
    return (
        f"gallery version {gallery.header.version}, {plural(len(gallery.people), 'person', 'people')}, "
        f"threshold {matcher.threshold:.3f}{signed}"
    )
