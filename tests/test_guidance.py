"""Enrolment at the box's own camera while the daemon runs."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.config.loading import default_config
from edge.daemon.guidance import Guidance
from edge.errors import UsageError
from edge.frame import Frame
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery
from edge.link.protocol import AskGuide, GuideNews
from edge.records import Image
from support.portraits import BIDEN, COLLINS, OBAMA, OBAMA_2009, OBAMA_2010, analyser, darkened, read_picture

Said = list[tuple[GuideNews, bytes]]


class Camera:
    """Shows pictures, one a second."""

    def __init__(self, guidance: Guidance) -> None:
        self._guidance = guidance
        self._now = 1000.0

    def show(self, *images: Image) -> None:
        for image in images:
            self._now += 1.0
            self._guidance.on_frame(Frame(image, image, self._now))


@pytest.fixture
def guidance() -> Guidance:
    return Guidance(default_config(), analyser())


def begin(
    guidance: Guidance, gallery: Gallery, count: int = 2, within_s: float = 60.0, name: str = "Ada"
) -> tuple[Said, Callable[[], None]]:
    said: Said = []
    return said, guidance.begin(AskGuide(name, count, within_s), gallery, lambda *one: said.append(one))


def empty() -> Gallery:
    return Gallery.empty(analyser().embedder.id, analyser().embedder.dimensions)


def test_it_counts_down_advises_and_sends_what_can_become_templates(guidance: Guidance) -> None:
    said, _ = begin(guidance, empty())
    Camera(guidance).show(*[read_picture(OBAMA)] * 5, darkened(read_picture(OBAMA)), read_picture(OBAMA_2009))
    assert [news.text for news, _ in said] == [
        "3... look into the camera",
        "2... look into the camera",
        "1... look into the camera",
        "1 of 2: taken",
        "1 of 2: turn your head a little, or smile",
        "1 of 2: more light on your face, please",
        "2 of 2: taken",
    ]
    shots = [(news.shot, jpeg) for news, jpeg in said if news.shot]
    assert len(shots) == 2 and said[-1][0].over
    for shot, jpeg in shots:
        vector = np.frombuffer(shot.embedding, "<f4")
        assert vector.shape == (analyser().embedder.dimensions,) and abs(float(vector @ vector) - 1) < 1e-3
        assert shot.embedder == analyser().embedder.id.sha256 and shot.quality > 0.4
        assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[0] > 50
    assert all(news.size == len(jpeg) for news, jpeg in said)


def test_it_is_over_when_the_time_is_and_then_another_may_begin(guidance: Guidance) -> None:
    said, _ = begin(guidance, empty(), within_s=4.5)
    with pytest.raises(UsageError, match="somebody else is being enrolled"):
        begin(guidance, empty())
    Camera(guidance).show(*[darkened(read_picture(OBAMA))] * 8)
    assert said[-1][0].over and said[-1][0].taken == 0
    assert said[-1][0].text == "the time is up; most often: more light on your face, please"
    begin(guidance, empty())


def test_a_client_that_leaves_ends_it_and_only_its_own(guidance: Guidance) -> None:
    said, end = begin(guidance, empty())
    end()
    Camera(guidance).show(read_picture(OBAMA))
    assert not said
    again, _ = begin(guidance, empty())
    end()
    Camera(guidance).show(read_picture(OBAMA))
    assert again


def test_nobody_else_is_taken_for_somebody_who_is_known(guidance: Guidance, demo_gallery: Path) -> None:
    known = open_gallery(demo_gallery, None)
    said, _ = begin(guidance, known, 1, name="Joe Biden")
    Camera(guidance).show(*[read_picture(COLLINS)] * 5, read_picture(BIDEN))
    texts = [news.text for news, _ in said]
    assert "0 of 1: that looks like somebody else; only one person, please" in texts
    assert texts[-1] == "1 of 1: taken"


def test_a_failure_costs_no_frame(
    guidance: Guidance, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said, _ = begin(guidance, empty())
    monkeypatch.setattr("edge.daemon.guidance.coach_frame", lambda *_: 1 / 0)
    Camera(guidance).show(*[read_picture(OBAMA_2010)] * 3)
    assert not said and caplog.text.count("ZeroDivisionError") == 1
