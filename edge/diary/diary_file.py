"""The diary on disk: one row per visit, bounded by days and by megabytes. For one writer; others may read meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.config.diary import DiarySettings
from edge.diary.layout import EXTRAS, LAYOUT, decode, encode
from edge.diary.record import VisitRecord
from edge.records import Vector
from edge.storage.database import close, explained, open_or_replace, transaction
from edge.storage.layout import only_value
from edge.storage.salvage import discard_damaged

if TYPE_CHECKING:
    import numpy as np
else:
    from edge import lazy_numpy as np

DAY_S = 86_400.0
_LOG_BYTES = 400_000
"""Room for the log beside the file, within `max_mb`."""
_AT_ONCE = 20
"""How many visits are removed in one transaction: it has to fit into the log."""
_LAST_ROW = 2**63 - 1
_ROW_BYTES = 3 * 4096
"""At most this much is added to a row by indices and by pages that are not full."""


@dataclass(frozen=True, slots=True, eq=False)
class NewVisit:
    """What is written about a visit."""

    record: VisitRecord
    embeddings: tuple[Vector, ...] = ()
    jpeg: bytes | None = None
    """The best picture of the visitor's face."""

    @property
    def size(self) -> int:
        """Bytes, without those of the database itself."""
        return len(encode(self.record)[-1]) + sum(v.nbytes for v in self.embeddings) + len(self.jpeg or b"")


