"""Frames per second, however often somebody asks."""

import pytest

from edge.daemon.timings import LEAST_S, FrameRate


def test_who_asks_twice_in_a_moment_hears_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    rate = FrameRate()
    assert rate.per_s(0) == 0.0
    now[0] += 2.0
    assert rate.per_s(20) == 10.0
    now[0] += LEAST_S / 10
    assert rate.per_s(20) == 10.0, "no frame has come since, but only a tenth of a second has passed"
    now[0] += LEAST_S
    assert rate.per_s(31) == pytest.approx(10.0)
    now[0] += 5.0
    assert rate.per_s(31) == 0.0, "the camera has stopped"
