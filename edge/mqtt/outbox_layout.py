"""The tables of the outbox."""

from typing import Any, NamedTuple

from edge.mqtt.queued_event import BootTime, OutboxEntry
from edge.storage.layout import Database, GarbledRow, Layout, only_value

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
DROPPED = "SELECT value FROM counters WHERE name = 'dropped'"


class Row(NamedTuple):
    """One row of the table `waiting`."""

    number: int
    entry: OutboxEntry


def checked(values: tuple[Any, ...]) -> Row:
    """Return a row as an entry. Raises GarbledRow for one that whosthere cannot have written."""
    match values:
        case (int(number), str(event_id), str(boot), float(seconds), bytes(payload)):
            return Row(number, OutboxEntry(event_id, BootTime(boot, seconds), payload))
    raise GarbledRow(f"row {values[0]} does not hold an event")


def _check_counters(db: Database) -> None:
    dropped = only_value(db, DROPPED)
    if not isinstance(dropped, int) or dropped < 0:
        raise GarbledRow("its counter of dropped events is garbled")


LAYOUT = Layout(
    name="an outbox",
    key="mqtt.outbox.path",
    rows="events",
    version=1,
    tables=_TABLES,
    table="waiting",
    columns="row, event_id, boot, seconds, payload",
    check_row=checked,
    check_rest=_check_counters,
    # Exclusive: a second daemon on the same outbox would send everything twice.
    pragmas=("locking_mode = EXCLUSIVE", "journal_mode = WAL", "secure_delete = FAST"),
)
OLDEST = f"{LAYOUT.select} ORDER BY row"
