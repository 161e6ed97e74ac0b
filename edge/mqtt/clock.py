"""Whether the wall clock is right.

A box without a battery-backed clock starts with the time at which it went down, or with 1970.
"""

import time
from collections.abc import Sequence
from pathlib import Path

TIMESYNCD = Path("/run/systemd/timesync")
"""The folder of systemd-timesyncd, which creates `synchronized` in it once a time server has answered."""
_SLACK_S = 60.0


class WallClock:
    """Whether times can be trusted; once they can, this is not checked again.

    Where systemd-timesyncd runs, it knows. Elsewhere the clock counts as set unless it is behind the files that this
    box has already written.
    """

    def __init__(self, written: Sequence[Path], timesyncd: Path = TIMESYNCD) -> None:
        self._written = written
        self._timesyncd = timesyncd
        self._set = False

    def is_set(self, now: float | None = None) -> bool:
        """`now` is the clock's time, in seconds since the epoch."""
        if not self._set:
            self._set = self._looks_set(time.time() if now is None else now)
        return self._set

    def _looks_set(self, now: float) -> bool:
        if self._timesyncd.is_dir():
            return (self._timesyncd / "synchronized").exists()
        return all(now >= _written_at(path) - _SLACK_S for path in self._written)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
