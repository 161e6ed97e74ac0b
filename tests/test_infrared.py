"""What counts as a grey picture."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import pytest

import edge
from edge.faces.analyser import AnalysedFace
from edge.faces.infrared import colourfulness, is_infrared
from edge.records import Box, Face, Image

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


def test_an_analysed_face_says_whether_its_crop_is_grey() -> None:
    face = Face(Box(0, 0, 9, 9), 1.0, np.zeros((6, 2), np.float32))
    for image, grey_one in ((portrait(), False), (grey(portrait()), True)):
        assert AnalysedFace(face, Mock(), image, Mock(), None).infrared is grey_one
