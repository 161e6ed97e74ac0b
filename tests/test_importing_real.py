"""ONNX and PyTorch networks through their real tools, in the environments that `convert` makes: `make test-import`."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter import faces
from converter.importing.environment import TORCH, python_of
from converter.importing.proof import LEAST_COSINE
from converter.importing.worker import Worker
from edge.errors import ModelError
from edge.models import card as cards
from edge.models.tflite import Model
from support.converting import run
from support.onnx_models import EmbedderGraph, classifier, embedder, in_half, made, mixing_embedder, save
from support.torch_files import Shell, program_file, weights_file

pytestmark = [
    pytest.mark.slow,
    pytest.mark.importing,
    pytest.mark.skipif("WHOSTHERE_IMPORT" not in os.environ, reason="installs 2 GB of tools: make test-import"),
]

FAST = ("--count", "8", "--licence", "research only")
NETWORK = '''
import torch
from torch import nn


class Small(nn.Module):
    """As published embedders are: convolutions, PReLU, a flatten, a dropout, a batch norm at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.PReLU(8))
        self.depthwise = nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.second = nn.Conv2d(8, 16, 3, 2, 1)
        self.last = nn.Sequential(nn.Flatten(), nn.Dropout(0.4), nn.Linear(16 * 64, 24), nn.BatchNorm1d(24))

    def forward(self, x):
        x = self.first(x)
        x = torch.relu(self.second(x + torch.relu(self.depthwise(x))))
        return self.last(x)


def build():
    return Small()
