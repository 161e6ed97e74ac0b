"""The owner's own liveness networks: how they are fed and read. The network returns the pixels that it was given."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.config.faces import DetectSettings, QualitySettings
from edge.config.sections import ModelSettings
from edge.errors import ModelError
from edge.faces.liveness_network import LivenessNetwork, crop_around, face_box
from edge.faces.loading import load_analyser
from edge.models.tflite import Model
from edge.records import Box, Image
from support.tiny_models import NUMBERS, SIDE, identity, write

BGR = {"shape": [1, SIDE, SIDE, 3], "channels": "bgr", "mean": 0.0, "scale": 255.0}
MESH = np.array([[40, 40, 0], [60, 60, 0]], np.float32)


def card(folder: Path, **liveness: object) -> Path:
    folder.mkdir(exist_ok=True)
    spec = {"crop": 2.0, "live_class": 0, "logits": False} | liveness
    return write(folder, identity(), task="liveness", input=BGR, liveness=spec)


def network(folder: Path, **liveness: object) -> LivenessNetwork:
    return LivenessNetwork(Model(card(folder, **liveness), "liveness"))


def scene() -> Image:
    """Black; blue, green and red are 51, 102 and 153 in twice the face's box."""
    image = np.zeros((100, 100, 3), np.uint8)
    image[30:71, 30:71] = (51, 102, 153)
    return image


def test_it_sees_the_crop_in_bgr_from_0_to_255(tmp_path: Path) -> None:
    seen = [network(tmp_path / str(n), live_class=n).living(scene(), MESH) for n in range(3)]
    assert seen == pytest.approx([0.2, 0.4, 0.6], abs=0.01)


def test_a_larger_crop_sees_what_is_around(tmp_path: Path) -> None:
    assert network(tmp_path, crop=4.0).living(scene(), MESH) == 0


def test_logits_go_through_a_softmax(tmp_path: Path) -> None:
    white = np.full((100, 100, 3), 255, np.uint8)
    assert network(tmp_path, logits=True).living(white, MESH) == pytest.approx(1 / NUMBERS)


def test_a_crop_is_moved_into_the_picture_and_never_larger_than_it() -> None:
    image = np.arange(100 * 80 * 3, dtype=np.uint8).reshape(100, 80, 3)
    assert crop_around(image, Box(0, 0, 20, 20), 2.0).shape == (41, 41, 3)
    assert np.array_equal(crop_around(image, Box(0, 0, 20, 20), 2.0), image[:41, :41])
    assert np.array_equal(crop_around(image, Box(70, 90, 90, 110), 2.0), image[59:, 39:])
    assert crop_around(image, Box(10, 10, 60, 60), 4.0).shape == (80, 80, 3)
    assert crop_around(image, Box(500, 500, 500, 500), 4.0).size > 0


def test_the_box_is_that_of_the_mesh() -> None:
    assert face_box(MESH) == Box(40, 40, 60, 60)


def test_a_card_that_lacks_what_is_needed_is_refused(tmp_path: Path) -> None:
    plain = write(tmp_path, identity(), task="liveness", input=BGR)
    with pytest.raises(ModelError, match="found no `liveness` in its card; allowed: crop, live_class and logits"):
        LivenessNetwork(Model(plain, "liveness"))
    with pytest.raises(ModelError, match=f"live_class {NUMBERS}; allowed: .* below the number of classes"):
        network(tmp_path, live_class=NUMBERS)
    with pytest.raises(ModelError, match=r"liveness\.crop"):
        network(tmp_path, crop=0.5)


def test_config_names_one_or_two_and_their_mean_counts(tmp_path: Path) -> None:
    models = ModelSettings(
        liveness=str(card(tmp_path / "a", live_class=0)), second_liveness=str(card(tmp_path / "b", live_class=2))
    )
    both = load_analyser(models, DetectSettings(), QualitySettings()).liveness
    assert [one.living(scene(), MESH) for one in both] == pytest.approx([0.2, 0.6], abs=0.01)
    assert (
        len(
            load_analyser(
                msgspec.structs.replace(models, second_liveness=None), DetectSettings(), QualitySettings()
            ).liveness
        )
        == 1
    )
