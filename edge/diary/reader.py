"""Reads the diary while the daemon may be writing it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edge.diary.layout import LAYOUT, decode
from edge.diary.record import VisitRecord
from edge.errors import UsageError
from edge.records import Vector, read_only
from edge.storage.database import close, explained, open_for_reading
from edge.storage.layout import GarbledRow

if TYPE_CHECKING:
    import numpy as np
else:
    from edge import lazy_numpy as np

LAST = "last"
_UNIT_TOLERANCE = 1e-3


class NoSuchVisit(UsageError):
    """No visit has that id, or several begin with it."""


class DiaryReader:
    """The visits of a box. Raises StorageError when the file is missing, damaged or not readable."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._explained("read"):
            if not path.exists():
                raise FileNotFoundError("no such file yet; the daemon writes it when the first visit ends")
            if not os.access(path, os.R_OK):
                raise PermissionError("it is private; run this as root, with sudo")
            self._db = open_for_reading(path, LAYOUT)

    def __enter__(self) -> DiaryReader:
        return self

    def __exit__(self, *_: object) -> None:
        close(self._db)

    def visits(
        self, limit: int, *, since: float | None = None, until: float | None = None, person: str | None = None
    ) -> list[VisitRecord]:
        """The last `limit` visits, oldest first, that began from `since` until before `until`, epoch seconds.

        `person` is the id of whom they name; `""`: those without a name.
        """
        wanted = "(?1 IS NULL OR started_at >= ?1) AND (?2 IS NULL OR started_at < ?2)"
        named = {None: "TRUE", "": "person IS NULL"}.get(person, "person = ?3")
        # A constant: what is asked for is bound.
        query = f"{LAYOUT.select} WHERE {wanted} AND {named} AND (?3 IS NULL OR TRUE) ORDER BY row DESC LIMIT ?4"
        return self._decoded(query, (since, until, person, limit))[::-1]

    def find(self, name: str) -> VisitRecord:
        """The visit of this id, or whose id begins so and no other's; `last` is the newest. Raises NoSuchVisit."""
        if name == LAST:
            found = self.visits(1)
        else:
            pattern = "".join(f"\\{c}" if c in "%_\\" else c for c in name)
            query = f"{LAYOUT.select} WHERE id = ?1 OR id LIKE ?2 ESCAPE '\\' ORDER BY id != ?1, row LIMIT 6"
            found = self._decoded(query, (name, f"{pattern}%"))
        if not found or not name:
            raise NoSuchVisit(f"{self._path}: found no visit {name!r}; `whosthere visits` lists them")
        if len(found) > 1 and found[0].id != name:
            several = ", ".join(one.id for one in found[:5])
            raise NoSuchVisit(f"{self._path}: several visits begin with {name!r}: {several}; give more of the id")
        return found[0]

    def embeddings(self, visit: str, dimensions: int) -> list[Vector]:
        """The visit's probes, each of length one: all faces together, then groups. Empty: none were kept."""
        content = self._extra("embedding", "vectors", visit)
        if content is None or len(content) % (4 * dimensions):
            return []
        vectors = np.frombuffer(content, "<f4").reshape(-1, dimensions).astype(np.float32)
        if not np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=_UNIT_TOLERANCE):
            return []
        return list(read_only(vectors))

    def picture(self, visit: str) -> bytes | None:
        """The best picture of the visitor's face, as a JPEG; None: none was kept."""
        return self._extra("picture", "jpeg", visit)

    def visits_after(self, visit: str | None, limit: int) -> list[VisitRecord]:
        """At most `limit` visits that were written after this one, the newest, oldest first; None: of all visits."""
        wanted = "?1 IS NULL OR row > (SELECT max(row) FROM visit WHERE id = ?1)"
        query = f"{LAYOUT.select} WHERE {wanted} ORDER BY row DESC LIMIT ?2"
        return self._decoded(query, (visit, limit))[::-1]

    def newest(self) -> str | None:
        """The id of the visit that was written last."""
        with self._explained("read"):
            row = self._db.execute("SELECT id FROM visit ORDER BY row DESC LIMIT 1").fetchone()
        return None if row is None else str(row[0])

    def pictured(self, visits: Iterable[str]) -> set[str]:
        """Those of the visits, by id, whose best picture was kept."""
        return self._having("picture", list(visits))

    def embedded(self, visits: Iterable[str]) -> set[str]:
        """Those of the visits, by id, whose embeddings were kept: they can be corrected."""
        return self._having("embedding", list(visits))

    def _having(self, table: str, visits: list[str]) -> set[str]:
        marks = ",".join("?" * len(visits))
        query = f"SELECT id FROM visit WHERE id IN ({marks}) AND row IN (SELECT visit FROM {table})"  # noqa: S608
        with self._explained("read"):
            return {row[0] for row in self._db.execute(query, visits)}

    def _extra(self, table: str, column: str, visit: str) -> bytes | None:
        query = f"SELECT {column} FROM {table} JOIN visit ON visit.row = {table}.visit WHERE visit.id = ?"  # noqa: S608
        with self._explained("read"):
            row = self._db.execute(query, (visit,)).fetchone()
        return None if row is None else bytes(row[0])

    def _decoded(self, query: str, values: tuple[object, ...]) -> list[VisitRecord]:
        """The records of a query. A garbled one is left out: the daemon saves the others when it notices."""
        found = []
        with self._explained("read"):
            for row in self._db.execute(query, values):
                with suppress(GarbledRow):
                    found.append(decode(row))
        return found

    def _explained(self, verb: str) -> AbstractContextManager[None]:
        return explained(self._path, LAYOUT, verb)
