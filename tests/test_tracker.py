"""Following faces from frame to frame."""

import numpy as np

from edge.config.visits import TrackSettings
from edge.records import Box, Face
from edge.visits.tracker import Tracker


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


def test_a_dropped_track_is_not_taken_up_again() -> None:
    tracker = Tracker(TrackSettings(confirm_hits=1))
    (before,) = tracker.update([face(100)], 0.0)
    tracker.drop(before.id)
    (after,) = tracker.update([face(100)], 0.1)
    assert after.id != before.id
