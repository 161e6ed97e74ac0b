"""What the box itself says: temperature and memory."""

from pathlib import Path

THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")
STATUS = Path("/proc/self/status")


def temperature_c() -> float | None:
    """Of the processor; None where the kernel does not tell."""
    try:
        return int(THERMAL.read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):
        return None


def memory_mb() -> float:
    """Resident memory of this process; 0 where the kernel does not tell."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)
