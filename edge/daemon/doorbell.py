"""The doorbell's button, on a GPIO pin of the box. The only user of gpiozero."""

import importlib
import logging
from collections.abc import Callable
from typing import Protocol

from edge.config.sections import DoorbellSettings
from edge.errors import ConfigError

log = logging.getLogger("whosthere.doorbell")


class Button(Protocol):
    """The part of gpiozero.Button that is used here."""

    when_pressed: Callable[[], None] | None

    def close(self) -> None: ...


class Doorbell:
    """Calls `ring` when the button is pressed, on gpiozero's thread."""

    def __init__(self, settings: DoorbellSettings, ring: Callable[[], None], clock: Callable[[], float]) -> None:
        """Open the pin. Raises ConfigError when it cannot be read or gpiozero is missing."""
        self._quiet_s = settings.quiet_s
        self._ring = ring
        self._clock = clock
        self._rung_at = float("-inf")
        self._button = _button(settings)
        self._button.when_pressed = self._pressed
        log.info("doorbell.pin: waiting for the button on GPIO%d", settings.pin)

    def close(self) -> None:
        self._button.close()

    def _pressed(self) -> None:
        now = self._clock()
        if now - self._rung_at >= self._quiet_s:
            self._rung_at = now
            self._ring()


def _button(settings: DoorbellSettings) -> Button:
    try:
        gpiozero = importlib.import_module("gpiozero")
    except ImportError as error:
        raise ConfigError(
            "doorbell.pin: a button needs gpiozero: apt install python3-gpiozero python3-lgpio, or "
            "pip install 'whosthere[gpio]'"
        ) from error
    pull_up = settings.wired_to == "ground"
    try:
        button: Button = gpiozero.Button(settings.pin, pull_up=pull_up, bounce_time=settings.debounce_s or None)
    except (gpiozero.exc.GPIOZeroError, OSError) as error:
        raise ConfigError(
            f"doorbell.pin: GPIO{settings.pin} cannot be used: {error}; check that nothing else is wired to it, and "
            "that this user may read it (group gpio)"
        ) from error
    return button
