"""The table of strangers: a row per visit. Who has no row left is forgotten."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from edge.records import Vector, read_only
from edge.storage.layout import Database, GarbledRow, Layout, Values, only_value
from edge.stored_vector import is_unit_vector

if TYPE_CHECKING:
    import numpy as np
else:
    from edge import lazy_numpy as np

_TABLES = """
    BEGIN IMMEDIATE;
    CREATE TABLE visits (
        row INTEGER PRIMARY KEY,
        stranger INTEGER NOT NULL,
        visit TEXT NOT NULL,
        seen REAL NOT NULL,
        times INTEGER NOT NULL,
        first_seen REAL NOT NULL,
        embedder TEXT NOT NULL,
        embedding BLOB NOT NULL,
        pictures BLOB NOT NULL
    ) STRICT;
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    INSERT INTO counters VALUES ('next', 1);
    PRAGMA user_version = 1;
    COMMIT;
"""
NEXT = "SELECT value FROM counters WHERE name = 'next'"


class StrangerPicture(msgspec.Struct, frozen=True, array_like=True):
    """A good face of a stranger, as it is kept."""

    quality: float
    """The score, 0..1, which says how well it recognises them."""
    jpeg: bytes
    value: float | None = None
    """How good it is to look at, 0..1; None: nobody asked when it was kept."""

    @property
    def worth(self) -> float:
        """For the order in which people are shown pictures."""
        return self.quality if self.value is None else self.value


class StrangerVisitRow(msgspec.Struct, frozen=True):
    """One visit of a stranger. Times are seconds since the epoch."""

    stranger: int
    visit: str
    seen: float
    times: int
    """How often they had come, this visit included."""
    first_seen: float
    embedder: str
    """The SHA-256 of the embedder's file: another one cannot compare the embedding."""
    embedding: bytes
    """float32, a unit vector."""
    pictures: bytes
    """StrangerPictures as MessagePack."""

    @property
    def vector(self) -> Vector:
        return read_only(np.frombuffer(self.embedding, np.float32))

    @property
    def unpacked(self) -> list[StrangerPicture]:
        return msgspec.msgpack.decode(self.pictures, type=list[StrangerPicture])


def packed(faces: list[StrangerPicture]) -> bytes:
    return msgspec.msgpack.encode(faces)


def checked(values: Values) -> StrangerVisitRow:
    """Return a row as a visit. Raises GarbledRow for one that whosthere cannot have written."""
    match values:
        case (
            int(), int(stranger), str(visit), float(seen), int(times), float(first), str(embedder),
            bytes(vector), bytes(pictures),
        ):  # fmt: skip
            found = StrangerVisitRow(stranger, visit, seen, times, first, embedder, vector, pictures)
            if stranger > 0 and times > 0 and math.isfinite(seen) and math.isfinite(first) and _is_whole(found):
                return found
    raise GarbledRow(f"row {values[0]} does not hold a visit of a stranger")


def _is_whole(row: StrangerVisitRow) -> bool:
    if not is_unit_vector(row.embedding):
        return False
    try:
        pictures = row.unpacked
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return all(0 <= picture.quality <= 1 and 0 <= picture.worth <= 1 for picture in pictures)


def _check_counters(db: Database) -> None:
    following = only_value(db, NEXT)
    if not isinstance(following, int) or following < 1:
        raise GarbledRow("its counter of strangers is garbled")


LAYOUT = Layout(
    name="a file of strangers",
    key="strangers.path",
    rows="visits",
    version=1,
    tables=_TABLES,
    table="visits",
    columns="row, stranger, visit, seen, times, first_seen, embedder, embedding, pictures",
    check_row=checked,
    check_rest=_check_counters,
    # Not exclusive: `whosthere strangers` works beside the daemon.
    pragmas=("journal_mode = WAL", "secure_delete = ON"),
)
