"""A database copied while others use it, and its rows put in the place of another's."""

import sqlite3
from contextlib import closing
from pathlib import Path

from edge.storage.database import explained, open_for_reading, open_or_replace, open_sound, transaction
from edge.storage.layout import Layout

_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"


def copy_database(path: Path, target: Path, layout: Layout) -> None:
    """Copy a database that may be in use into a new file. Raises StorageError."""
    with (
        explained(path, layout, "copied"),
        closing(open_for_reading(path, layout)) as db,
        closing(sqlite3.connect(target)) as copy,
    ):
        db.backup(copy)
        # One file, without a log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")


def check_database(path: Path, layout: Layout) -> None:
    """Read every row of a database that nobody uses. Raises StorageError when it is damaged or another's."""
    with explained(path, layout, "read"):
        open_sound(path, layout).close()


def replace_rows(path: Path, source: Path, layout: Layout) -> None:
    """Put all rows of `source`, which was checked, in the place of those at `path`: all of them or none.

    The database at `path` may be in use. Raises StorageError.
    """
    with explained(path, layout, "written"):
        db, _ = open_or_replace(path, layout)
        with closing(db):
            db.execute("ATTACH DATABASE ? AS source", (str(source),))
            with transaction(db, "FULL"):
                for (table,) in db.execute(_TABLES).fetchall():
                    # The names are those of the layout: other tables have been refused.
                    db.execute(f"DELETE FROM main.{table}")  # noqa: S608
                    db.execute(f"INSERT INTO main.{table} SELECT * FROM source.{table}")  # noqa: S608
            db.execute("DETACH DATABASE source")
