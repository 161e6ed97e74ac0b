"""What the box says of itself, and how the daemon spares it."""

import logging

import pytest

from edge.daemon.system_stats import Throttling, decode_throttled
from edge.daemon.thermal import SLOWEST, ThermalThrottle
from edge.inspection.hardware import firmware_hints


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (
            "0\n",
            Throttling(throttled=False, under_voltage=False, has_been_throttled=False, has_had_under_voltage=False),
        ),
        (
            "0x50005",
            Throttling(throttled=True, under_voltage=True, has_been_throttled=True, has_had_under_voltage=True),
        ),
        (
            "10000",
            Throttling(throttled=False, under_voltage=False, has_been_throttled=False, has_had_under_voltage=True),
        ),
        (
            "80008",
            Throttling(throttled=True, under_voltage=False, has_been_throttled=True, has_had_under_voltage=False),
        ),
    ],
)
def test_the_firmware_s_bits_are_understood(text: str, meaning: Throttling) -> None:
    assert decode_throttled(text) == meaning


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        decode_throttled("error=1")


def test_heat_slows_down_gently_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    thermal = ThermalThrottle(75.0)
    with caplog.at_level(logging.INFO, "whosthere.thermal"):
        assert thermal.update(None, 0) == thermal.update(60.0, 1) == thermal.update(75.0, 2) == 1.0
        paces = [thermal.update(celsius, 3) for celsius in (76.0, 78.0, 82.0, 95.0)]
        assert paces == sorted(paces, reverse=True)
        assert paces[0] < 1.0
        assert paces[-1] == SLOWEST
        assert thermal.update(74.0, 4) == 1.0
        assert thermal.update(77.0, 5) < 1.0
        assert thermal.update(70.0, 63) == 1.0
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "after 60 s" in caplog.messages[1]


def test_doctor_says_what_to_do_about_power_heat_and_clock() -> None:
    assert firmware_hints(None, None) == firmware_hints(decode_throttled("0"), True) == []
    power, heat, clock = firmware_hints(decode_throttled("50005"), False)
    assert "supply voltage is too low: use the power supply" in power
    assert "throttled now" in heat
    assert "timedatectl" in clock
    assert "has been too low" in firmware_hints(decode_throttled("10000"), True)[0]
