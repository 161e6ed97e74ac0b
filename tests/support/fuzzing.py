"""Fuzz runs: how many cases, and the memory that they may take. `make fuzz` runs ten thousand of each kind."""

import os
from pathlib import Path

FULL = os.environ.get("WHOSTHERE_FULL") == "1"
MAX_MB = 300
"""The peak of a process that does nothing else: the interpreter, its libraries and the tests included."""
MAX_MORE_MB = 200
"""More than before, in a process that has run other tests."""


def cases(few: int) -> int:
    """Ten thousand by command, else a few."""
    return 10_000 if FULL else few


def memory_mb(kind: str = "VmHWM") -> int:
    """What this process holds (`VmRSS`), or held at most (`VmHWM`) since the last `forget_peak`."""
    # Not ru_maxrss, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{kind}:")[2].split()[0]) // 1024


def forget_peak() -> None:
    """Let `VmHWM` count from now on: proc(5), clear_refs."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
