"""The button, on gpiozero's own stand-in for pins."""

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from edge.config.sections import DoorbellSettings
from edge.daemon.doorbell import Doorbell
from edge.errors import ConfigError


@pytest.fixture
def pins() -> Iterator[Any]:
    """A pin factory whose pins can be driven."""
    gpiozero = pytest.importorskip("gpiozero")
    factory = importlib.import_module("gpiozero.pins.mock").MockFactory()
    before, gpiozero.Device.pin_factory = gpiozero.Device.pin_factory, factory
    yield factory
    factory.reset()
    gpiozero.Device.pin_factory = before


@pytest.mark.parametrize(("wired_to", "press", "release"), [("ground", "low", "high"), ("3v3", "high", "low")])
def test_a_press_rings_once(pins: Any, wired_to: Any, press: str, release: str) -> None:
    rings: list[float] = []
    now = [100.0]
    settings = DoorbellSettings(pin=17, wired_to=wired_to, debounce_s=0, quiet_s=2)
    bell = Doorbell(settings, lambda: rings.append(now[0]), lambda: now[0])
    pin = pins.pin(17)
    for at in (100.0, 101.0, 101.9, 102.0, 110.0):
        now[0] = at
        getattr(pin, f"drive_{press}")()
        getattr(pin, f"drive_{release}")()
    bell.close()
    assert rings == [100.0, 102.0, 110.0]


def test_a_pin_that_is_taken_is_said(pins: Any) -> None:
    first = Doorbell(DoorbellSettings(pin=4), lambda: None, lambda: 0.0)
    with pytest.raises(ConfigError, match=r"doorbell\.pin: GPIO4 cannot be used"):
        Doorbell(DoorbellSettings(pin=4), lambda: None, lambda: 0.0)
    first.close()


def test_without_gpiozero_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(ConfigError, match="apt install python3-gpiozero"):
        Doorbell(DoorbellSettings(pin=4), lambda: None, lambda: 0.0)
