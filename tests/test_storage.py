"""Databases of other versions: never read, never taken over, always kept."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge.storage.database import open_for_reading, open_or_replace
from edge.storage.layout import GarbledRow, Layout

LAYOUT = Layout(
    name="a test",
    key="test.path",
    rows="rows",
    version=3,
    tables="BEGIN; CREATE TABLE thing (row INTEGER PRIMARY KEY, text TEXT); PRAGMA user_version = 3; COMMIT",
    table="thing",
    columns="row, text",
    check_row=lambda _: None,
    pragmas=("journal_mode = WAL",),
)


def made(path: Path, version: int, *, empty: bool = False) -> Path:
    """A database that says it is of this version, with one row or without any table."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        if not empty:
            db.executescript(LAYOUT.tables)
            db.execute("INSERT INTO thing VALUES (1, 'kept')")
        db.execute(f"PRAGMA user_version = {version}")
    return path


@pytest.mark.parametrize("version", [-1, 0, 2, 4, 9])
def test_another_version_is_not_read(tmp_path: Path, version: int) -> None:
    path = made(tmp_path / "file.sqlite3", version)
    before = path.read_bytes()
    with pytest.raises(GarbledRow, match=f"found version {version}, this whosthere needs version 3"):
        open_for_reading(path, LAYOUT)
    assert path.read_bytes() == before
    with closing(open_for_reading(made(tmp_path / "ours.sqlite3", 3), LAYOUT)) as db:
        assert db.execute("SELECT text FROM thing").fetchall() == [("kept",)]


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("version", [-1, 2, 4, 9])
def test_another_version_is_set_aside_with_what_it_holds(tmp_path: Path, version: int, empty: bool) -> None:
    path = made(tmp_path / "file.sqlite3", version, empty=empty)
    db, replaced = open_or_replace(path, LAYOUT)
    with closing(db):
        assert replaced
        assert db.execute("SELECT text FROM thing").fetchall() == ([] if empty else [("kept",)])
    [aside] = tmp_path.glob("file.sqlite3.damaged-*Z")
    with closing(sqlite3.connect(aside)) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (version,)


def test_an_empty_file_becomes_ours(tmp_path: Path) -> None:
    path = made(tmp_path / "file.sqlite3", 0, empty=True)
    db, replaced = open_or_replace(path, LAYOUT)
    with closing(db):
        assert not replaced
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
