"""What a database of whosthere looks like: its tables, and what a row of it holds."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Database = sqlite3.Connection

Values = tuple[Any, ...]
"""A row as SQLite returns it, its number first."""


class GarbledRow(sqlite3.DatabaseError):
    """A row, or a whole table, that whosthere cannot have written."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of database."""

    name: str
    """As in "the tables of an outbox"."""
    key: str
    """The key of config.yaml that holds its path."""
    rows: str
    """What a row is, in the plural."""
    version: int
    """SQLite's `user_version`, which `tables` sets."""
    tables: str
    """The SQL that makes a new one, as one transaction."""
    table: str
    """The table whose rows are worth saving. Its first column is `row INTEGER PRIMARY KEY`."""
    columns: str
    """All columns of that table, the first one first."""
    check_row: Callable[[Values], object]
    """Raises GarbledRow for a row that whosthere cannot have written."""
    check_rest: Callable[[Database], None] = lambda _: None
    """Raises GarbledRow unless the other tables are sound."""
    pragmas: tuple[str, ...] = ()
    """Set on every connection."""

    @property
    def select(self) -> str:
        """The query for all rows, in any order."""
        # Constants: nothing from outside is in it.
        return f"SELECT {self.columns} FROM {self.table}"  # noqa: S608

    @property
    def insert(self) -> str:
        """The statement that adds a row as `select` returns it."""
        places = ", ".join("?" * len(self.columns.split(",")))
        return f"INSERT INTO {self.table} ({self.columns}) VALUES ({places})"  # noqa: S608


def decode_text(content: bytes) -> str:
    """Return text as a database holds it. A card that garbles a letter must not hold up the rows behind it."""
    return content.decode(errors="replace")


def only_value(db: Database, query: str) -> Any:
    """The one value that a query gives. Raises GarbledRow when it gives none."""
    row = db.execute(query).fetchone()
    if row is None:
        raise GarbledRow(f"nothing found by {query}")
    return row[0]
