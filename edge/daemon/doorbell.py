"""The doorbell's button, on a GPIO pin of the box. The only user of gpiozero."""

import importlib
import logging
from collections.abc import Callable
from typing import Protocol

from edge.config.sections import DoorbellSettings
from edge.errors import ConfigError

log = logging.getLogger("whosthere.doorbell")


class Button(Protocol):
    """What we use of gpiozero.Button."""

    when_pressed: Callable[[], None] | None

    def close(self) -> None: ...


class Doorbell:
    """Calls `ring` when the button is pressed, on gpiozero's thread."""

    def __init__(self, settings: DoorbellSettings, ring: Callable[[], None], clock: Callable[[], float]) -> None:
        """Raises ConfigError when there is no such pin, or nothing to read it with."""
        self._quiet_s = settings.quiet_s
        self._ring = ring
        self._clock = clock
        self._rung_at = float("-inf")
        self._button = _button(settings)
        self._button.when_pressed = self._pressed
        log.info("doorbell.pin: the button on GPIO%d rings", settings.pin)

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
            f"doorbell.pin: GPIO{settings.pin} cannot be used: {error}; is it wired to something else, and may this "
            "user read it (group gpio)?"
        ) from error
    return button
