"""Networks of ONNX and PyTorch: what is asked for, what is refused before any tool sees the file, and the proof."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

from converter.commands import import_options
from converter.graph import Graph
from converter.importing import environment, proof
from converter.importing.layout import flatten_channels_last, reconnect
from converter.importing.originals import ImportedNetwork
from converter.importing.proof import LEAST_COSINE, compare, prove
from converter.importing.torch_files import kind_of
from converter.input_spec import template
from converter.licence import licence_of
from converter.runner import vectors
from converter.sources import to_tflite
from edge.errors import ModelError, UsageError
from edge.faces.framing import Framing
from edge.models.card import InputSpec
from support.converting import run
from support.torch_files import (
    MAGIC,
    Shell,
    old_weights_file,
    program_file,
    torchscript_file,
    weights_file,
    zipped,
)

TOLD = ("--range", "-1..1", "--licence", "research only")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of its own: no environment may appear in it in these tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    """Its content does not matter, as it is not read."""
    path = tmp_path / "arcface.onnx"
    path.write_bytes(b"not read")
    return path


def refused(cache: Path, output: Path, *arguments: str | Path) -> str:
    """The error of `convert`, which has neither made an environment nor written anything."""
    code, _, said = run("convert", *arguments, "-o", output)
    assert code in {2, 4}
    assert not cache.exists() and not output.exists()
    return said


def test_without_a_licence_nothing_is_converted(cache: Path, onnx_file: Path, tmp_path: Path) -> None:
    said = refused(cache, tmp_path / "out", onnx_file, "--range", "-1..1")
    assert "give --licence: the file does not say under which licence its weights were published" in said
    assert "research only" in said
    assert "give --licence" in refused(cache, tmp_path / "out", onnx_file, "--range", "-1..1", "--licence", " ")
    assert "give --licence" in refused(cache, tmp_path / "out", onnx_file, "--card", "mobilefacenet")


def test_on_a_terminal_the_licence_is_asked_for(onnx_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def ask() -> None:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
        click.echo(f"found {licence_of(None, onnx_file)}")

    done = CliRunner().invoke(ask, input="research only\n")
    assert "many are for research only" in done.stderr
    assert done.stdout.endswith("found research only\n")


def test_a_licence_is_one_printable_line(onnx_file: Path) -> None:
    assert licence_of(" MIT ", onnx_file) == "MIT"
    for bad in ("MIT\x1b[31m", "x" * 201, "two\nlines"):
        with pytest.raises(UsageError, match="one line of at most 200"):
            licence_of(bad, onnx_file)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((), "give --card, --range, or --mean and --std"),
        (("--mean", "127.5"), "--mean and --std belong together"),
        (("--mean", "127.5", "--std", "128", "--range", "-1..1"), "replace --range"),
        (
            ("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"),
            "--mean 123.675,116.28,103.53 --std 58.395,57.12",
        ),
        (("--mean", "127.5", "--std", "0"), "--std: found 0; allowed: numbers above 0"),
        (("--mean", "1,2", "--std", "3"), "allowed: one number, or three separated by commas"),
        (("--mean", "nan", "--std", "3"), "allowed: one number, or three separated by commas"),
        (("--mean", "1,2,3", "--std", "3,3,3", "--channels", "grey"), "three numbers found for --channels grey"),
        (("--range", "0..1", "--labels", __file__), "--labels is for Keras models"),
        (("--range", "0..1", "--build", __file__), "an .onnx file holds the network itself"),
    ],
)
def test_options_that_make_no_sense_for_onnx(
    arguments: tuple[str, ...], wanted: str, cache: Path, onnx_file: Path, tmp_path: Path
) -> None:
    assert wanted in refused(cache, tmp_path / "out", onnx_file, "--licence", "MIT", *arguments)


@pytest.mark.parametrize("option", [("--size", "112"), ("--output-name", "a"), ("--build", __file__)])
def test_options_of_imports_are_refused_for_other_networks(
    option: tuple[str, str], cache: Path, tmp_path: Path
) -> None:
    path = tmp_path / "mine.tflite"
    path.write_bytes(b"not read")
    assert f"{option[0]}: it is for .onnx files" in refused(cache, tmp_path / "out", path, *TOLD, *option)
    several = ("--mean", "1,2,3", "--std", "4,5,6", "--licence", "MIT")
    assert "three are for ONNX and PyTorch" in refused(cache, tmp_path / "out", path, *several)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (weights_file, "weights"),
        (old_weights_file, "weights"),
        (torchscript_file, "torchscript"),
        (program_file, "exported program"),
    ],
)
def test_what_pytorch_saved_is_told_apart_by_its_content(
    make: Callable[[Path], Path], kind: str, tmp_path: Path
) -> None:
    assert kind_of(make(tmp_path / "a.pt")) == kind


@pytest.mark.parametrize(
    "shape", ["s0", "32", "2*s0 + 1", "Max(1, s77)", "Symbol('s77', positive=True, integer=True)", "FloorDiv(s0, 2)"]
)
def test_shapes_of_exported_programs_may_be_formulas(shape: str, tmp_path: Path) -> None:
    assert kind_of(program_file(tmp_path / "a.pt2", shape)) == "exported program"


def hostile_files(folder: Path, marker: Path) -> dict[str, Path]:
    """Files that would create `marker` if they were loaded the careless way."""
    shell = Shell("os", "system", f"touch {marker}")
    posix = Shell("posix", "system", f"touch {marker}")
    evaluated = Shell("builtins", "eval", f"open({str(marker)!r}, 'w')")
    inner = Shell("torch.storage", "_load_from_bytes", shell.pickled())
    nested = weights_file(folder / "nested.pt", shell.pickled()).read_bytes()
    code = f"__import__('os').system('touch {marker}')"
    (folder / "bare.pth").write_bytes(shell.pickled())
    return {
        "weights": weights_file(folder / "weights.pth", shell.pickled()),
        "protocol 4": weights_file(folder / "protocol4.pth", posix.pickled(4)),
        "eval": weights_file(folder / "eval.pth", evaluated.pickled()),
        "storage within": weights_file(folder / "storage.pth", inner.pickled()),
        "old format": old_weights_file(folder / "old.pth", shell.pickled()),
        "a pickle alone": folder / "bare.pth",
        "example inputs": program_file(folder / "inputs.pt2", data__sample_inputs__model=nested),
        "a pickle in a program": zipped(
            folder / "pickle.pt2",
            {"models/model.json": b"{}", "data/sample_inputs/model.pt": shell.pickled()},
        ),
        "formula": program_file(folder / "formula.pt2", code),
        "formula without quotes": program_file(folder / "formula2.pt2", "exit()"),
        "formula of another kind": program_file(folder / "formula3.pt2", ["s0"]),
        "custom object": program_file(folder / "custom.pt2", data__constants__custom_obj_0=b"x"),
        "torchscript that writes": torchscript_file(
            folder / "writes.pt", f"def forward(self, x):\n  torch.save(x, {str(marker)!r})\n  return x\n"
        ),
        "torchscript of another library": torchscript_file(
            folder / "library.pt", "def forward(self, x):\n  return ops.evil.run(x)\n"
        ),
    }


HOSTILE = [
    "weights", "protocol 4", "eval", "storage within", "old format", "a pickle alone", "example inputs",
    "a pickle in a program", "formula", "formula without quotes", "formula of another kind", "custom object",
    "torchscript that writes", "torchscript of another library",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_would_run_code_is_refused_and_nothing_runs(name: str, cache: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    files = hostile_files(tmp_path, marker)
    assert list(files) == HOSTILE
    said = refused(cache, tmp_path / "out", files[name], *TOLD, "--size", "32", "--build", __file__)
    assert files[name].name in said
    assert any(word in said for word in ("it would run", "would evaluate", "are not loaded", "is not loaded")), said
    assert not marker.exists()


def test_a_whole_model_is_refused_with_what_to_do_instead(cache: Path, tmp_path: Path) -> None:
    path = weights_file(tmp_path / "whole.pth", b"\x80\x02ctorch.nn.modules.conv\nConv2d\n)\x81}b.")
    said = refused(cache, tmp_path / "out", path, *TOLD, "--size", "32")
    assert "it would run torch.nn.modules.conv.Conv2d, as a pickle of a whole model does" in said
    assert "state_dict() and give --build" in said


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80", b"PK\x03\x04 cut off", b"\x93NUMPY", Shell("os", "system", "true").pickled()[:-1], bytes(64)],
)
def test_damaged_files_are_refused_in_one_line(content: bytes, cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.pth"
    path.write_bytes(content)
    said = refused(cache, tmp_path / "out", path, *TOLD, "--size", "32", "--build", __file__)
    assert "damaged.pth: " in said and said.count("\n") == 1


def test_other_zip_files_are_not_taken_for_pytorch(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="none that PyTorch wrote"):
        kind_of(zipped(tmp_path / "other.pt", {"readme.txt": b"hello"}))
    (tmp_path / "number.pt").write_bytes(b"\x80\x02K\x01.")
    with pytest.raises(ModelError, match="not a file of PyTorch"):
        kind_of(tmp_path / "number.pt")
    assert MAGIC.bit_length() > 64


@pytest.mark.parametrize(
    ("make", "arguments", "wanted"),
    [
        (weights_file, ("--size", "32"), "holds weights only: give --build"),
        (weights_file, ("--build", __file__), "give --size, in pixels"),
        (torchscript_file, (), "give --size, in pixels"),
        (torchscript_file, ("--size", "32", "--build", __file__), "--build is for files of weights"),
        (program_file, ("--build", __file__), "--build is for files of weights"),
    ],
)
def test_what_a_file_of_pytorch_does_not_say_is_asked_for(
    make: Callable[[Path], Path], arguments: tuple[str, ...], wanted: str, cache: Path, tmp_path: Path
) -> None:
    assert wanted in refused(cache, tmp_path / "out", make(tmp_path / "net.pth"), *TOLD, *arguments)


def test_equal_vectors_are_equal_whatever_their_length() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(5, 8)).astype(np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    found = compare(rows, unit, Path("a.onnx"))
    assert found.least_cosine == pytest.approx(1) and found.largest_difference < 1e-6
    assert not found.normalised and compare(unit, unit, Path("a.onnx")).normalised


def test_a_proof_needs_finite_vectors_of_one_size() -> None:
    rows = np.eye(3, dtype=np.float32)
    with pytest.raises(ModelError, match="gives 3 numbers per picture, the converted one 2"):
        compare(rows, rows[:, :2], Path("a.onnx"))
    with pytest.raises(ModelError, match="NaN or infinity"):
        compare(rows * np.nan, rows, Path("a.onnx"))


class Turned:
    """An original whose vectors are turned by a given angle for the last picture."""

    def __init__(self, cosine: float) -> None:
        self.cosine = cosine

    def vectors(self, inputs: Any) -> Any:
        rows = np.tile(np.array([1.0, 0.0], np.float32), (len(inputs), 1))
        rows[-1] = self.cosine, (1 - self.cosine**2) ** 0.5
        return rows


def described(side: int) -> tuple[InputSpec, Framing]:
    return InputSpec((1, side, side, 3), "rgb", 127.5, 127.5), Framing(np.array(template(side), np.float32))


def test_a_result_that_is_not_the_original_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture of many is a little too far away."""
    monkeypatch.setattr(proof, "vectors", lambda *given: Turned(1).vectors(given[-1]))
    spec, framing = described(32)
    for cosine in (1.0, LEAST_COSINE + 1e-5):
        assert prove(ImportedNetwork(b"", "a tool 1.0", Turned(cosine), False), Path("a.onnx"), spec, framing)
    near = ImportedNetwork(b"", "a tool 1.0", Turned(LEAST_COSINE - 1e-5), False)
    with pytest.raises(ModelError, match=r"a\.onnx: the converted network is not the original: mean cosine 0\.99999"):
        prove(near, Path("a.onnx"), spec, framing)


