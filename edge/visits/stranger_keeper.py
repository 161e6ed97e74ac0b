"""Keeps strangers for a while: writes what `StrangerWatch` decides, and forgets in time. On a thread of its own."""

import logging
from collections.abc import Callable
from pathlib import Path

from edge.config.visits import UnknownFacesSettings
from edge.events import Event, EventKind, GoodFace
from edge.records import Outcome, Vector
from edge.storage.database import StorageError
from edge.visits.face_picture import encoded
from edge.visits.matcher import Matcher
from edge.visits.strangers import StrangerWatch
from edge.visits.strangers_file import NAME, StrangersFile, forget_everybody, remove_file
from edge.visits.strangers_layout import StrangerPicture

log = logging.getLogger("whosthere.strangers")

RESERVED = 8
"""Numbers are on record before anybody gets them: after a crash at most so many are skipped, and none is used again."""


class StrangerKeeper:
    """The strangers of a running daemon. Times are seconds since the epoch.

    `matcher` may be replaced at any time. A failure is logged once, and the daemon goes on: what is on disk counts, and
    strangers who could not be written are nobody the next time.
    """

    def __init__(
        self,
        settings: UnknownFacesSettings,
        embedder: str,
        watch: StrangerWatch | None,
        matcher: Matcher,
        clock_set: Callable[[], bool] = lambda: True,
    ) -> None:
        """`embedder` is the SHA-256 of its file. Without a watch, strangers are not grouped and none is kept."""
        self.path = Path(settings.path) / NAME
        self.matcher = matcher
        self.on_disk = True
        """False: the disk fails."""
        self.replaced = 0
        """How many files could not be read whole and were set aside, since the start."""
        self._settings = settings
        self._embedder = embedder
        self._watch = watch
        self._clock_set = clock_set
        self._file: StrangersFile | None = None
        self._compared_with: Matcher | None = None

    @property
    def count(self) -> int:
        """How many strangers are kept."""
        return len(self._watch.known.people) if self._watch else 0

    def wants(self, event: Event) -> bool:
        """Whether `take` has something to do: at the end of a stranger's visit. Fast."""
        return event.kind is EventKind.ENDED and event.stranger is not None

    def take(self, event: Event, now: float) -> None:
        """Record the visit of a stranger; one who turned out to be somebody known is forgotten."""
        self._do(lambda file: self._record(file, event, now), now)

    def tidy(self, now: float) -> None:
        """Forget who is too old or too many, or by now in the gallery, and follow what another process has changed."""
        if self._watch is not None:
            self._do(lambda file: self._tidy(file, now), now)
        elif self.path.parent.is_dir() and (forget_everybody(self.path) or remove_file(self.path)):
            remove_file(self.path)
            log.info("%s: strangers are no longer grouped (strangers.group), so all of them are forgotten", self.path)

    def close(self) -> None:
        """Hand back the numbers that nobody has got. On the same thread as all others, after the last `take`."""
        if self._file is not None and self._watch is not None:
            numbers = self._watch.numbers
            self._do(lambda file: file.give_back(numbers), 0.0)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _record(self, file: StrangersFile, event: Event, now: float) -> None:
        who, probe = event.stranger, event.probe
        if who is None:
            return
        if event.match is None or event.match.outcome is not Outcome.UNKNOWN:
            file.forget([who.number])
        elif probe is not None and self.matcher.match(probe).outcome is Outcome.UNKNOWN:
            file.record(who, event.visit_id, self._embedder, probe, _encoded(event.good_faces))
        self._tidy(file, now, changed=True)

    def _tidy(self, file: StrangersFile, now: float, *, changed: bool = False) -> None:
        watch, matcher = self._watch, self.matcher
        if watch is None:
            return
        keep, keep_s = self._settings.keep, self._settings.keep_hours * 3600
        changed |= file.tidy(now, keep, keep_s, self._embedder, clock_set=self._clock_set())
        changed |= file.changed_by_others()
        if matcher is not self._compared_with:
            named = [s.number for s in file.known(self._embedder).people if _is_known(matcher, s.embedding)]
            if named:
                log.info("%d strangers are people of the gallery by now, and no longer strangers", len(named))
                file.forget(named)
            self._compared_with, changed = matcher, True
        if changed:
            watch.known = file.known(self._embedder)
        if len(watch.numbers) < RESERVED // 2:
            watch.add_numbers(file.reserve(RESERVED))

    def _do(self, work: Callable[[StrangersFile], None], now: float) -> None:
        try:
            file = self._file = self._file or self._opened()
            work(file)
            if not self.on_disk:
                log.info("%s: strangers are kept again", self.path)
            self.on_disk = True
        except (StorageError, OSError) as error:
            if self.on_disk:
                log.error("strangers cannot be kept: %s", error)
            self.on_disk = False
            if self._file is not None and getattr(error, "damaged", False):
                # Opening it again sets it aside.
                self._file.close()
                self._file = None
            if self._watch is not None:
                self._watch.known = self._watch.known.since(now - self._settings.keep_hours * 3600)

    def _opened(self) -> StrangersFile:
        file = StrangersFile(self.path)
        self.replaced += file.was_replaced
        self._compared_with = None
        return file


def _is_known(matcher: Matcher, embedding: Vector) -> bool:
    return matcher.match(embedding).outcome is not Outcome.UNKNOWN


def _encoded(faces: tuple[GoodFace, ...]) -> list[StrangerPicture]:
    return [StrangerPicture(face.quality, encoded(face.picture), face.value) for face in faces]
