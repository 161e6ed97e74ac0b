"""The board that the box runs on, and what strains it."""

import os
from pathlib import Path

from edge.daemon.system_stats import Throttling, disk_free_mb, temperature_c
from edge.inspection.doctor_report import Hardware
from edge.inspection.surroundings import LOW_DISK_MB

BOARD = Path("/proc/device-tree/model")
MEMORY = Path("/proc/meminfo")
HOT_C = 80.0
"""A Raspberry Pi reduces its clock from here on."""
LOW_MEMORY_MB = 200


def read_hardware(outbox_folder: Path) -> Hardware:
    """The board as it is now; the disk is the one that holds the outbox."""
    memory, temperature = _memory_mb(), temperature_c()
    return Hardware(
        board=_board(),
        cpus=os.cpu_count() or 1,
        memory_mb=memory.get("MemTotal"),
        memory_available_mb=memory.get("MemAvailable"),
        temperature_c=None if temperature is None else round(temperature, 1),
        outbox_free_mb=disk_free_mb(outbox_folder),
    )


def hardware_hints(box: Hardware, threads: int) -> list[str]:
    """What the box lacks for `threads` per network, each with what to do."""
    rules = (
        (threads > box.cpus, f"models.threads is {threads}, but this box has {box.cpus} cores: more only slow it down"),
        (
            box.temperature_c is not None and box.temperature_c >= HOT_C,
            f"CPU at {box.temperature_c} °C: it reduces its clock; give it a cooler",
        ),
        (
            box.memory_available_mb is not None and box.memory_available_mb < LOW_MEMORY_MB,
            f"only {box.memory_available_mb} MB of memory are available; whosthere takes about {LOW_MEMORY_MB}",
        ),
        (
            box.outbox_free_mb is not None and box.outbox_free_mb < LOW_DISK_MB,
            f"only {box.outbox_free_mb} MB are free on the disk that holds the outbox: delete something there",
        ),
    )
    return [text for applies, text in rules if applies]


def firmware_hints(firmware: Throttling | None, clock: bool | None) -> list[str]:
    """What firmware and clock complain of, each with what to do: now, or else since the board was switched on."""
    found = []
    if firmware and (firmware.under_voltage or firmware.has_had_under_voltage):
        when = "is too low" if firmware.under_voltage else "has been too low"
        found.append(f"the board's supply voltage {when}: use the power supply made for it and a short, thick cable")
    if firmware and firmware.throttled:
        found.append("the board is throttled now: it is too hot or gets too little power")
    elif firmware and firmware.has_been_throttled:
        found.append("the board has been throttled since it was switched on: it needs a cooler or more power")
    if clock is False:
        found.append(
            "the clock has not been set since the start, so events carry a wrong time: let the box reach a time "
            "server (`timedatectl status`)"
        )
    return found


def _board() -> str | None:
    try:
        return BOARD.read_text(encoding="utf-8").strip("\0\n ")
    except OSError:
        return None


def _memory_mb() -> dict[str, int]:
    try:
        lines = MEMORY.read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines)
    return {key: int(value.split()[0]) // 1024 for key, value in pairs}