@pytest.mark.tensorflow
def test_a_flatten_with_channels_first_moves_no_numbers() -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed: pip install 'whosthere[converter]'")
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    given = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(5, 3)(given)
    x = keras.layers.ReLU()(keras.layers.Permute((3, 1, 2))(x))
    vector = keras.layers.Dense(7)(keras.layers.Flatten()(x))
    content = to_tflite(keras.Model(given, vector), Path("a.keras"))
    assert "TRANSPOSE" in Graph(content).kinds()
    changed = flatten_channels_last(content, "a")
    assert "TRANSPOSE" not in Graph(changed).kinds()
    inputs = [np.random.default_rng(i).normal(size=(1, 8, 8, 3)).astype(np.float32) for i in range(4)]
    assert vectors(changed, "a", inputs) == pytest.approx(vectors(content, "a", inputs), abs=1e-6)


def without(graph: Graph, kind: str, to: str) -> bytes:
    """The network after what onnx2tf does wrong: an operator is gone whose output is still read."""
    [lost] = [operator for operator in graph.operators if graph.kind(operator) == kind]
    before = graph.body.tensors[int(lost.inputs[0])]
    before.name = f"{graph.tensor_name(int(lost.outputs[0]))}{to}".encode()
    graph.operators.remove(lost)
    return graph.pack()