class DiaryFile:
    """Every method raises StorageError when the disk is full, read-only or failing."""

    def __init__(self, path: Path, max_mb: int) -> None:
        """Open the diary, or begin one. One that cannot be read whole is set aside, and its readable visits kept."""
        self._path = path
        self._max_bytes = max_mb * 10**6 - _LOG_BYTES
        with self._explained("opened"):
            self._db, self.was_replaced = open_or_replace(path, LAYOUT)

    @property
    def visits(self) -> int:
        with self._explained("read"):
            return int(only_value(self._db, "SELECT count(*) FROM visit"))

    @property
    def size_mb(self) -> float:
        """The size of the file, without its log."""
        with self._explained("read"):
            return float(only_value(self._db, "PRAGMA page_count")) * self._page() / 10**6

    def add(self, visit: NewVisit) -> None:
        """Add a visit; it survives a power cut once this returns. The oldest ones make room for it."""
        with self._explained("written"):
            self._make_room(visit.size + _ROW_BYTES)
            with transaction(self._db, "FULL"):
                insert = "INSERT INTO visit (id, started_at, clock_set, person, checksum, record) VALUES (?,?,?,?,?,?)"
                row = self._db.execute(insert, encode(visit.record)).lastrowid
                if visit.embeddings:
                    vectors = np.stack(visit.embeddings).astype("<f4").tobytes()
                    self._db.execute("INSERT INTO embedding VALUES (?, ?)", (row, vectors))
                if visit.jpeg is not None:
                    self._db.execute("INSERT INTO picture VALUES (?, ?)", (row, visit.jpeg))

    def expire(self, now: float, settings: DiarySettings) -> None:
        """Remove what is older than its time; `now` is seconds since the epoch, of a clock that is set.

        Visits from before the clock was set go together with the next ones, whose times are known.
        """
        with self._explained("written"):
            for table, days in (("embedding", settings.embeddings_days), ("picture", settings.pictures_days)):
                last = self._last_before(now - days * DAY_S) if days else _LAST_ROW
                self._remove_extras(table, last)
            if (last := self._last_before(now - settings.keep_days * DAY_S)) is not None:
                self._remove_up_to(last)
            self._shrink()

    def forget(self, person: str) -> int:
        """Remove a person, leaving no trace of them in any file; the number of visits that were removed or changed.

        Visits that name them go. In others, which they only resembled, they become nobody; and pictures and embeddings
        of everybody without a name go too, because whom they show is unknown.
        """
        with self._explained("written"):
            with transaction(self._db, "FULL"):
                changed = sum(self._without(row, record, person) for row, record in self._all())
            self._empty_log()
            discard_damaged(self._path)
        return changed

    def visits_with(self, person: str, unless: str) -> list[str]:
        """The ids of visits in which one person occurs and the other does not."""
        with self._explained("read"):
            found = [record for _, record in self._all()]
        return [one.id for one in found if person in one.people and unless not in one.people]

    def reassign(self, old: str, new: str, only: Collection[str] | None = None) -> int:
        """Give one person's visits to another; `only` these, or all. Returns how many were changed."""
        changed = 0
        with self._explained("written"), transaction(self._db, "FULL"):
            for row, record in self._all():
                if old in record.people and (only is None or record.id in only):
                    _, _, _, *values = encode(record.reassigned(old, new))
                    self._db.execute(
                        "UPDATE visit SET person = ?, checksum = ?, record = ? WHERE row = ?", (*values, row)
                    )
                    changed += 1
        return changed

    def close(self) -> None:
        """Write what the log holds into the database itself. Never raises."""
        close(self._db)

    def _all(self) -> Iterator[tuple[int, VisitRecord]]:
        """Every row, while rows are changed: a few at a time."""
        query, row = f"{LAYOUT.select} WHERE row > ? ORDER BY row LIMIT {_AT_ONCE}", 0
        while some := self._db.execute(query, (row,)).fetchall():
            for values in some:
                row = values[0]
                yield row, decode(values)

    def _without(self, row: int, record: VisitRecord, person: str) -> bool:
        """Forget a person in one visit; whether they were in it."""
        left = record.without([person])
        if left != record or record.person_id is None:
            self._remove_extras_of([row])
        if left is None:
            self._db.execute("DELETE FROM visit WHERE row = ?", (row,))
        elif left != record:
            self._db.execute("UPDATE visit SET checksum = ?, record = ? WHERE row = ?", (*encode(left)[-2:], row))
        return left != record

    def _page(self) -> int:
        return int(only_value(self._db, "PRAGMA page_size"))

    def _used(self) -> int:
        """Bytes of the pages in use."""
        pages = only_value(self._db, "PRAGMA page_count") - only_value(self._db, "PRAGMA freelist_count")
        return int(pages) * self._page()

    def _make_room(self, wanted: int) -> None:
        while self._used() + wanted > self._max_bytes:
            oldest = self._db.execute("SELECT row FROM visit ORDER BY row LIMIT ?", (_AT_ONCE // 10,)).fetchall()
            if not oldest:
                return
            self._remove_rows([row for (row,) in oldest])

    def _last_before(self, limit: float) -> int | None:
        """The last row of those that began before a time; None: there is none."""
        query = "SELECT max(row) FROM visit WHERE clock_set AND started_at < ?"
        (row,) = self._db.execute(query, (limit,)).fetchone()
        return None if row is None else int(row)

    def _remove_up_to(self, last: int) -> None:
        query = "SELECT row FROM visit WHERE row <= ? ORDER BY row LIMIT ?"
        while rows := self._db.execute(query, (last, _AT_ONCE)).fetchall():
            self._remove_rows([row for (row,) in rows])

    def _remove_rows(self, rows: list[int]) -> None:
        with transaction(self._db, "NORMAL"):
            self._remove_extras_of(rows)
            self._db.executemany("DELETE FROM visit WHERE row = ?", [(row,) for row in rows])

    def _remove_extras_of(self, rows: Iterable[int]) -> None:
        for table in EXTRAS:
            self._db.executemany(f"DELETE FROM {table} WHERE visit = ?", [(row,) for row in rows])  # noqa: S608

    def _remove_extras(self, table: str, last: int | None) -> None:
        """Remove those of the rows up to `last`; None: none."""
        if last is None:
            return
        query = f"SELECT visit FROM {table} WHERE visit <= ? ORDER BY visit LIMIT ?"  # noqa: S608  (a constant)
        while rows := self._db.execute(query, (last, _AT_ONCE)).fetchall():
            with transaction(self._db, "NORMAL"):
                self._db.executemany(f"DELETE FROM {table} WHERE visit = ?", rows)  # noqa: S608

    def _shrink(self) -> None:
        """Give room back to the disk when the file is larger than it may be: its limit was lowered."""
        self._make_room(0)
        if only_value(self._db, "PRAGMA page_count") * self._page() > self._max_bytes:
            self._db.execute("VACUUM")
            self._empty_log()

    def _empty_log(self) -> None:
        busy, *_ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise TimeoutError("another program is reading it; try again")

    def _explained(self, verb: str) -> AbstractContextManager[None]:
        return explained(self._path, LAYOUT, verb)
