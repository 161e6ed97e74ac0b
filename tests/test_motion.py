"""Waking the detector."""

from collections.abc import Iterable

import numpy as np
import pytest

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


def looks_in(gate: MotionGate, pictures: Iterable[Image], now: float) -> list[int]:
    """Return which of the pictures, a second apart, are looked at; one before them was searched, and showed nobody."""
    gate.wants_look(porch(seed=999), now, busy=False)
    gate.searched(now, empty=True)
    return [i for i, picture in enumerate(pictures, 1) if gate.wants_look(picture, now + i, busy=False)]


def still_gate() -> MotionGate:
    return settled(MotionSettings(linger_s=0.0, idle_interval_s=1.0))[0]


def test_a_picture_that_has_been_searched_is_not_searched_again_while_only_noise_changes() -> None:
    assert looks_in(still_gate(), (porch(seed=i) for i in range(12)), 3.0) == [5, 6, 7, 8, 9, 10, 11, 12]


@pytest.mark.parametrize("side", [12, 24])
def test_what_is_too_small_or_too_faint_for_motion_has_the_picture_searched_at_the_next_look(side: int) -> None:
    changed = porch(seed=5)
    changed[100 : 100 + side, 150 : 150 + side] += 7
    assert looks_in(still_gate(), [porch(seed=1), changed], 3.0) == [2]


def test_what_changes_slowly_adds_up() -> None:
    def dawning(at: int) -> Image:
        picture = porch(seed=at)
        picture[60:120, 100:160] += 2 * at
        return picture

    assert looks_in(still_gate(), map(dawning, range(1, 5)), 3.0)[0] <= 3


def test_what_was_doubtful_is_searched_at_every_look() -> None:
    gate = still_gate()
    gate.wants_look(porch(), 3.0, busy=False)
    gate.searched(3.0, empty=True)
    gate.searched(3.1, empty=False)
    assert gate.wants_look(porch(seed=1), 4.0, busy=False)


def test_a_lamp_or_a_ring_does_as_ever() -> None:
    gate = still_gate()
    assert looks_in(gate, [porch(level=130, seed=1)], 3.0) == []
    gate.wake(4.5)
    assert gate.wants_look(porch(level=130, seed=2), 4.5, busy=False)


@pytest.mark.parametrize(("height", "width"), [(480, 640), (480, 200), (2, 640), (1080, 1920)])
def test_cells_are_nearly_square_and_hold_the_mean_of_their_part_of_the_picture(height: int, width: int) -> None:
    gate, side = MotionGate(SETTINGS), 2 * max(1, width // 2 // 96)
    picture = np.zeros((height, width, 3), np.uint8)
    gate.wants_look(picture, 0.0, busy=False)
    picture[: 4 * side, : 3 * side] = 200
    gate.wants_look(picture, 0.1, busy=False)
    rows, columns = np.nonzero(gate.moving)
    assert gate.moving.shape == (max(1, -(-height // (side // 2)) // 2), width // 2 // (side // 2))
    assert (rows.max() + 1, columns.max() + 1) == (min(4, len(gate.moving)), 3)


def test_noise_of_ten_grey_levels_moves_nothing() -> None:
    draw, gate, moved = np.random.default_rng(1), MotionGate(SETTINGS), 0.0
    for at in range(8):
        noise = draw.normal(60, 10, (480, 640, 3))
        gate.wants_look(np.clip(noise, 0, 255).astype(np.uint8), at / 10, busy=False)
        moved += float(gate.moving.mean()) if at > 4 else 0.0
    assert moved == 0.0
