"""The state of the box: temperature, throttling, power, clock, memory and disk."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")
STATUS = Path("/proc/self/status")
THROTTLED = (
    Path("/sys/devices/platform/soc/soc:firmware/get_throttled"),
    Path("/sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"),
)
"""Where the Raspberry Pi's kernel has the firmware's flags: up to the Pi 4, and on the Pi 5."""
TIMESYNC = Path("/run/systemd/timesync/synchronized")
VCGENCMD_S = 2.0


class Throttling(NamedTuple):
    """The limits that a Raspberry Pi's firmware has imposed, now and since power-on.

    Bits as documented for `vcgencmd get_throttled`.
    """

    throttled: bool
    """Slowed down now, by heat or lack of power."""
    under_voltage: bool
    has_been_throttled: bool
    has_had_under_voltage: bool


def temperature_c() -> float | None:
    """The CPU's temperature in °C; None where the kernel does not report it."""
    try:
        return int(THERMAL.read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):
        return None


def throttling() -> Throttling | None:
    """Read the flags from sysfs, or from vcgencmd; None without either, as on anything but a Raspberry Pi."""
    for path in THROTTLED:
        try:
            return decode_throttled(path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    try:
        done = subprocess.run(
            ["vcgencmd", "get_throttled"], capture_output=True, text=True, timeout=VCGENCMD_S, check=True
        )
        return decode_throttled(done.stdout.partition("=")[2])
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def decode_throttled(text: str) -> Throttling:
    """Decode hexadecimal flags such as `50005` or `0x50005`. Raises ValueError."""
    bits = int(text.strip(), 16)
    return Throttling(
        throttled=bool(bits & 0b1110),
        under_voltage=bool(bits & 1),
        has_been_throttled=bool(bits >> 16 & 0b1110),
        has_had_under_voltage=bool(bits >> 16 & 1),
    )


def clock_synchronised() -> bool | None:
    """Whether systemd-timesyncd has set the clock since boot; None where it does not run."""
    return TIMESYNC.exists() if TIMESYNC.parent.exists() else None


def memory_mb() -> float:
    """The resident memory of this process in MiB; 0 where the kernel does not report it."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)


def disk_free_mb(folder: Path) -> int | None:
    """The free space on the folder's disk in MB; None when it cannot be read."""
    try:
        return round(shutil.disk_usage(folder).free / 1e6)
    except OSError:
        return None
