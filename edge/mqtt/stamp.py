"""How old an event is, without trusting the wall clock.

A box without a battery-backed clock comes back from a power cut with the time it went down at, and a
clock that is set by the network may jump either way: with wall-clock times an event of hours ago can
look fresh and open a door. So events are stamped with the time since boot and with the boot's identity.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment of one boot of this machine."""

    boot: str
    seconds: float
    """Since that boot, suspension included."""

    def earlier(self, by_s: float) -> "Stamp":
        return Stamp(self.boot, self.seconds - by_s)

    def age_s(self, now: "Stamp") -> float | None:
        """Seconds from this moment to `now`; None when the machine has been booted in between."""
        return now.seconds - self.seconds if now.boot == self.boot else None


def stamper() -> Callable[[], Stamp]:
    """A clock that gives stamps.

    Where the system names no boot (not Linux) every process counts as one.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        clock = time.CLOCK_BOOTTIME
    except (OSError, AttributeError):
        boot, clock = uuid.uuid4().hex, time.CLOCK_MONOTONIC
    return lambda: Stamp(boot, time.clock_gettime(clock))
