"""Reduces the frame rate while the CPU is hot, before the board throttles itself."""

import logging

log = logging.getLogger("whosthere.thermal")

SPAN_C = 8.0
"""The slowest pace is reached this much above the limit. A Raspberry Pi throttles at 80 to 85 °C."""
SLOWEST = 0.25
RELIEF_C = 3.0
"""The CPU counts as cool again this much below the limit, so that it is not logged again and again."""


class ThermalThrottle:
    """Turns a temperature into a pace."""

    def __init__(self, from_c: float) -> None:
        """Keep the full pace up to `from_c` °C."""
        self._from_c = from_c
        self._since: float | None = None

    def update(self, temperature_c: float | None, now: float) -> float:
        """The part of the full frame rate to keep: 1 when cool, down to 0.25. Logs the beginning and the end.

        None, where the temperature is not known, counts as cool.
        """
        hot = 0.0 if temperature_c is None else temperature_c - self._from_c
        if hot > 0 and self._since is None:
            self._since = now
            log.warning(
                "CPU at %.0f °C: reducing the frame rate, as above %.0f °C (runtime.cool_above_c); a heatsink, fan or "
                "shade would help",
                temperature_c,
                self._from_c,
            )
        elif hot <= -RELIEF_C and self._since is not None:
            log.info("CPU has cooled down after %.0f s: back to the full frame rate", now - self._since)
            self._since = None
        return 1.0 - (1.0 - SLOWEST) * min(max(hot / SPAN_C, 0.0), 1.0)