@pytest.mark.tensorflow
def test_a_transpose_that_onnx2tf_lost_is_found_by_its_name() -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed: pip install 'whosthere[converter]'")
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    given = keras.Input((8, 8, 3))
    x = keras.layers.Permute((3, 1, 2))(keras.layers.Conv2D(5, 3)(given))
    content = to_tflite(keras.Model(given, keras.layers.Flatten()(x)), Path("a.keras"))
    inputs = [np.random.default_rng(i).normal(size=(1, 8, 8, 3)).astype(np.float32) for i in range(4)]
    assert reconnect(content, "a") == Graph(content).pack(), "nothing is lost"

    lost = without(Graph(content), "TRANSPOSE", "_nhwc_bridge")
    with pytest.raises(RuntimeError, match="lacks data"):
        vectors(lost, "a", inputs)
    assert vectors(reconnect(lost, "a"), "a", inputs) == pytest.approx(vectors(content, "a", inputs), abs=1e-6)
    with pytest.raises(ModelError, match=r"a\.onnx: a tool 1\.0 made a network of it that does not run: .+lacks data"):
        prove(ImportedNetwork(lost, "a tool 1.0", Turned(1.0), False), Path("a.onnx"), *described(8))
    with pytest.raises(ModelError, match=r"a\.onnx: onnx2tf converts it to a network in which nothing computes '.+'"):
        reconnect(without(Graph(content), "TRANSPOSE", "_something"), "a.onnx")


def test_the_pins_name_a_version_for_everything_asked_for() -> None:
    for chain in (environment.ONNX, environment.TORCH):
        assert set(chain.packages) <= set(chain.versions)
        assert all(version[:1].isdigit() for version in chain.versions.values())


@pytest.mark.parametrize(
    ("name", "foreign"),
    [("a.onnx", True), ("A.PTH", True), ("checkpoint.pth.tar", True), ("people.tar", False), ("a.keras", False)],
)
def test_what_the_tools_of_another_framework_read(name: str, foreign: bool) -> None:
    assert import_options.is_foreign(Path(name)) is foreign