'''
SAVE = """
import sys

sys.path.insert(0, ".")
import torch
from network import build

torch.manual_seed(0)
network = build()
for _ in range(3):
    network(torch.randn(8, 3, 32, 32))
network.eval()
picture = torch.randn(2, 3, 32, 32)
torch.save(network.state_dict(), "weights.pth")
torch.save({"epoch": 7, "state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, "checkpoint.pth")
torch.save(network.state_dict(), "old.pth", _use_new_zipfile_serialization=False)
torch.save(network, "whole.pth")
torch.jit.script(network).save("scripted.pt")
torch.jit.trace(network, picture).save("traced.pt")
torch.export.save(torch.export.export(network, (picture[:1],)), "fixed.pt2")
batch = torch.export.Dim("batch")
torch.export.save(torch.export.export(network, (picture,), dynamic_shapes=({0: batch},)), "dynamic.pt2")
torch.export.save(torch.export.export(network, (picture,)), "two.pt2")
with torch.no_grad():
    torch.save(network(torch.load("pictures.pt")), "vectors.pt")
"""


def converted(path: Path, output: Path, *arguments: str | Path) -> tuple[Model, str]:
    """The float32 card's network, and what was said about the proof."""
    code, _, said = run("convert", path, "-o", output, *FAST, "--variants", "fp32", *arguments)
    assert code == 0, said
    return Model(output / f"{path.stem}-fp32.yaml", "embed"), said


def refusal(path: Path, output: Path, *arguments: str | Path) -> str:
    code, _, said = run("convert", path, "-o", output, *FAST, *arguments)
    assert code == 4, said
    assert not output.exists()
    return said


def pictures(side: int, count: int = 3) -> list[Any]:
    return faces.noise(side, count)


def onnx_vectors(path: Path, batch: Any, output: str) -> Any:
    """What onnxruntime of this environment, not of the import's, gives for normalised pictures (n, c, h, w)."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(path))
    kind = np.float16 if "16" in session.get_inputs()[0].type else np.float32
    name, fixed = session.get_inputs()[0].name, session.get_inputs()[0].shape[0]
    together = fixed if isinstance(fixed, int) else 1
    copies = [np.repeat(one[None].astype(kind), together, 0) for one in batch]
    rows = [session.run([output], {name: several})[0][0].reshape(-1) for several in copies]
    return np.stack(rows).astype(np.float32)


def least_cosine(one: Any, other: Any) -> float:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(1) / lengths).min())


FORMS: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "any batch": (embedder, ("--range", "-1..1")),
    "one picture, normalised": (lambda: embedder(batch=1, normalised=True), ("--mean", "127.5", "--std", "128")),
    "four pictures": (lambda: embedder(batch=4), ("--range", "-1..1")),
    "channels last": (lambda: embedder(nhwc=True), ("--range", "0..1")),
    "float16": (lambda: in_half(embedder()), ("--range", "-1..1")),
    "grey": (lambda: embedder(channels=1), ("--range", "-1..1", "--channels", "grey")),
    "any size": (lambda: embedder(side="side"), ("--range", "-1..1", "--size", "32")),
    "bgr": (embedder, ("--range", "-1..1", "--channels", "bgr")),
    "ImageNet's mean": (embedder, ("--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375")),
    "each picture's own mean": (embedder, ("--range", "per-picture")),
}


def normalised(form: str, side: int = 32) -> Any:
    """The pictures as each form's training had them, (n, channels, side, side)."""
    rgb = np.stack(pictures(side))[..., ::-1].astype(np.float32)
    if form == "grey":
        model = cards.InputSpec((1, side, side, 1), "grey", 127.5, 127.5)
        return np.stack([t[0].transpose(2, 0, 1) for t in faces.tensors(pictures(side), model)])
    if form == "each picture's own mean":
        rgb = (rgb - rgb.mean((1, 2, 3), keepdims=True)) / rgb.std((1, 2, 3), keepdims=True)
    elif form == "ImageNet's mean":
        rgb = (rgb - np.array([123.675, 116.28, 103.53])) / np.array([58.395, 57.12, 57.375])
    elif form == "channels last":
        return (rgb / 255).astype(np.float32)
    else:
        rgb = (rgb - 127.5) / (128 if "normalised" in form else 127.5)
    ordered = rgb[..., ::-1] if form == "bgr" else rgb
    return ordered.transpose(0, 3, 1, 2).astype(np.float32)


@pytest.mark.parametrize("form", FORMS)
def test_an_onnx_network_gives_on_the_box_what_it_gave_in_onnxruntime(form: str, tmp_path: Path) -> None:
    build, told = FORMS[form]
    path = save(build(), tmp_path / "arcface.onnx")
    model, said = converted(path, tmp_path / "out", *told)
    print(said)
    wanted = onnx_vectors(path, normalised(form), "embedding")
    found = np.stack([model.run([picture])[0][0] for picture in pictures(32)])
    assert least_cosine(wanted, found) >= LEAST_COSINE
    assert model.card.licence == "research only"
    assert "mean cosine 1.0000000" in model.card.measured["compared with the original"] or form == "float16"
    assert "(sha256 " in model.card.origin
    assert ("have length one" in said) == ("normalised" in form)
    assert ("weights are float16" in said) == (form == "float16")


def test_all_variants_are_made_of_a_network_that_flattens(tmp_path: Path) -> None:
    path = save(embedder(), tmp_path / "arcface.onnx")
    code, printed, said = run("convert", path, "-o", tmp_path / "out", *FAST, "--range", "-1..1", "--json")
    assert code == 0, said
    results = {r["variant"]: r for r in json.loads(printed)}
    assert all(not r["unfit"] for r in results.values()), results
    assert results["int8-full"]["mean_cosine"] > 0.99
    for variant in results:
        assert cards.read_card(tmp_path / "out" / f"arcface-{variant}.yaml").licence == "research only"


def test_blocks_that_are_channels_last_inside_and_split_channels_are_imported(tmp_path: Path) -> None:
    path = save(mixing_embedder(), tmp_path / "edge.onnx")
    model, said = converted(path, tmp_path / "out", "--range", "-1..1")
    assert "mean cosine 1.0000000" in model.card.measured["compared with the original"], said


def test_a_classifier_is_told_what_to_do_and_then_cut(tmp_path: Path) -> None:
    path = save(classifier(), tmp_path / "people.onnx")
    code, _, said = run("convert", path, "-o", tmp_path / "whole", *FAST, "--variants", "fp32", "--range", "-1..1")
    assert "probabilities of 5 labels" in said and "--cut softmax" in said, (code, said)
    model, said = converted(path, tmp_path / "out", "--range", "-1..1", "--cut", "softmax")
    assert "probabilities" not in said
    assert model.card.outputs == [[1, 24]]
    assert "mean cosine 1.0000000" in model.card.measured["compared with the original"], said
    said = refusal(path, tmp_path / "no", "--range", "-1..1", "--cut", "nothing")
    assert "--cut: found 'nothing'; allowed: softmax, or the name of a value in it" in said


def two_outputs(path: Path, names: tuple[str, str] = ("quality", "embedding")) -> Path:
    graph = EmbedderGraph()
    x = graph.convolution("data", 3, 8, 3, strides=[2, 2])
    flat = graph.node("Flatten", graph.node("GlobalAveragePool", x), axis=1, name=names[1])
    graph.node("ReduceMean", flat, axes=[1], keepdims=1, name=names[0])
    return save(made(graph, ["n", 3, 32, 32], {names[0]: ["n", 1], names[1]: ["n", 8]}), path)


def test_one_of_several_outputs_is_chosen_by_name(tmp_path: Path) -> None:
    path = two_outputs(tmp_path / "two.onnx")
    said = refusal(path, tmp_path / "out", "--range", "-1..1")
    assert "2 outputs found: quality (any, 1), embedding (any, 8); say with --output-name" in said
    said = refusal(path, tmp_path / "out", "--range", "-1..1", "--output-name", "vector")
    assert "--output-name: found 'vector'; allowed: quality (any, 1), embedding (any, 8)" in said
    said = refusal(path, tmp_path / "out", "--range", "-1..1", "--output-name", "quality")
    assert "its output 'quality' is (1, 1) for one picture; allowed: (1, numbers)" in said
    model, _ = converted(path, tmp_path / "out", "--range", "-1..1", "--output-name", "embedding")
    assert model.card.outputs == [[1, 8]]


@pytest.mark.parametrize(
    ("build", "arguments", "wanted"),
    [
        (lambda: embedder(side="side"), (), "pictures of any size: give --size, in pixels"),
        (embedder, ("--size", "112"), "--size is 112"),
        (lambda: embedder(batch=4, reshape=True), (), "its batch is fixed at 4: export it again with a batch of 1"),
        (lambda: b"not a network", (), "not an ONNX file, or a damaged one"),
        (lambda: embedder().SerializeToString()[:-400], (), "not an ONNX file, or a damaged one"),
    ],
)
def test_onnx_files_that_cannot_be_read_are_one_message(
    build: Callable[[], Any], arguments: tuple[str, ...], wanted: str, tmp_path: Path
) -> None:
    content = build()
    path = tmp_path / "bad.onnx"
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    assert wanted in refusal(path, tmp_path / "out", "--range", "-1..1", *arguments)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one network in every form of PyTorch, written by PyTorch itself."""
    folder = tmp_path_factory.mktemp("torch")
    (folder / "network.py").write_text(NETWORK)
    batch = ",".join(str(float(x)) for x in normalised("any batch").reshape(-1))
    (folder / "save.py").write_text(
        f"import torch\ntorch.save(torch.tensor([{batch}]).reshape(3, 3, 32, 32), 'pictures.pt')\n" + SAVE
        + "torch.save(torch.load('vectors.pt').numpy().tolist(), 'list.pt')\n"
        "import json\njson.dump(torch.load('vectors.pt').tolist(), open('vectors.json', 'w'))\n"
    )  # fmt: skip
    done = subprocess.run([python_of(TORCH), "save.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("weights.pth", ("--size", "32", "--build", "network.py")),
        ("checkpoint.pth", ("--size", "32", "--build", "network.py")),
        ("old.pth", ("--size", "32", "--build", "network.py")),
        ("scripted.pt", ("--size", "32")),
        ("traced.pt", ("--size", "32")),
        ("fixed.pt2", ()),
        ("dynamic.pt2", ()),
    ],
)
def test_a_network_of_pytorch_gives_on_the_box_what_it_gave_in_pytorch(
    name: str, arguments: tuple[str, ...], saved: Path, tmp_path: Path
) -> None:
    told = [saved / word if word.endswith(".py") else word for word in arguments]
    model, said = converted(saved / name, tmp_path / "out", "--range", "-1..1", *told)
    print(said)
    wanted = np.array(json.loads((saved / "vectors.json").read_text()), np.float32)
    found = np.stack([model.run([picture])[0][0] for picture in pictures(32)])
    assert least_cosine(wanted, found) >= LEAST_COSINE
    assert "(torch 2." in said and model.card.licence == "research only"


def test_networks_of_pytorch_that_do_not_fit_are_refused_with_the_reason(saved: Path, tmp_path: Path) -> None:
    given = ("--range", "-1..1", "--size", "32")
    assert "it would run network.Small" in refusal(saved / "whole.pth", tmp_path / "out", *given)
    assert "its batch is fixed at 2" in refusal(saved / "two.pt2", tmp_path / "out", "--range", "-1..1")
    assert "it does not run on a picture of 3 x 48 x 48" in refusal(
        saved / "scripted.pt", tmp_path / "out", "--range", "-1..1", "--size", "48"
    )
    other = tmp_path / "other.py"
    other.write_text("from torch import nn\n\n\ndef build():\n    return nn.Linear(3, 4)\n")
    said = refusal(saved / "weights.pth", tmp_path / "out", *given, "--build", other)
    assert "the weights do not belong to the network that build()" in said and "are unknown (depthwise.bias" in said
    other.write_text("def build():\n    return 7\n")
    said = refusal(saved / "weights.pth", tmp_path / "out", *given, "--build", other)
    assert "returned int; allowed: a torch.nn.Module" in said
    other.write_text("def build():\n    raise ValueError('no such layer')\n")
    assert "ValueError: no such layer" in refusal(saved / "weights.pth", tmp_path / "out", *given, "--build", other)


def test_pytorch_itself_runs_nothing_of_a_file_that_the_search_let_through(saved: Path, tmp_path: Path) -> None:
    """The worker is asked directly, so that only its own guard is between the file and PyTorch."""
    marker = tmp_path / "ran"
    shell = Shell("os", "system", f"touch {marker}").pickled()
    nested = weights_file(tmp_path / "nested.pt", shell).read_bytes()
    program = (saved / "fixed.pt2").read_bytes()
    assert program
    for number, (kind, path) in enumerate(
        [
            ("weights", weights_file(tmp_path / "hostile.pth", shell)),
            ("torchscript", weights_file(tmp_path / "hostile.pt", shell)),
            ("exported program", program_file(tmp_path / "hostile.pt2", data__sample_inputs__model=nested)),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        worker = Worker(python_of(TORCH), "torch_worker.py", folder, path)
        asked = {"kind": kind, "side": 32, "channels": 3, "output": None, "build": str(saved / "network.py")}
        with pytest.raises(ModelError) as caught:
            worker.ask("export", **asked, onnx=folder / "network.onnx")
        print(caught.value)
        assert not marker.exists()
