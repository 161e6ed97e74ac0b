"""Faces become unit vectors: the same person is near, another is far."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import ModelError
from edge.faces.embed import TfliteEmbedder
from edge.models import card
from edge.models.tflite import Model
from edge.records import Image, Vector
from support import tiny_models
from support.data_sets import data_root, golden
from support.networks import detector, embedder, landmarks_of, mesh
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, OBAMA_2009, OBAMA_2010, read_picture

OBAMA = [OBAMA_2009, OBAMA_2010, OBAMA]
OTHERS = [BIDEN, COLLINS, HOPPER]


def embedded(image: Image) -> Vector:
    return embedder().embed([embedder().crop(image, landmarks_of(image))])[0]


def test_pictures_of_one_person_are_near_and_those_of_others_far() -> None:
    calibration = card.read_card(card.find("mobilefacenet")).calibration
    assert calibration is not None
    near, _ = calibration.similarity_at(1e-4)
    far, _ = calibration.similarity_at(1e-2)
    own = np.array([embedded(read_picture(path)) for path in OBAMA])
    others = np.array([embedded(read_picture(path)) for path in OTHERS])

    assert (own @ own.T).min() > near
    assert (own @ others.T).max() < far
    assert (others @ others.T - 2 * np.eye(3)).max() < far


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image[:, ::-1].copy(),
        lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        lambda image: np.clip(image * 0.6 + 10, 0, 255).astype(np.uint8),
        lambda image: cv2.warpAffine(
            image, cv2.getRotationMatrix2D((256, 256), 20, 1), (512, 512), borderMode=cv2.BORDER_REPLICATE
        ),
    ],
    ids=["mirrored", "half the size", "darker", "tilted"],
)
def test_a_face_stays_itself(change: Callable[[Image], Image]) -> None:
    image = read_picture(COLLINS)

    assert float(embedded(image) @ embedded(change(image))) > 0.85


def test_red_and_blue_are_not_the_same_to_it() -> None:
    image = read_picture(COLLINS)
    seen = landmarks_of(image)
    right, wrong = embedder().crop(image, seen), embedder().crop(image[..., ::-1].copy(), seen)
    first, second = embedder().embed([right, wrong])

    assert float(first @ second) < 0.995


def test_vectors_are_of_length_one_read_only_and_in_order() -> None:
    crops = [embedder().crop(image, landmarks_of(image)) for image in map(read_picture, (BIDEN, HOPPER))]
    forwards, backwards = embedder().embed(crops), embedder().embed(crops[::-1])

    assert embedder().embed([]) == []
    assert all(v.shape == (embedder().dimensions,) and not v.flags.writeable for v in forwards)
    assert np.allclose([np.linalg.norm(v) for v in forwards], 1, atol=1e-6)
    assert np.allclose(forwards, backwards[::-1], atol=1e-6)


def test_more_crops_than_the_batch(tmp_path: Path) -> None:
    spec = {"shape": [2, 4, 4, 3], "channels": "rgb", "mean": 127.5, "scale": 128.0}
    path = tiny_models.write(tmp_path, tiny_models.identity(2), input=spec, outputs=[[2, 48]])
    crops = [np.random.default_rng(i).integers(0, 255, (4, 4, 3), np.uint8) for i in range(5)]

    together = TfliteEmbedder(Model(path, "embed")).embed(crops)
    alone = [TfliteEmbedder(Model(path, "embed")).embed([crop])[0] for crop in crops]

    assert np.allclose(together, alone, atol=1e-6)


def test_a_network_that_gives_no_direction_is_an_error(tmp_path: Path) -> None:
    spec = {"shape": [1, 4, 4, 3], "channels": "rgb", "mean": 0, "scale": 1.0}
    path = tiny_models.write(tmp_path, tiny_models.identity(), input=spec)

    with pytest.raises(ModelError, match=r"tiny\.tflite: .* length 0"):
        TfliteEmbedder(Model(path, "embed")).embed([np.zeros((4, 4, 3), np.uint8)])


@pytest.mark.parametrize("alignment", [None, [[1, 1], [3, 1]]])
def test_an_embedder_needs_its_five_points(tmp_path: Path, alignment: list[list[int]] | None) -> None:
    path = tiny_models.write(tmp_path, tiny_models.identity(), alignment=alignment)

    with pytest.raises(ModelError, match=r"tiny\.tflite: .*alignment"):
        TfliteEmbedder(Model(path, "embed"))


@pytest.mark.data
def test_agrees_with_an_independent_implementation() -> None:
    reference = golden()
    vectors = []
    for entry in reference["images"]:
        image = read_picture(data_root() / entry["image"])
        middle = np.array(image.shape[1::-1]) / 2
        faces = detector(squares=False, min_score=0.3).detect(image)
        face = min(faces, key=lambda f: float(np.abs(np.array(f.box.centre) - middle).sum()))
        (vector,) = embedder().embed([embedder().crop(image, mesh().locate(image, face))])
        assert np.abs(vector[:8] - entry["embedding_first8"]).max() < 0.005
        vectors.append(vector)

    cosine = np.array(vectors) @ np.array(vectors).T
    assert np.abs(cosine - reference["cosine"]).max() < 0.005
