"""The database of the outbox, opened only when every row of it can be read."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from edge.mqtt.outbox_salvage import COLUMNS, checked, decode_text

_VERSION = 1
_TABLES = """
    BEGIN IMMEDIATE;
    CREATE TABLE waiting (
        row INTEGER PRIMARY KEY,
        event_id TEXT NOT NULL,
        boot TEXT NOT NULL,
        seconds REAL NOT NULL,
        payload BLOB NOT NULL
    ) STRICT;
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    INSERT INTO counters VALUES ('dropped', 0);
    PRAGMA user_version = 1;
    COMMIT;
"""
OLDEST = f"SELECT {COLUMNS} FROM waiting ORDER BY row"  # noqa: S608  (a constant)
DROPPED = "SELECT value FROM counters WHERE name = 'dropped'"


def open_sound(path: Path) -> sqlite3.Connection:
    """Open a database of which every row can be read. Raises sqlite3.Error when it is damaged or not ours."""
    # It says who came when: nobody else may read it.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    db.text_factory = decode_text
    try:
        _check(db)
        _check_header(path)
    except sqlite3.Error:
        db.close()
        raise
    except UnicodeDecodeError as error:
        # Python's sqlite3 cannot decode a message that quotes a garbled name.
        db.close()
        raise sqlite3.DatabaseError("a name in it is garbled") from error
    return db


def _check(db: sqlite3.Connection) -> None:
    """Make a new database an outbox. Raises sqlite3.Error and UnicodeDecodeError unless it is a sound one."""
    # Exclusive: a second daemon on the same outbox would send everything twice.
    for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "secure_delete = FAST"):
        db.execute(f"PRAGMA {pragma}")
    verdict = only_value(db, "PRAGMA integrity_check(1)")
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    version = only_value(db, "PRAGMA user_version")
    if version == 0 and not only_value(db, "SELECT count(*) FROM sqlite_schema"):
        db.executescript(_TABLES)
    elif version != _VERSION:
        raise sqlite3.DatabaseError(f"found version {version}, this whosthere needs version {_VERSION}")
    _check_content(db)


def _check_header(path: Path) -> None:
    """Raises sqlite3.DatabaseError when a header has what SQLite notices too late: read-only, another encoding."""
    with path.open("rb") as file:
        header = file.read(100)
    ours = first_page()
    fixed = header[16:24] == ours[16:24]
    # Zero as long as the tables are only in the log.
    later = all(header[n : n + 4] in {ours[n : n + 4], bytes(4)} for n in (44, 56))
    if not (fixed and later):
        raise sqlite3.DatabaseError("its header is not that of an outbox")


def _check_content(db: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError unless the tables are those of `_TABLES` and every row can be read."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as ours:
        ours.executescript(_TABLES)
        if _schema(db) != _schema(ours):
            raise sqlite3.DatabaseError("its tables are not those of an outbox")
    dropped = only_value(db, DROPPED)
    if not isinstance(dropped, int) or dropped < 0:
        raise sqlite3.DatabaseError("its counter of dropped events is garbled")
    for values in db.execute(OLDEST):
        checked(values)


def _schema(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return db.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid").fetchall()


def first_page() -> bytes:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(_TABLES)
        page = bytearray(db.serialize())
    # Written and read with a write-ahead log: https://www.sqlite.org/fileformat.html, 1.3.3.
    page[18:20] = b"\2\2"
    return bytes(page)


def only_value(db: sqlite3.Connection, query: str) -> Any:
    """The one value that a query gives. Raises sqlite3.DatabaseError when it gives none."""
    row = db.execute(query).fetchone()
    if row is None:
        raise sqlite3.DatabaseError(f"nothing found by {query}")
    return row[0]
