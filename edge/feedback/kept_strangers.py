"""The unknown visitors who came again: list and discard them. It needs no vectors, so the page has no numpy for it."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path

import msgspec

from edge.config.loading import LoadedConfig
from edge.errors import ConfigError, WhosthereError
from edge.owner import as_owner
from edge.storage.database import StorageError
from edge.visits.strangers_file import NAME, StrangersFile
from edge.visits.strangers_layout import StrangerPicture, StrangerVisitRow

KeptStrangers = dict[int, list[StrangerVisitRow]]
"""Number -> visits, oldest first."""


class StrangerLine(msgspec.Struct, frozen=True):
    """One stranger of `strangers list`. Times are RFC 3339, local."""

    id: str
    times: int
    first_seen: str
    last_seen: str
    pictures: int


@contextlib.contextmanager
def opened_strangers(loaded: LoadedConfig) -> Iterator[StrangersFile]:
    """The box's strangers, without those whose time is over.

    Raises ConfigError where strangers are not grouped, and StorageError for a damaged file, which the daemon replaces.
    """
    settings = loaded.config.strangers
    if not settings.group:
        raise ConfigError("this box does not group strangers: strangers.group in its config.yaml is false")
    path = Path(settings.path) / NAME
    with as_owner(path):
        try:
            file = StrangersFile(path, replace=False)
        except StorageError as error:
            if error.damaged:
                raise StorageError(f"{error}; the daemon sets it aside when it starts", damaged=True) from error
            raise
        try:
            file.drop_old(time.time() - settings.keep_hours * 3600)
            yield file
        finally:
            file.close()


def all_strangers(file: StrangersFile) -> KeptStrangers:
    return {number: list(visits) for number, visits in groupby(file.visits(), key=lambda visit: visit.stranger)}


def one_stranger(number: int, file: StrangersFile) -> list[StrangerVisitRow]:
    """The visits of a stranger, oldest first. Raises WhosthereError when there is no such stranger."""
    known = all_strangers(file)
    if number not in known:
        kept = ", ".join(f"stranger-{other}" for other in known) or "nobody"
        raise WhosthereError(f"found no stranger-{number}; kept on this box: {kept}")
    return known[number]


def best_pictures(visits: Iterable[StrangerVisitRow]) -> list[StrangerPicture]:
    """All pictures of a stranger, the best to look at first."""
    return sorted((one for visit in visits for one in visit.unpacked), key=lambda one: -one.worth)


def discard_strangers(loaded: LoadedConfig, numbers: list[int]) -> None:
    """Forget strangers with all their pictures; those who are gone already are no error."""
    with opened_strangers(loaded) as file:
        file.forget(numbers)


def stranger_line(number: int, visits: list[StrangerVisitRow]) -> StrangerLine:
    """A stranger from their visits, oldest first."""
    newest, pictures = visits[-1], sum(len(visit.unpacked) for visit in visits)
    return StrangerLine(f"stranger-{number}", newest.times, _local(newest.first_seen), _local(newest.seen), pictures)


def times_in_words(times: int) -> str:
    return {1: "once", 2: "twice"}.get(times, f"{times} times")


def _local(wall: float) -> str:
    return datetime.fromtimestamp(wall).astimezone().isoformat(timespec="seconds")
