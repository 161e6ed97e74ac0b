from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.capture.camera import EndOfRecording
from edge.capture.clip import VideoClip, next_time
from edge.capture.media_files import Media, media
from edge.capture.recording import Recording
from edge.config.camera import CameraSettings
from edge.errors import CameraError
from support.av1 import av1_video
from support.capture_helpers import number_of, numbered, write_gif, write_video


class Clock:
    """Time that passes only when somebody waits or works."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def play(clock):
    """Opens a recording, as fast as it goes unless said otherwise."""
    opened = []

    def opener(path, **settings):
        settings = CameraSettings(source=str(path), **({"realtime": False} | settings))
        opened.append(Recording(settings, clock, clock.wait))
        return opened[-1]

    yield opener
    for recording in opened:
        recording.close()


def read_all(recording):
    frames = []
    with pytest.raises(EndOfRecording):
        while True:
            frames.append(recording.read())
    return frames


def test_a_video_comes_whole_and_in_its_own_time(play, tmp_path):
    recording = play(write_video(tmp_path / "walk by.avi", frames=20, fps=10))
    frames = read_all(recording)
    assert not recording.live
    assert [number_of(frame.image) for frame in frames] == list(range(20))
    assert [frame.captured_at for frame in frames] == pytest.approx([1000 + i / 10 for i in range(20)])


def test_a_gif_keeps_its_delays(play, tmp_path):
    frames = read_all(play(write_gif(tmp_path / "pause.gif", [0.1, 0.1, 0.7, 0.1])))
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 3]
    assert [frame.captured_at - 1000 for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.9])


def test_a_folder_of_images_is_ordered_as_people_count(play, tmp_path):
    for index in (0, 1, 2, 9, 10, 11):
        cv2.imwrite(str(tmp_path / f"Frame{index}.png"), numbered(index, size=(30 + index, 20)))
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".thumb.png").write_text("not an image")
    frames = read_all(play(tmp_path, fps=4.0))
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 9, 10, 11]
    assert [frame.image.shape[1] for frame in frames] == [30, 31, 32, 39, 40, 41]
    assert [frame.captured_at for frame in frames] == pytest.approx([1000 + i / 4 for i in range(6)])


def test_a_single_image_is_a_recording_of_one_frame(play, tmp_path):
    cv2.imwrite(str(tmp_path / "face.PNG"), numbered(5))
    assert [number_of(frame.image) for frame in read_all(play(tmp_path / "face.PNG"))] == [5]


def test_in_real_time_every_frame_comes_when_it_is_due(play, clock, tmp_path):
    recording = play(write_gif(tmp_path / "pause.gif", [0.1, 0.1, 0.7, 0.1]), realtime=True)
    clock.now += 5
    assert recording.live
    seen = []
    for _ in range(4):
        frame = recording.read()
        assert clock.now == pytest.approx(frame.captured_at)
        seen.append(frame.captured_at - 1005)
    assert seen == pytest.approx([0, 0.1, 0.2, 0.9])


def test_in_real_time_a_slow_reader_loses_frames_and_not_the_pace(play, clock, tmp_path):
    recording = play(write_video(tmp_path / "walk.avi", frames=20, fps=10), realtime=True)
    seen = []
    with pytest.raises(EndOfRecording):
        while True:
            frame = recording.read()
            assert 0 <= clock.now - frame.captured_at < 0.1 + 1e-6
            seen.append(number_of(frame.image))
            clock.now += 0.35
    assert seen[:4] == [0, 3, 7, 10]
    assert clock.now - 1000 == pytest.approx(2.0, abs=0.5)


def test_a_video_that_decodes_slower_than_it_should_play_still_comes(play, clock, tmp_path):
    recording = play(write_video(tmp_path / "large.avi", frames=30, fps=10), realtime=True)
    grab = recording._clip.grab

    def slow_grab():
        clock.now += 0.3
        return grab()

    recording._clip.grab = slow_grab
    seen = [number_of(recording.read().image) for _ in range(6)]
    assert seen == sorted(set(seen))
    assert seen[-1] < 25


def test_a_loop_goes_on_in_time(play, tmp_path):
    recording = play(write_video(tmp_path / "short.avi", frames=3, fps=10), loop=True)
    frames = [recording.read() for _ in range(8)]
    assert [number_of(frame.image) for frame in frames] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert [frame.captured_at - 1000 for frame in frames] == pytest.approx([i / 10 for i in range(8)])


def test_geometry_and_preview_apply(play, tmp_path):
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((300, 400, 3), np.uint8))
    frame = play(tmp_path / "wide.png", rotation=90, preview_width=150).read()
    assert frame.image.shape == (400, 300, 3)
    assert frame.preview.shape == (200, 150, 3)


def test_a_cut_off_video_plays_as_far_as_it_goes_and_then_says_so(play, tmp_path):
    whole = write_video(tmp_path / "whole.avi", frames=30).read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    recording = play(tmp_path / "cut.avi")
    frames = 0
    with pytest.raises(CameraError, match=r"cut\.avi: only \d+ of 30 frames could be read") as raised:
        while True:
            recording.read()
            frames += 1
    assert 5 < frames < 25
    assert f"only {frames} of" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.mp4", None, "no such file; allowed: a video"),
        ("broken.mp4", b"hello", "not a readable video"),
        ("empty.gif", b"", "not a readable video"),
        ("broken.jpg", b"\xff\xd8\xff garbage", "cut off or damaged"),
        ("empty.png", b"", "the file is empty"),
    ],
)
def test_what_cannot_be_read_is_named(play, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CameraError, match=message) as raised:
        play(tmp_path / name).read()
    assert str(tmp_path / name) in str(raised.value)


def test_an_unreadable_image_in_a_folder_is_named_when_its_turn_comes(play, tmp_path):
    cv2.imwrite(str(tmp_path / "1.png"), numbered(1))
    (tmp_path / "2.png").write_bytes(b"nothing")
    recording = play(tmp_path)
    recording.read()
    with pytest.raises(CameraError, match=r"2\.png: not an image"):
        recording.read()


def test_an_empty_folder_says_what_it_should_hold(play, tmp_path):
    with pytest.raises(CameraError, match=r"contains no image; allowed: files ending in .*\.jpg"):
        play(tmp_path)


def test_times_increase_whatever_the_container_states():
    stated = [0.0, 0.0, 0.1, 0.1, float("nan"), -3e20, 0.9]
    times = [-1.0]
    for value in stated:
        times.append(next_time(times[-1], value, 0.1))
    assert times[1:] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.9])


def test_an_av1_video_is_called_what_it_is(tmp_path: Path) -> None:
    """Not damaged: nothing here can decode it."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(av1_video())
    clip = VideoClip(path)
    with pytest.raises(
        CameraError, match=r"clip\.mp4: an AV1 video, which cannot be decoded here; convert it to H\.264"
    ):
        clip.grab()
    assert media(path) is Media.VIDEO
    path.write_bytes(av1_video().replace(b"av01", b"zzzz"))
    with pytest.raises(CameraError, match=r"clip\.mp4: (contains no frame|not a readable)"):
        VideoClip(path).grab()
