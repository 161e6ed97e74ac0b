"""Waking the detector."""

import numpy as np

from edge.config.faces import MotionSettings
from edge.faces.motion import MotionGate
from edge.records import Image

SETTINGS = MotionSettings(linger_s=1.0, idle_interval_s=10.0)


def porch(level: int = 100, seed: int = 0) -> Image:
    noise = np.random.default_rng(seed).normal(level, 4, (240, 320, 3))
    return np.clip(noise, 0, 255).astype(np.uint8)


def settled(settings: MotionSettings = SETTINGS) -> tuple[MotionGate, float]:
    gate = MotionGate(settings)
    for i in range(30):
        gate.wants_look(porch(seed=i), i / 10, busy=False)
    return gate, 3.0


def test_an_empty_porch_is_looked_at_only_now_and_then() -> None:
    gate, now = settled()
    looks = [gate.wants_look(porch(seed=i), now + i / 10, busy=False) for i in range(200)]
    assert 1 <= sum(looks) <= 3


def test_somebody_wakes_the_detector_and_it_lingers() -> None:
    gate, now = settled()
    picture = porch(seed=77)
    picture[80:200, 100:160] = 200
    assert gate.wants_look(picture, now, busy=False)
    assert gate.wants_look(porch(seed=78), now + 0.9, busy=False)


def test_a_lamp_is_not_motion() -> None:
    gate, now = settled()
    assert not gate.wants_look(porch(level=130, seed=5), now, busy=False)


def test_it_stays_awake_while_somebody_is_followed_or_when_switched_off() -> None:
    gate, now = settled()
    assert gate.wants_look(porch(seed=6), now, busy=True)
    always, later = settled(MotionSettings(enabled=False))
    assert always.wants_look(porch(seed=6), later, busy=False)


def test_another_picture_size_is_taken_in_stride() -> None:
    gate, now = settled()
    assert gate.wants_look(np.zeros((480, 480, 3), np.uint8), now, busy=False)
