"""A label classifier of ONNX is cut before its labels, by the scripts of the import, here in this environment."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.classifier_head import probabilities
from converter.importing import environment
from converter.importing.originals import ImportRequest, OnnxOriginal, import_network
from edge.errors import ModelError, UsageError

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
onnx_cut = pytest.importorskip("converter.importing.onnx_cut")
onnx_worker = pytest.importorskip("converter.importing.onnx_worker")
models = pytest.importorskip("support.onnx_models")

HEADS = ["Gemm", "MatMul", "Conv", "Dropout", "view", "scaled", "LogSoftmax"]


def vectors(path: Path, output: str, folder: Path) -> Any:
    """What the worker of the import gives for two pictures."""
    pictures = np.random.default_rng(3).normal(size=(2, models.SIDE, models.SIDE, 3)).astype(np.float32)
    np.save(folder / "inputs.npy", pictures)
    asked = {"model": str(path), "side": None, "output": output, "inputs": folder / "inputs.npy"}
    onnx_worker.run({**asked, "vectors": folder / "vectors.npy"})
    return np.load(folder / "vectors.npy")


def with_embedding(model: Any) -> Any:
    """The same with its embedding as a second output."""
    model.graph.output.append(onnx.helper.make_tensor_value_info("embedding", onnx.TensorProto.FLOAT, None))
    return model


@pytest.mark.parametrize("head", HEADS)
def test_a_classifier_is_cut_before_its_labels(head: str, tmp_path: Path) -> None:
    whole = models.save(models.classifier(head), tmp_path / "whole.onnx")
    both = models.save(with_embedding(models.classifier(head)), tmp_path / "both.onnx")
    asked = {"model": str(whole), "output": "labels", "cut": str(tmp_path / "cut.onnx")}

    at = onnx_cut.cut({**asked, "where": "softmax"})["at"]

    wanted = vectors(both, "embedding", tmp_path)
    assert np.array_equal(vectors(tmp_path / "cut.onnx", at, tmp_path), wanted)
    assert wanted.shape == (2, models.NUMBERS)
    onnx_cut.cut({**asked, "where": "embedding"})
    assert np.array_equal(vectors(tmp_path / "cut.onnx", "embedding", tmp_path), wanted)


@pytest.mark.parametrize(
    ("build", "where", "said"),
    [
        (models.embedder, "softmax", "found BatchNormalization at its end, which is no softmax after a dense layer"),
        (models.classifier, "flatten", "--cut: found 'flatten'; allowed: softmax, or the name of a value in it: "),
        (models.classifier, "labels.weight", "--cut: found 'labels.weight'"),
    ],
)
def test_what_cannot_be_cut_is_refused(build: Any, where: str, said: str, tmp_path: Path) -> None:
    path = models.save(build(), tmp_path / "whole.onnx")
    output = build().graph.output[0].name
    with pytest.raises(onnx_cut.CutRefused, match=said):
        onnx_cut.cut({"model": str(path), "output": output, "where": where, "cut": str(tmp_path / "cut.onnx")})
    assert not (tmp_path / "cut.onnx").exists()


def test_labels_straight_from_the_picture_have_no_embedding(tmp_path: Path) -> None:
    graph = models.EmbedderGraph()
    logits = graph.node("Gemm", graph.node("Flatten", "data", axis=1), graph.noise("w", 5, 3 * 32 * 32), transB=1)
    graph.node("Softmax", logits, axis=1, name="labels")
    graph.nodes[1].input[0], graph.nodes[0].output[0] = "data", "unused"
    node = onnx.helper.make_graph(graph.nodes[1:], "one", [onnx.helper.make_tensor_value_info("data", 1, [1, 3072])],
                                  [onnx.helper.make_tensor_value_info("labels", 1, [1, 5])], graph.weights)  # fmt: skip
    with pytest.raises(onnx_cut.CutRefused, match="found nothing between the picture and the labels"):
        onnx_cut.Cutting(node).place("softmax", "labels")


def test_the_original_is_cut_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the result is compared with are the vectors at the cut, not the labels. onnx2tf is not needed here."""
    monkeypatch.setattr(environment, "python_of", lambda _: Path(sys.executable))
    path = models.save(models.classifier(), tmp_path / "people.onnx")
    folder = tmp_path / "work"
    folder.mkdir()
    original = OnnxOriginal(path, ImportRequest(cut="softmax"), folder)
    with pytest.raises(ModelError, match=r"people\.onnx: .*(onnx2tf|onnxsim)"):
        original.convert()
    picture = np.zeros((1, models.SIDE, models.SIDE, 3), np.float32)
    assert original.vectors([picture, picture]).shape == (2, models.NUMBERS)


def test_pytorch_is_cut_by_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    path.write_bytes(b"not read")
    with pytest.raises(UsageError, match=r"--cut is for Keras and ONNX; let build\(\) return the network without"):
        import_network(path, ImportRequest(side=32, cut="softmax"), tmp_path)


@pytest.mark.parametrize("name", ["a.onnx", "a.KERAS", "a.h5"])
def test_the_advice_is_one_that_can_be_followed(name: str, tmp_path: Path) -> None:
    assert probabilities(tmp_path / name, 5).endswith("cut it before the labels with --cut softmax")


@pytest.mark.parametrize("name", ["a.tflite", "a.pth", "a.pt2", "folder"])
def test_no_cut_is_advised_where_there_is_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    said = probabilities(tmp_path / name, 5)
    assert said.endswith(
        "give it without its last layers; of a .keras, .h5 or .onnx file, --cut softmax takes them off"
    )
