"""Looks at fewer frames while the processor is hot, rather than being throttled."""

import logging

log = logging.getLogger("whosthere.cooling")

SPAN_C = 8.0
"""From where it begins to slow down to where it is slowest: a Raspberry Pi throttles at 80 to 85."""
SLOWEST = 0.25
RELIEF_C = 3.0
"""So much cooler than where it began is the end of it, so that it is told once."""


class ThermalThrottle:
    """Temperature in, pace out."""

    def __init__(self, from_c: float) -> None:
        """Full pace up to `from_c` degrees Celsius."""
        self._from_c = from_c
        self._since: float | None = None

    def update(self, temperature_c: float | None, now: float) -> float:
        """What part of the full frame rate is right: 1 when cool, down to 0.25; logged once when it begins and ends.

        None, where no temperature is told, is cool.
        """
        hot = 0.0 if temperature_c is None else temperature_c - self._from_c
        if hot > 0 and self._since is None:
            self._since = now
            log.warning(
                "the processor has %.0f degrees: looking at fewer frames from %.0f on, so that the board need not slow "
                "down; it may need a cooler or shade",
                temperature_c,
                self._from_c,
            )
        elif hot <= -RELIEF_C and self._since is not None:
            log.info("the processor has cooled down after %.0f s: back to the full frame rate", now - self._since)
            self._since = None
        return 1.0 - (1.0 - SLOWEST) * min(max(hot / SPAN_C, 0.0), 1.0)
