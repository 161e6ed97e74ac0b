"""The subscriber that writes each visit into the diary once it has ended. It runs on a thread of its own."""

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edge.config.diary import DiarySettings
from edge.diary.diary_file import DiaryFile, NewVisit
from edge.diary.record import Rules, VisitRecord
from edge.events import Event, EventKind
from edge.records import Box, Image
from edge.storage.database import StorageError
from edge.storage.salvage import discard, discard_damaged
from edge.visits.face_picture import encoded, face_of

log = logging.getLogger("whosthere.diary")

WAITING = 50
"""Visits that wait in memory while the disk fails."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a visit took place under."""

    people: frozenset[str]
    """Everybody in the gallery, by id."""
    model: str
    gallery_version: str
    rules: Rules
    clock_set: bool


@dataclass(frozen=True, slots=True)
class DiaryState:
    """For the health message."""

    visits: int
    size_mb: float
    on_disk: bool
    """False: the disk fails, and visits wait in memory."""
    replaced: int
    """Diaries since the start that could not be read whole and were set aside."""
    dropped: int
    """Visits since the start that were lost because the disk failed for too long."""


class Diary:
    """All methods are for one thread, except `wants` and `state`. None of them raises."""

    def __init__(
        self, settings: DiarySettings, circumstances: Callable[[], Circumstances], clock: Callable[[], float] | None
    ) -> None:
        """`clock` is that of `Event.at`; None: a recording's own time, so that visits end at the moment of `take`."""
        self.state = DiaryState(0, 0.0, on_disk=True, replaced=0, dropped=0)
        """Replaced as a whole: any thread may read it."""
        self._settings = settings
        self._path = Path(settings.path)
        self._circumstances = circumstances
        self._clock = clock
        self._file: DiaryFile | None = None
        self._waiting: deque[NewVisit] = deque()

    def wants(self, event: Event) -> bool:
        """Whether `take` would write something. Fast."""
        return event.kind is EventKind.ENDED and event.account is not None and self._settings.keep_days > 0

    def take(self, event: Event) -> None:
        """Write a visit that has ended."""
        if not self.wants(event) or event.account is None:
            return
        age = max(self._clock() - event.at, 0.0) if self._clock else 0.0
        now = self._circumstances()
        record = VisitRecord.of(
            event,
            event.account,
            time.time() - age - event.at,
            clock_set=now.clock_set,
            model=now.model,
            gallery_version=now.gallery_version,
            rules=now.rules,
        )
        self._waiting.append(
            NewVisit(
                record,
                event.account.embeddings if self._settings.embeddings_days else (),
                _portrait(event.picture, event.picture_box) if self._settings.pictures_days else None,
            )
        )
        self._write()

    def tidy(self) -> None:
        """Write what waits for the disk, and remove what is too old."""
        if self._settings.keep_days == 0:
            self._delete()
        else:
            self._write()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self) -> None:
        try:
            file = self._opened()
            while self._waiting:
                if (visit := self._allowed(self._waiting[0])) is not None:
                    file.add(visit)
                self._waiting.popleft()
            if self._circumstances().clock_set:
                file.expire(time.time(), self._settings)
            self._works(file)
        except StorageError as error:
            self._failed(error)

    def _allowed(self, visit: NewVisit) -> NewVisit | None:
        """A visit without anybody who has left the gallery by now; None: it was one of them."""
        left = visit.record.without(visit.record.people - self._circumstances().people)
        if left is None or left == visit.record:
            return None if left is None else visit
        return NewVisit(left)

    def _opened(self) -> DiaryFile:
        if self._file is None:
            self._file = DiaryFile(self._path, self._settings.max_mb)
            self.state = replace(self.state, replaced=self.state.replaced + self._file.was_replaced)
        return self._file

    def _works(self, file: DiaryFile) -> None:
        if not self.state.on_disk:
            log.info("diary.path: %s works again", self._path)
        self.state = replace(self.state, visits=file.visits, size_mb=round(file.size_mb, 1), on_disk=True)

    def _failed(self, error: StorageError) -> None:
        if self.state.on_disk:
            log.error("%s. Until it works again, the last %d visits wait in memory only.", error, WAITING)
        lost = max(len(self._waiting) - WAITING, 0)
        for _ in range(lost):
            self._waiting.popleft()
        self.state = replace(self.state, on_disk=False, dropped=self.state.dropped + lost)
        if error.damaged:
            # Opened again, it is set aside.
            self.close()

    def _delete(self) -> None:
        """The owner wants no diary any more."""
        if not self._path.exists():
            return
        with suppress(OSError):
            discard(self._path)
            discard_damaged(self._path)
            log.info("diary.keep_days is 0: %s is deleted", self._path)


def _portrait(picture: Image | None, box: Box | None) -> bytes | None:
    """The visitor's face as a JPEG."""
    if picture is None or box is None:
        return None
    return encoded(face_of(picture, box))
