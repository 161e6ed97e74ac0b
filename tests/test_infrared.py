"""What counts as a grey picture, and that the watch over a camera does not flap."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from edge.faces.infrared import EVERY_S, HOLD_S, InfraredWatch, colourfulness, is_infrared
from edge.records import Image

PORTRAITS = sorted((Path(edge.__file__).parent / "demo" / "portraits").rglob("*.jpg"))


def portrait() -> Image:
    image = cv2.imread(str(PORTRAITS[0]))
    assert image is not None
    return np.asarray(image, np.uint8)


def grey(image: Image) -> Image:
    return np.asarray(cv2.merge([cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)] * 3), np.uint8)


def noisy(image: Image, sigma: float) -> Image:
    noise = np.random.default_rng(0).normal(0, sigma, image.shape)
    return np.asarray((image + noise).clip(0, 255), np.uint8)


def jpeg(image: Image) -> Image:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


def violet(image: Image) -> Image:
    return np.asarray((image.astype(np.float32) * [1.15, 0.8, 1.1]).clip(0, 255), np.uint8)


def darkened(image: Image) -> Image:
    return noisy(np.asarray(image * 0.15, np.uint8), 2.0)


GREY: dict[str, Callable[[Image], Image]] = {
    "plain": grey,
    "colour noise of the sensor": lambda image: noisy(grey(image), 6.0),
    "compressed": lambda image: jpeg(noisy(grey(image), 4.0)),
    "violet all over": lambda image: jpeg(violet(grey(image))),
    "dark": lambda image: darkened(grey(image)),
}


@pytest.mark.parametrize("name", GREY)
def test_grey_pictures_are_infrared(name: str) -> None:
    assert is_infrared(GREY[name](portrait()))


@pytest.mark.parametrize("path", PORTRAITS, ids=lambda path: path.stem)
def test_portraits_in_colour_are_not_infrared_even_in_the_dark_or_under_a_tint(path: Path) -> None:
    image = np.asarray(cv2.imread(str(path)), np.uint8)
    for change in (lambda i: i, darkened, violet, jpeg):
        assert not is_infrared(change(image))


def test_a_black_or_even_picture_is_grey_and_breaks_nothing() -> None:
    for level in (0, 128, 255):
        assert colourfulness(np.full((480, 640, 3), level, np.uint8)) == pytest.approx(0, abs=0.2)
    assert is_infrared(np.zeros((1, 1, 3), np.uint8))


def test_the_first_picture_decides_at_once() -> None:
    assert InfraredWatch().update(grey(portrait()), 0.0)
    assert not InfraredWatch().update(portrait(), 0.0)


def test_one_odd_picture_changes_nothing_and_a_lasting_change_does() -> None:
    watch, colour, night = InfraredWatch(), portrait(), grey(portrait())
    assert not watch.update(colour, 0.0)
    assert not watch.update(night, 0.1)
    assert not watch.update(colour, 0.2)
    # The clock starts over with each change.
    answers = [watch.update(night, 0.3 + 0.1 * i) for i in range(round(HOLD_S * 10) + 2)]
    assert not any(answers[: round(HOLD_S * 10)])
    assert answers[-1]


def test_the_watch_does_not_look_at_every_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr("edge.faces.infrared.colourfulness", lambda image: looks.append(image) or 5.0)
    watch = InfraredWatch()
    for number in range(31):
        watch.update(portrait(), number / 30)
    assert len(looks) <= 1 + 1 / EVERY_S


def test_between_the_two_limits_the_watch_keeps_its_opinion(monkeypatch: pytest.MonkeyPatch) -> None:
    image = portrait()
    for begin in (image, grey(image)):
        watch = InfraredWatch()
        before = watch.update(begin, 0.0)
        with monkeypatch.context() as patch:
            for i, value in enumerate((1.35, 1.2, 1.5, 1.35, 1.25) * 10):
                patch.setattr("edge.faces.infrared.colourfulness", lambda _, value=value: value)
                assert watch.update(image, 1.0 + i) is before
