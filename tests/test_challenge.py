"""A challenge is passed by a head that turns as asked, and by nothing else that can be held up."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.events import ChallengeFailure, ChallengeResult, ChallengeState, ChallengeUpdate
from edge.records import Landmarks, Pose
from edge.visits.challenge import MAX_GAP_S, Challenge, Side
from support.heads import turned_head, turned_picture

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def swing(*ends: float, step: float = 5.0) -> list[float]:
    """Angles from 0 to each end in turn, and back to 0."""
    found = [0.0]
    for end in (*ends, 0.0):
        count = max(1, round(abs(end - found[-1]) / step))
        found += list(np.linspace(found[-1], end, count + 1)[1:])
    return found


def heads(*ends: float, step: float = 5.0) -> list[Landmarks]:
    return [turned_head(yaw, seed=n) for n, yaw in enumerate(swing(*ends, step=step))]


def challenged(
    looks: Iterable[Landmarks], *turns: Side, mirrored: bool = False, every_s: float = 0.1, within_s: float = 60
) -> tuple[Challenge, list[ChallengeUpdate]]:
    """Show looks one after another."""
    challenge = Challenge("c", "visit1", turns, 0.0, within_s, mirrored=mirrored)
    updates: list[ChallengeUpdate | None] = []
    at = 0.0
    for look in looks:
        at += every_s
        updates += [challenge.look(look, at), challenge.tick(at, present=True)]
    return challenge, [update for update in updates if update]


def states(updates: Sequence[ChallengeUpdate]) -> list[str]:
    return [update.state.value for update in updates]


@pytest.mark.parametrize(("end", "side"), [(35, LEFT), (-35, RIGHT), (60, LEFT)])
def test_a_head_that_turns_as_asked_passes(end: float, side: Side) -> None:
    challenge, updates = challenged(heads(end), side)
    assert states(updates) == [f"turn_{side.value}", "passed"]
    assert challenge.over
    assert updates[-1].result is ChallengeResult.PASSED


def test_left_and_right_are_the_visitors_own_in_a_mirrored_picture_too() -> None:
    assert states(challenged(heads(35), RIGHT, mirrored=True)[1])[-1] == "passed"
    assert states(challenged(heads(35), LEFT, mirrored=True)[1])[-1] == "failed"


def test_several_turns_are_asked_for_one_after_another_and_begin_at_the_front() -> None:
    _, updates = challenged(heads(35, 0, -35), LEFT, RIGHT)
    assert states(updates) == ["turn_left", "face_camera", "turn_right", "passed"]
    assert [update.done for update in updates] == [0, 1, 1, 2]
    assert "passed" not in states(challenged(heads(35), LEFT, LEFT)[1])
    assert states(challenged(heads(35, 0, 35), LEFT, LEFT)[1])[-1] == "passed"


def test_the_wrong_way_fails_at_once() -> None:
    _, updates = challenged(heads(-35), LEFT)
    assert (updates[-1].state, updates[-1].reason) == (ChallengeState.FAILED, ChallengeFailure.WRONG_WAY)


@settings(max_examples=60, deadline=None)
@given(
    ends=st.lists(st.floats(-60, 60), min_size=1, max_size=4),
    pitch=st.floats(-20, 20),
    of=st.floats(-12, 12),
    bend=st.floats(0, 0.15),
    side=st.sampled_from(Side),
)
def test_no_picture_passes_however_it_is_turned_tilted_or_bent(
    ends: list[float], pitch: float, of: float, bend: float, side: Side
) -> None:
    looks = [turned_picture(yaw, pitch, of=of, bend=bend, seed=n) for n, yaw in enumerate(swing(*ends))]
    _, updates = challenged(looks, side)
    assert "passed" not in states(updates)


@settings(max_examples=40, deadline=None)
@given(end=st.floats(25, 55), pitch=st.floats(-20, 20), bend=st.floats(0, 0.9), side=st.sampled_from(Side))
def test_nor_would_it_if_the_network_took_it_for_a_head_that_turns(
    end: float, pitch: float, bend: float, side: Side
) -> None:
    """The pose is what a head's would be; the mesh still gives the picture away."""
    angles = enumerate(swing(end if side is LEFT else -end))
    pictures = [(yaw, turned_picture(yaw, pitch, bend=bend, seed=n)) for n, yaw in angles]
    looks = [replace(picture, pose=Pose(yaw, pitch, 0)) for yaw, picture in pictures]
    assert "passed" not in states(challenged(looks, side)[1])


@pytest.mark.parametrize("of", [25, 35, 50])
def test_a_second_picture_of_the_turned_head_is_a_jump(of: float) -> None:
    """Even if it takes the first one's place between two frames."""
    looks = [turned_picture(0, seed=n) for n in range(5)] + [turned_picture(0, of=of, seed=n) for n in range(10)]
    assert "passed" not in states(challenged(looks, LEFT)[1])


def test_a_picture_of_a_turned_head_cannot_begin_a_turn() -> None:
    looks = [turned_picture(yaw, of=20, seed=n) for n, yaw in enumerate(swing(45, -45))]
    assert "passed" not in states(challenged(looks, LEFT)[1])


def test_a_turn_that_was_not_seen_does_not_count() -> None:
    assert "passed" not in states(challenged(heads(35), LEFT, every_s=MAX_GAP_S + 0.1)[1])
    assert "passed" not in states(challenged(heads(40, step=20), LEFT)[1])


def test_one_look_at_a_turned_head_is_not_enough() -> None:
    looks = [turned_head(yaw) for yaw in (0, 8, 15, 25, 15, 8, 0)]
    assert "passed" not in states(challenged(looks, LEFT)[1])


def test_time_runs_out_and_a_picture_that_was_turned_is_named_as_the_reason() -> None:
    still = [turned_head(0, seed=n) for n in range(30)]
    assert challenged(still, LEFT, within_s=2)[1][-1].reason is ChallengeFailure.TIMEOUT
    flat = [turned_picture(yaw, seed=n) for n, yaw in enumerate(swing(50, -50))]
    assert challenged(flat, LEFT, within_s=3)[1][-1].reason is ChallengeFailure.FLAT


def test_it_ends_once() -> None:
    challenge, _ = challenged(heads(35), LEFT)
    assert challenge.look(turned_head(-30), 100) is None
    assert challenge.tick(1000, present=False) is None


def test_a_visitor_who_leaves_fails() -> None:
    challenge = Challenge("c", "visit1", (LEFT,), 0.0, 10, mirrored=False)
    assert challenge.tick(1, present=True) is None
    update = challenge.tick(2, present=False)
    assert update is not None
    assert (update.reason, update.result) == (ChallengeFailure.GONE, ChallengeResult.FAILED)
