import numpy as np
import pytest

from edge.capture import geometry
from edge.config.camera import CameraSettings, Region


def corners(image):
    return [int(image[y, x, 0]) for y, x in ((0, 0), (0, -1), (-1, -1), (-1, 0))]


@pytest.fixture
def picture():
    """60 wide, 40 high; its corners are 1, 2, 3, 4 clockwise from the upper left."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20, :30], image[:20, 30:], image[20:, 30:], image[20:, :30] = 1, 2, 3, 4
    return image


@pytest.mark.parametrize(
    ("rotation", "mirror", "expected"),
    [
        (0, False, [1, 2, 3, 4]),
        (90, False, [4, 1, 2, 3]),
        (180, False, [3, 4, 1, 2]),
        (270, False, [2, 3, 4, 1]),
        (0, True, [2, 1, 4, 3]),
        (90, True, [1, 4, 3, 2]),
    ],
)
def test_turns_clockwise_and_then_mirrors(picture, rotation, mirror, expected):
    settings = CameraSettings(rotation=rotation, mirror=mirror)
    turned = geometry.turned(picture, settings)
    assert corners(turned) == expected
    assert turned.shape[1::-1] == geometry.turned_size(60, 40, settings)


def test_the_region_is_of_the_turned_picture(picture):
    settings = CameraSettings(rotation=90, region=Region(left=0.5, bottom=0.5))
    turned = geometry.turned(picture, settings)
    assert turned.shape == (30, 20, 3)
    assert set(corners(turned)) == {1}
    assert turned.flags.c_contiguous
    assert geometry.turned_size(60, 40, settings) == (20, 30)


def test_a_region_is_never_empty():
    sliver = geometry.crop(np.zeros((10, 10, 3), np.uint8), Region(left=0.999, right=1.0, top=0.0, bottom=0.001))
    assert sliver.shape == (1, 1, 3)


def test_a_frame_is_read_only_and_its_preview_shows_the_same(picture):
    large = np.repeat(np.repeat(picture, 10, axis=0), 10, axis=1)
    frame = geometry.frame(large, CameraSettings(preview_width=128), 1.5)
    assert frame.image is large
    assert frame.preview.shape == (85, 128, 3)
    assert corners(frame.preview) == [1, 2, 3, 4]
    assert frame.scale == pytest.approx(600 / 128)
    assert frame.captured_at == 1.5
    for array in (frame.image, frame.preview):
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0, 0] = 9


def test_the_preview_is_made_once_and_only_when_somebody_asks(picture, monkeypatch):
    shrunk, made = geometry.shrunk, []
    monkeypatch.setattr(geometry, "shrunk", lambda *given: made.append(given) or shrunk(*given))
    frame = geometry.frame(np.repeat(picture, 10, axis=1), CameraSettings(preview_width=128), 0.0)
    assert frame.glimpse is frame.image
    assert not made
    assert frame.preview is frame.preview
    assert len(made) == 1


def test_a_small_picture_is_its_own_preview(picture):
    frame = geometry.frame(picture, CameraSettings(preview_width=128, mirror=True), 0.0)
    assert frame.preview is frame.image
