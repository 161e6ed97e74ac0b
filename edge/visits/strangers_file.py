"""Strangers on disk: their visits with the good faces of each, for a while.

What is deleted is overwritten with zeros, in the database and in its log. The daemon writes; `whosthere strangers`
reads, and deletes, in another process.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import WhosthereError
from edge.events import StrangerVisits
from edge.owner import as_owner
from edge.records import Vector, direction
from edge.storage.database import StorageError, close, explained, open_or_replace, open_sound, transaction
from edge.storage.layout import only_value
from edge.storage.salvage import discard_damaged
from edge.visits.strangers import KnownStrangers, Stranger
from edge.visits.strangers_layout import LAYOUT, NEXT, StrangerPicture, StrangerVisitRow, checked, packed

if TYPE_CHECKING:
    import numpy as np
else:
    from edge import lazy_numpy as np

NAME = "strangers.sqlite3"
"""The file, in the folder that `strangers.path` names."""
VISITS_KEPT = 12
"""The number of visits that are kept of each stranger, the latest ones."""
MAX_BYTES = 64 << 20
"""The size of all pictures together."""
_WITHOUT_PICTURES = (
    "SELECT stranger, seen, times, first_seen, embedding FROM visits WHERE embedder = ? ORDER BY stranger, seen"
)
_BY_STRANGER = f"{LAYOUT.select} ORDER BY stranger, seen"


class StrangersFile:
    """For one thread. Every method raises StorageError when the disk is full, read-only or failing."""

    def __init__(self, path: Path, *, replace: bool = True) -> None:
        """Open the file, which is made when it is missing. With `replace`, a new one takes the place of a damaged one.

        Its folder is made too, for its owner alone.
        """
        self._path = path
        self.was_replaced = False
        with explained(path, LAYOUT, "opened"):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if replace:
                self._db, self.was_replaced = open_or_replace(path, LAYOUT)
            else:
                self._db = open_sound(path, LAYOUT)
            self._version = self._data_version()
            self._log_holds_more = False
            """Somebody read while the log should have been emptied, so that it may hold what was deleted."""

    def visits(self) -> list[StrangerVisitRow]:
        """All visits that are kept, by stranger and then by time."""
        with explained(self._path, LAYOUT, "read"):
            return [checked(values) for values in self._db.execute(_BY_STRANGER)]

    def known(self, embedder: str) -> KnownStrangers:
        """Everybody whom this embedder has seen, for recognising them again."""
        with explained(self._path, LAYOUT, "read"):
            rows = self._db.execute(_WITHOUT_PICTURES, (embedder,)).fetchall()
        each = groupby(rows, key=itemgetter(0))
        return KnownStrangers(tuple(_stranger(number, list(visits)) for number, visits in each))

    def record(
        self, who: StrangerVisits, visit: str, embedder: str, probe: Vector, faces: list[StrangerPicture]
    ) -> bool:
        """Add a visit; False: the stranger has been forgotten since they were recognised, so nothing is kept."""
        with self._written():
            last: int | None = only_value(self._db, _times_of(who.number))
            if (last is None) != (who.times == 1):
                return False
            row = (None, who.number, visit, who.seen, (last or 0) + 1, who.first_seen, embedder, probe.tobytes())
            self._db.execute(LAYOUT.insert, (*row, packed(faces)))
            self._db.execute(
                "DELETE FROM visits WHERE stranger = ? AND row NOT IN "
                "(SELECT row FROM visits WHERE stranger = ? ORDER BY seen DESC LIMIT ?)",
                (who.number, who.number, VISITS_KEPT),
            )
        return True

    def forget(self, numbers: Collection[int]) -> None:
        """Remove strangers with all their visits, and damaged files, in which they may be too."""
        with self._written():
            self._db.executemany("DELETE FROM visits WHERE stranger = ?", [(number,) for number in numbers])
        with explained(self._path, LAYOUT, "written"):
            discard_damaged(self._path)

    def drop_old(self, limit: float) -> None:
        """Remove the visits from before a moment."""
        with self._written():
            self._db.execute("DELETE FROM visits WHERE seen < ?", (limit,))

    def tidy(self, now: float, keep: int, keep_s: float, embedder: str, *, clock_set: bool = True) -> bool:
        """Remove what is too old, too much, or of another embedder: first those who have not come for the longest time.

        A visit from the future is one from before the clock was put right: from now on it ages like the others. While
        the clock is not set it is the other way round, and such a visit stays as it is. Returns whether anything has
        changed.
        """
        before = self._db.total_changes
        with self._written():
            if clock_set:
                self._db.execute("UPDATE visits SET seen = ? WHERE seen > ?", (now, now))
                self._db.execute("UPDATE visits SET first_seen = seen WHERE first_seen > seen")
            self._db.execute("DELETE FROM visits WHERE seen < ? OR embedder != ?", (now - keep_s, embedder))
            self._db.execute(
                "DELETE FROM visits WHERE stranger NOT IN "
                "(SELECT stranger FROM visits GROUP BY stranger ORDER BY max(seen) DESC, stranger DESC LIMIT ?)",
                (keep,),
            )
            self._db.executemany("DELETE FROM visits WHERE row = ?", [(row,) for row in self._surplus()])
        for damaged in self._path.parent.glob(f"{self._path.name}.damaged-*Z"):
            if now - damaged.stat().st_mtime > keep_s:
                damaged.unlink(missing_ok=True)
        return self._db.total_changes != before

    def reserve(self, count: int) -> range:
        """Numbers that no stranger has had, and that none will have again even if these are not used."""
        with self._written():
            latest: int | None = only_value(self._db, "SELECT max(stranger) FROM visits")
            first = max(only_value(self._db, NEXT), (latest or 0) + 1)
            self._set_next(first + count)
        return range(first, first + count)

    def give_back(self, numbers: Sequence[int]) -> None:
        """Hand back the latest reserved numbers, which nobody has got."""
        with self._written():
            if numbers and only_value(self._db, NEXT) == numbers[-1] + 1:
                self._set_next(numbers[0])

    def changed_by_others(self) -> bool:
        """Whether another process has written since the last call."""
        with explained(self._path, LAYOUT, "read"):
            before, self._version = self._version, self._data_version()
        return before != self._version

    def close(self) -> None:
        close(self._db)

    def _surplus(self) -> Iterable[int]:
        """The rows whose pictures are too much, oldest first."""
        total: int = only_value(self._db, "SELECT coalesce(sum(length(pictures)), 0) FROM visits")
        for row, size in self._db.execute("SELECT row, length(pictures) FROM visits ORDER BY seen").fetchall():
            if total <= MAX_BYTES:
                return
            total -= size
            yield row

    def _set_next(self, number: int) -> None:
        self._db.execute("UPDATE counters SET value = ? WHERE name = 'next'", (number,))

    def _data_version(self) -> int:
        version: int = only_value(self._db, "PRAGMA data_version")
        return version

    @contextmanager
    def _written(self) -> Iterator[None]:
        """One transaction. What it deletes is gone from the log as well, as soon as nobody reads."""
        with explained(self._path, LAYOUT, "written"):
            before = self._db.total_changes
            with transaction(self._db, "FULL"):
                yield
            if self._db.total_changes != before or self._log_holds_more:
                busy, *_ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                self._log_holds_more = bool(busy)


def number_of(text: str) -> int:
    """`stranger-3` or `3` as a number. Raises WhosthereError."""
    digits = text.removeprefix("stranger-")
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 9:
        raise WhosthereError(
            f"found {text!r}; allowed: a stranger such as stranger-3; `whosthere strangers list` shows all"
        )
    return int(digits)


def forget_everybody(path: Path) -> list[Path]:
    """Remove every stranger, since nobody knows who they are. Return the files that held somebody.

    The daemon goes on with the same file, unless it could not be read.
    """
    with as_owner(path):
        damaged = list(path.parent.glob(f"{path.name}.damaged-*Z"))
        if not path.exists():
            return []
        try:
            with closing(StrangersFile(path)) as file:
                numbers = {visit.stranger for visit in file.visits()}
                file.forget(numbers)
        except StorageError:
            remove_file(path)
            return [path, *damaged]
    return [*([path] if numbers else []), *damaged]


def remove_file(path: Path) -> bool:
    """Remove the file and everything beside it; whether there was anything."""
    found = [each for each in [path, *path.parent.glob(f"{path.name}[-.]*")] if each.exists()]
    for each in found:
        each.unlink(missing_ok=True)
    return bool(found)


def _times_of(number: int) -> str:
    return f"SELECT max(times) FROM visits WHERE stranger = {int(number)}"  # noqa: S608  (a number)


def _stranger(number: int, visits: Sequence[tuple[int, float, int, float, bytes]]) -> Stranger:
    """Somebody from their visits, oldest first, as `_WITHOUT_PICTURES` gives them."""
    _, seen, times, first_seen, embeddings = zip(*visits, strict=True)
    mean = direction(np.sum([np.frombuffer(embedding, np.float32) for embedding in embeddings], axis=0))
    return Stranger(number, max(times), min(first_seen), max(seen), mean)


def clear_pictures(folder: Path) -> list[Path]:
    """Remove every single picture of an unknown visitor, who may be anybody; the paths of those removed."""
    gone = []
    for path in sorted([*folder.glob("*.jpg"), *folder.glob("*.part")]) if folder.is_dir() else []:
        with suppress(OSError), as_owner(path):
            path.unlink()
            gone.append(path)
    return gone
