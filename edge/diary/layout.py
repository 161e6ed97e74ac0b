"""The tables of the diary."""

import zlib

import msgspec

from edge.diary.record import VisitRecord
from edge.storage.layout import GarbledRow, Layout, Values

_TABLES = """
    BEGIN IMMEDIATE;
    CREATE TABLE visit (
        row INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        started_at REAL NOT NULL,
        clock_set INTEGER NOT NULL,
        person TEXT,
        checksum INTEGER NOT NULL,
        record BLOB NOT NULL
    ) STRICT;
    CREATE INDEX visit_id ON visit (id);
    CREATE INDEX visit_started_at ON visit (started_at);
    CREATE INDEX visit_person ON visit (person, started_at);
    CREATE TABLE embedding (visit INTEGER PRIMARY KEY, vectors BLOB NOT NULL) STRICT;
    CREATE TABLE picture (visit INTEGER PRIMARY KEY, jpeg BLOB NOT NULL) STRICT;
    PRAGMA user_version = 1;
    COMMIT;
"""
EXTRAS = ("embedding", "picture")
"""The tables of what is kept for a shorter time. They are not saved from a damaged file."""


def encode(record: VisitRecord) -> Values:
    """A record as all columns of its row but the first."""
    content = msgspec.json.encode(record)
    return record.id, record.started_at, int(record.clock_set), record.person_id, zlib.crc32(content), content


def decode(values: Values) -> VisitRecord:
    """The record of a whole row. Raises GarbledRow when anything in it has changed."""
    row, *columns = values
    try:
        record = msgspec.json.decode(columns[-1], type=VisitRecord)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError) as error:
        raise GarbledRow(f"row {row} does not hold a visit") from error
    known = (record.id, record.started_at, int(record.clock_set), record.person_id, zlib.crc32(columns[-1]))
    if not isinstance(row, int) or tuple(columns[:-1]) != known:
        raise GarbledRow(f"row {row} is garbled")
    return record


LAYOUT = Layout(
    name="a diary",
    key="diary.path",
    rows="visits",
    version=1,
    tables=_TABLES,
    table="visit",
    columns="row, id, started_at, clock_set, person, checksum, record",
    check_row=decode,
    # What is deleted is overwritten. The log stays small: it counts towards diary.max_mb.
    pragmas=(
        "busy_timeout = 5000",
        "journal_mode = WAL",
        "secure_delete = ON",
        "wal_autocheckpoint = 50",
        "journal_size_limit = 262144",
    ),
)
