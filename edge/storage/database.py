"""A database, opened only when every row of it can be read; one that cannot be read whole is replaced."""

import errno
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from edge.errors import WhosthereError
from edge.owner import decider
from edge.regular_file import make_regular, open_regular, require_regular
from edge.storage.layout import Database, GarbledRow, Layout, decode_text, only_value
from edge.storage.salvage import salvage, set_aside

_log = logging.getLogger("whosthere.storage")

_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM}
"""Result codes that say nothing about the file: it may be in order."""
_DISK = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM}
"""Result codes for which the disk or the file may be to blame."""


class StorageError(WhosthereError):
    """A database cannot be read or written."""

    def __init__(self, message: str, *, damaged: bool = False) -> None:
        super().__init__(message)
        self.damaged = damaged
        """True: close it; opening it again moves it aside and starts a new one."""


def open_or_replace(path: Path, layout: Layout) -> tuple[Database, bool]:
    """A sound database with our tables, and whether it replaces one that was not.

    Raises sqlite3.Error, UnicodeDecodeError and OSError: use it within `explained`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = _new_name(path)
    if new.exists() and not path.exists():
        # Replacing a damaged one was interrupted between its last two steps.
        new.replace(path)
    try:
        return open_sound(path, layout), False
    except sqlite3.Error as error:
        if _primary_code(error) in _PASSING:
            raise
        _replace(path, layout, error)
    return open_sound(path, layout), True


def open_sound(path: Path, layout: Layout) -> Database:
    """Open a database of which every row can be read. Raises sqlite3.Error when it is damaged or not ours."""
    _check_files(path)
    # It says who came when: nobody else may read it.
    make_regular(path)
    db = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    db.text_factory = decode_text
    try:
        _check(db, layout)
        _check_header(path, layout)
    except sqlite3.Error:
        db.close()
        raise
    except UnicodeDecodeError as error:
        # Python's sqlite3 cannot decode a message that quotes a garbled name.
        db.close()
        raise GarbledRow("a name in it is garbled") from error
    return db


def open_for_reading(path: Path, layout: Layout) -> Database:
    """Open a database that another process may be writing, without checking every row. Raises sqlite3.Error."""
    _check_files(path)
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0, isolation_level=None)
    db.text_factory = decode_text
    try:
        version = only_value(db, "PRAGMA user_version")
        if version != layout.version:
            raise GarbledRow(f"found version {version}, this whosthere needs version {layout.version}")
    except sqlite3.Error:
        db.close()
        raise
    return db


def first_page(layout: Layout) -> bytes:
    """The first page of a new database: its header and the description of its tables."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(layout.tables)
        page = bytearray(db.serialize())
    # Written and read with a write-ahead log: https://www.sqlite.org/fileformat.html, 1.3.3.
    page[18:20] = b"\2\2"
    return bytes(page)


def close(db: Database) -> None:
    """Write what the log holds into the database itself, unless another process still uses it. Never raises."""
    with suppress(sqlite3.Error):
        db.close()


@contextmanager
def explained(path: Path, layout: Layout, verb: str) -> Iterator[None]:
    """Whatever SQLite and the disk raise becomes a StorageError: "cannot be `verb`"."""
    try:
        yield
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if _primary_code(error) not in _PASSING | _DISK:
            raise StorageError(f"{layout.key}: {path} is damaged: {error}", damaged=True) from error
        advice = _advice(error, layout)
        raise StorageError(f"{layout.key}: {path} cannot be {verb}: {error}; {advice}") from error
    except OSError as error:
        raise StorageError(f"{layout.key}: {path} cannot be {verb}: {error.strerror or error}") from error


@contextmanager
def transaction(db: Database, synchronous: str) -> Iterator[None]:
    """Do all of the body, or nothing of it. `FULL`: it survives a power cut once this returns; `NORMAL`: it may not."""
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # On a full disk SQLite has already rolled back.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _check_files(path: Path) -> None:
    """Raises OSError for files that SQLite must not open.

    It waits at pipes. As root it would follow links that the owner of the folder can plant at any moment.
    """
    owner = decider(path) if os.geteuid() == 0 else None
    if owner is not None:
        raise PermissionError(
            errno.EPERM,
            f"found root at work in a folder of the user {owner}, whose links could lead it anywhere; run this as that "
            f"user (`sudo -u '#{owner}' ...`), or give the folder to root",
        )
    for suffix in ("", "-wal", "-shm", "-journal"):
        require_regular(path.with_name(path.name + suffix))


def _check(db: Database, layout: Layout) -> None:
    """Make a new database ours. Raises sqlite3.Error and UnicodeDecodeError unless it is a sound one."""
    for pragma in layout.pragmas:
        db.execute(f"PRAGMA {pragma}")
    verdict = only_value(db, "PRAGMA integrity_check(1)")
    if verdict != "ok":
        raise GarbledRow(verdict)
    version = only_value(db, "PRAGMA user_version")
    if version == 0 and not only_value(db, "SELECT count(*) FROM sqlite_schema"):
        db.executescript(layout.tables)
    elif version != layout.version:
        raise GarbledRow(f"found version {version}, this whosthere needs version {layout.version}")
    _check_content(db, layout)


def _check_header(path: Path, layout: Layout) -> None:
    """Raises GarbledRow when a header has what SQLite notices too late: read-only, another encoding."""
    with open_regular(path) as file:
        header = file.read(100)
    ours = first_page(layout)
    fixed = header[16:24] == ours[16:24]
    # Zero as long as the tables are only in the log.
    later = all(header[n : n + 4] in {ours[n : n + 4], bytes(4)} for n in (44, 56))
    if not (fixed and later):
        raise GarbledRow(f"its header is not that of {layout.name}")


def _check_content(db: Database, layout: Layout) -> None:
    """Raises GarbledRow unless the tables are those of the layout and every row can be read."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as ours:
        ours.executescript(layout.tables)
        if _schema(db) != _schema(ours):
            raise GarbledRow(f"its tables are not those of {layout.name}")
    layout.check_rest(db)
    for values in db.execute(f"{layout.select} ORDER BY row"):
        layout.check_row(values)


def _schema(db: Database) -> list[tuple[object, ...]]:
    return db.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema ORDER BY rowid").fetchall()


def _replace(path: Path, layout: Layout, error: sqlite3.Error) -> None:
    """Put a new database, with all rows that can still be read, in the place of one that cannot be read whole.

    Raises `error` when no new one can be written: then the disk is at fault, not the file.
    """
    new = _new_name(path)
    try:
        rows = salvage(path, layout, first_page(layout))
        new.unlink(missing_ok=True)
        with closing(open_sound(new, layout)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(layout.insert, rows)
            db.execute("COMMIT")
        aside = set_aside(path)
        new.replace(path)
    except (sqlite3.Error, OSError) as other:
        raise error from other
    _log.error(
        "%s: %s cannot be read whole (%s); it is now %s, and a new one holds the %d %s that could still be read. If "
        "this happens again, replace the card or disk",
        layout.key, path, error, aside, len(rows), layout.rows,
    )  # fmt: skip


def _new_name(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _primary_code(error: Exception) -> int:
    """SQLite's result code; SQLITE_CORRUPT for what Python itself cannot read."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF


def _advice(error: Exception, layout: Layout) -> str:
    match _primary_code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"is another whosthere using the same {layout.name.split()[-1]}?"
        case sqlite3.SQLITE_FULL:
            return "make room on that disk"
    return "the file and its folder must be writable for whosthere"
