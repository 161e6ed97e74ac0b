"""Following faces from frame to frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.visits import TrackSettings
from edge.records import Box, Face
from edge.visits.tracker import Track, Tracker


def face(x: float, y: float = 100, size: float = 50, score: float = 0.9) -> Face:
    return Face(Box(x, y, x + size, y + size), score, np.zeros((6, 2), np.float32))


def test_a_face_counts_from_its_third_sighting() -> None:
    tracker = Tracker(TrackSettings(confirm_hits=3))
    assert tracker.update([face(100)], 0.0) == []
    assert tracker.update([face(102)], 0.1) == []
    (track,) = tracker.update([face(104)], 0.2)
    assert (track.hits, track.first_seen_at) == (3, 0.0)


def test_two_faces_that_pass_each_other_keep_their_tracks() -> None:
    tracker = Tracker(TrackSettings(confirm_hits=1))
    first = {}
    for i in range(20):
        tracks = tracker.update([face(100 + 10 * i, y=100), face(290 - 10 * i, y=130)], i / 10)
        by_row = {track.face.box.top: track.id for track in tracks}
        first = first or by_row
        assert by_row == first


def test_a_lost_face_comes_back_as_another_track() -> None:
    tracker = Tracker(TrackSettings(confirm_hits=1, lost_after_s=1.0))
    (before,) = tracker.update([face(100)], 0.0)
    tracker.update([], 0.9)
    assert before.id in tracker.alive()
    tracker.update([], 1.1)
    assert not tracker.busy
    (after,) = tracker.update([face(100)], 1.2)
    assert after.id != before.id


def test_a_face_elsewhere_or_of_another_size_is_another_face() -> None:
    tracker = Tracker(TrackSettings(confirm_hits=1))
    (track,) = tracker.update([face(100)], 0.0)
    far, large = tracker.update([face(400), face(100, size=150)], 0.1)
    assert track.id not in {far.id, large.id}


def test_a_fast_face_is_followed_by_its_velocity() -> None:
    tracker = Tracker(TrackSettings(confirm_hits=1, reach=0.8))
    ids = {t.id for i in range(10) for t in tracker.update([face(100 + 35 * i)], i / 10)}
    assert len(ids) == 1


def test_a_face_that_jumps_resizes_or_comes_back_is_marked() -> None:
    for second, at, jumped in ((face(105), 0.1, False), (face(130), 0.1, True), (face(100), 0.4, True)):
        tracker = Tracker(TrackSettings(confirm_hits=1))
        tracker.update([face(100)], 0.0)
        (track,) = tracker.update([second], at)
        assert track.jumped is jumped
    tracker = Tracker(TrackSettings(confirm_hits=1))
    tracker.update([face(100, 100, 40)], 0.0)
    (track,) = tracker.update([face(93, 93, 54)], 0.1)
    assert track.jumped


def only(tracker: Tracker, faces: list[Face], now: float) -> Track:
    (track,) = tracker.update(faces, now)
    return track


def following(**settings: float) -> Tracker:
    return Tracker(TrackSettings(confirm_hits=1, **settings))


def test_velocity_is_smoothed_over_two_looks_in_both_directions() -> None:
    tracker = following(reach=5)
    tracker.update([face(100, 100)], 0.0)
    track = only(tracker, [face(110, 95)], 0.5)
    assert track.velocity == (10, -5)
    track = only(tracker, [face(120, 90)], 1.0)
    assert track.velocity == (15, -7.5)
    assert tracker.expected(1.5) == [Box(127.5, 86.25, 177.5, 136.25)]
    assert track.expected(1.0) == track.face.box


def test_two_looks_at_the_same_moment_are_no_division_by_zero() -> None:
    tracker = following()
    first = only(tracker, [face(100)], 1.0)
    again = only(tracker, [face(100.01)], 1.0)
    assert (again.id, again.hits) == (first.id, 2)
    assert again.velocity[0] == pytest.approx(0.5 * 0.01 / 1e-3)


@pytest.mark.parametrize(("dx", "dy"), [(50, 0), (0, 50), (30, 40), (-30, 40), (-40, -30)])
def test_reach_is_counted_in_face_sizes_whatever_the_direction(dx: float, dy: float) -> None:
    moved = face(100 + dx, 100 + dy)
    for reach, followed in ((1.0, True), (0.999, False)):
        tracker = following(reach=reach)
        before = only(tracker, [face(100)], 0.0)
        assert (only(tracker, [moved], 0.1).id == before.id) == followed


def test_reach_is_counted_in_the_mean_of_both_sizes() -> None:
    # Centres 25 apart, sizes 40 and 60: half of their mean.
    for reach, followed in ((0.5, True), (0.499, False)):
        tracker = following(reach=reach)
        before = only(tracker, [face(100, size=40)], 0.0)
        assert (only(tracker, [face(115, 90, size=60)], 0.1).id == before.id) == followed


@pytest.mark.parametrize(
    ("size", "followed"), [(72, True), (89.5, True), (90, False), (91, False), (28, True), (27.7, False), (0, False)]
)
def test_a_face_changes_its_size_by_less_than_the_factor_allowed(size: float, followed: bool) -> None:
    tracker = following()
    before = only(tracker, [face(100, size=50)], 0.0)
    there = face(125 - size / 2, 125 - size / 2, size)
    assert (only(tracker, [there], 0.1).id == before.id) == followed


def test_a_face_shrinks_by_less_than_the_factor_allowed() -> None:
    tracker = following()
    before = only(tracker, [face(100, size=90)], 0.0)
    assert only(tracker, [face(120, 120, size=50)], 0.1).id != before.id


def test_a_box_without_a_size_is_never_followed() -> None:
    tracker = following()
    before = only(tracker, [face(100, size=0)], 0.0)
    assert only(tracker, [face(100, size=0)], 0.1).id != before.id
    before = only(tracker, [face(100, size=0)], 1.5)
    assert only(tracker, [face(100, size=50)], 1.6).id != before.id


def test_even_a_face_of_half_a_pixel_is_followed() -> None:
    tracker = following()
    before = only(tracker, [face(100, size=0.5)], 0.0)
    assert only(tracker, [face(100, size=0.5)], 0.1).id == before.id


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (-50, 0), (0, 50), (30, 40), (-30, -40)])
def test_a_face_that_stops_is_followed_from_its_last_place(dx: float, dy: float) -> None:
    """Its velocity would have taken it 200 px further."""
    for reach, followed in ((1.0, True), (0.999, (dx, dy) == (0, 0))):
        tracker = following(reach=reach, lost_after_s=2)
        tracker.update([face(100)], 0.0)
        moving = only(tracker, [face(140)], 0.1)
        assert (only(tracker, [face(140 + dx, 100 + dy)], 1.1).id == moving.id) == followed


@pytest.mark.parametrize(("dx", "dy"), [(25, 0), (-25, 0), (0, 25), (15, -20), (-20, -15)])
def test_a_face_that_goes_on_is_followed_from_where_it_should_be(dx: float, dy: float) -> None:
    """It should be 50 px further right and 25 px further up, and may be half a face size from there."""
    for reach, followed in ((0.5, True), (0.499, False)):
        tracker = following(reach=reach)
        tracker.update([face(100, 200)], 0.0)
        moving = only(tracker, [face(120, 190)], 0.125)
        assert moving.velocity == (80, -40)
        there = face(170 + dx, 165 + dy)
        assert (only(tracker, [there], 0.75).id == moving.id) == followed


def test_the_nearest_pair_is_matched_first() -> None:
    tracker = following()
    left, right = tracker.update([face(100), face(130)], 0.0)
    tracks = tracker.update([face(128), face(112)], 0.1)
    assert {(track.id, track.face.box.left) for track in tracks} == {(right.id, 128), (left.id, 112)}
    # The left one could take 128 as well, but that is the right one's; 160 is out of its reach.
    tracker = following()
    left, right = tracker.update([face(100), face(130)], 0.0)
    tracks = tracker.update([face(128), face(160)], 0.1)
    assert {track.face.box.left: track.id == right.id for track in tracks} == {128: True, 160: False}
    assert left.id not in {track.id for track in tracks}


def test_a_face_is_lost_after_the_time_given_not_at_it() -> None:
    tracker = following(lost_after_s=1.0)
    before = only(tracker, [face(100)], 0.0)
    tracker.expire(1.0)
    assert tracker.alive() == {before.id}
    tracker.expire(1.001)
    assert (tracker.alive(), tracker.busy, tracker.expected(1.001)) == (frozenset(), False, [])


def test_only_confirmed_faces_are_alive_but_all_keep_the_tracker_busy() -> None:
    tracker = Tracker(TrackSettings(confirm_hits=2))
    assert not tracker.busy
    tracker.update([face(100)], 0.0)
    assert (tracker.alive(), tracker.busy, len(tracker.expected(0.0))) == (frozenset(), True, 1)
    track = only(tracker, [face(100)], 0.1)
    assert tracker.alive() == {track.id}


places = st.tuples(st.sampled_from(range(0, 400, 20)), st.sampled_from((100, 120)), st.sampled_from((40, 50, 60)))


@given(st.lists(st.lists(places, max_size=4), max_size=8), st.integers(1, 3))
def test_every_face_has_one_track_and_every_track_one_face(frames: list[list[tuple[int, int, int]]], hits: int) -> None:
    tracker = Tracker(TrackSettings(confirm_hits=hits, lost_after_s=0.15))
    seen: dict[int, int] = {}
    """How often each track was seen; ids are never used again."""
    for n, frame in enumerate(frames):
        now = n / 10
        faces = [face(*place) for place in frame]
        before = tracker.alive()
        tracks = tracker.update(faces, now)
        shown = [id(track.face) for track in tracks]
        assert len(set(shown)) == len(shown)
        assert set(shown) <= {id(one) for one in faces}
        assert len({track.id for track in tracks}) == len(tracks)
        for track in tracks:
            assert track.seen_at == now >= track.first_seen_at
            assert track.hits == seen.get(track.id, hits - 1) + 1
            assert (track.id in before) == (track.hits > hits)
            seen[track.id] = track.hits
        assert {track.id for track in tracks} <= tracker.alive()
        assert len(tracker.expected(now)) >= len(faces)
        if hits == 1:
            assert len(tracks) == len(faces)
