"""Fine-tuning for int8: what TensorFlow computes is what the int8 kernels compute, and training brings it nearer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.fine_tuning import learning
from converter.fine_tuning.learning import TuningPlan
from converter.fine_tuning.network import RoundedNetwork, plain
from converter.fine_tuning.photos import TuningPhotos
from converter.fine_tuning.tuner import PhotoTuner
from converter.graph import RELU6, Graph, Values, schema
from converter.passes.activations import spell_out_hard_swish, spell_out_prelu
from converter.passes.precision import Quantiser
from converter.passes.ranges import Range, joined, observe, searched_ranges
from converter.passes.scaling import flip_slopes
from converter.passes.simplify import simplify
from converter.runner import TensorProbe, unit, vectors
from converter.training.dataset import Dataset
from edge.errors import ModelError
from edge.models.card import InputSpec
from support.converting import run
from support.float_models import Builder, gated_network, pictures, residual_network
from support.needed import TENSORFLOW
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, read_picture, save

pytestmark = TENSORFLOW

SPEC = InputSpec((1, 12, 12, 3), "rgb", 127.5, 127.5)


def prepared(graph: Graph) -> tuple[bytes, dict[str, Range]]:
    """A float graph as it is before quantisation, and its ranges."""
    simplify(graph)
    flip_slopes(graph)
    pairs, known = spell_out_prelu(graph), spell_out_hard_swish(graph)
    seen = observe(graph.pack(), pictures(graph, 12), histograms=True)
    return graph.pack(), joined(searched_ranges(seen), pairs) | known


def clipped() -> tuple[bytes, bytes, dict[str, Range]]:
    """(float network, its form for int8, ranges), with ranges of a third of the values.

    That error is systematic, so it can be learnt; rounding alone is noise in a small random network.
    """
    reference = shallow(12).pack()
    content, ranges = prepared(Graph(reference))
    return reference, content, {name: (low / 3, high / 3) for name, (low, high) in ranges.items()}


def shallow(side: int) -> Graph:
    b = Builder(side)
    x = b.depthwise(b.conv(b.input, 16, 3, 2, RELU6))
    return b.vector(b.conv(b.conv(x, 16, activation=RELU6), 8, 3, 3))


def rounded(content: bytes, ranges: dict[str, Range]) -> RoundedNetwork:
    return RoundedNetwork(content, Quantiser(Graph(content), ranges).scales())


def integer(content: bytes, ranges: dict[str, Range]) -> bytes:
    graph = Graph(content)
    Quantiser(graph, ranges).run()
    return graph.pack()


def cosines(one: Values, other: Values) -> Values:
    found: Values = np.array([unit(a) @ unit(b) for a, b in zip(one, other, strict=True)])
    return found


def photos(count: int = 64) -> TuningPhotos:
    random = np.random.default_rng(1)
    store = random.integers(0, 256, (count, 12, 12, 3)).astype(np.uint8)
    person = np.repeat(np.arange(count // 4), 4).astype(np.int32)
    everybody = Dataset(store, np.arange(count), person, [f"p{i}" for i in range(count // 4)])
    held = list(range(4))
    return TuningPhotos(everybody.of(range(4, count // 4)), everybody.of(held), list(range(16)), "random")


def everything() -> Graph:
    """Operators that the other small networks do not have."""
    b = Builder()
    x = b.conv(b.input, 8, 3, 2, RELU6)
    pool = schema.Pool2DOptionsT()
    pool.filterHeight = pool.filterWidth = pool.strideH = pool.strideW = 2
    pooled = [b.add(f"{kind}_POOL_2D", [x], (1, 3, 3, 8), pool) for kind in ("MAX", "AVERAGE")]
    join = schema.ConcatenationOptionsT()
    join.axis = 3
    y = b.add("CONCATENATION", pooled, (1, 3, 3, 16), join)
    margins = b.graph.add_constant("margins", np.array([[0, 0], [1, 0], [0, 1], [0, 0]], np.int32))
    y = b.add("PAD", [y, margins], (1, 4, 4, 16), schema.PadOptionsT())
    y = b.add("RESIZE_BILINEAR", [y, _size(b, 8)], (1, 8, 8, 16), schema.ResizeBilinearOptionsT())
    y = b.binary("SUB", b.depthwise(y), b.constant(np.linspace(-1, 1, 16)))
    for kind in ("MAXIMUM", "MINIMUM"):
        y = b.add(kind, [y, b.constant(np.full(16, -0.8 if kind == "MAXIMUM" else 0.8))], (1, 8, 8, 16))
    y = b.add("TANH", [b.prelu(b.add("RELU6", [b.conv(y, 12)], (1, 8, 8, 12)))], (1, 8, 8, 12))
    return b.vector(b.add("L2_NORMALIZATION", [b.conv(y, 6, 3, 4)], (1, 2, 2, 6), schema.L2NormOptionsT()))


def _size(b: Builder, side: int) -> int:
    return b.graph.add_constant(f"size_{side}", np.array([side, side], np.int32))


@pytest.mark.parametrize("graph", [residual_network(), gated_network(), everything()], ids=["prelu", "gated", "every"])
def test_tensorflow_computes_what_the_box_computes(graph: Graph) -> None:
    inputs = pictures(graph, 5)

    given = plain(graph.pack())(np.concatenate(inputs)).numpy()

    assert np.allclose([unit(row) for row in given], vectors(graph.pack(), "float", inputs), atol=1e-5)


@pytest.mark.parametrize(
    ("graph", "share"),
    [(shallow(12), 0.25), (residual_network(), 1.0), (gated_network(), 1.0)],
    ids=["shallow", "prelu", "gated"],
)
def test_rounding_is_that_of_the_integer_kernels(graph: Graph, share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly so in the first layers; in deep networks, a number on the edge between two integers changes others.

    `share`: the most that is left of the distance between the float network and the integer one.
    """
    content, ranges = prepared(graph)
    inputs = pictures(graph, 8, 9)
    network = rounded(content, ranges)
    imitated: dict[int, Values] = {}
    monkeypatch.setattr(network, "_rounded", _recording(network._rounded, imitated))

    given = network(np.concatenate(inputs)).numpy()

    made = [TensorProbe(integer(content, ranges)).run(picture) for picture in inputs]
    for operator in Graph(content).operators[:6]:
        output = int(operator.outputs[0])
        name = Graph(content).tensor_name(output)
        steps = np.concatenate([m[f"{name}/int"] for m in made]) - imitated[output]
        assert (np.abs(steps) > 1e-3).mean() < 0.08, name
    ours, wanted = vectors(integer(content, ranges), "int8", inputs), vectors(content, "float", inputs)
    assert (1 - cosines(given, ours)).mean() < share * (1 - cosines(wanted, ours)).mean()


def _recording(round_: Callable[[int, Any], Any], into: dict[int, Values]) -> Callable[[int, Any], Any]:
    def recorded(tensor: int, values: Any) -> Any:
        made = round_(tensor, values)
        into[tensor] = made.numpy()
        return made

    return recorded


def test_a_network_that_learnt_nothing_has_the_same_weights() -> None:
    content, ranges = prepared(residual_network())
    inputs = pictures(Graph(content), 3)

    kept = rounded(content, ranges).content()

    assert Graph(kept).kinds() == Graph(content).kinds()
    assert np.allclose(vectors(kept, "kept", inputs), vectors(content, "float", inputs), atol=1e-5)
    assert (vectors(integer(kept, ranges), "kept", inputs) == vectors(integer(content, ranges), "before", inputs)).all()


def test_what_cannot_be_trained_is_named() -> None:
    b = Builder()
    graph = b.vector(b.add("EXP", [b.conv(b.input, 4)], (1, 12, 12, 4)))

    with pytest.raises(ModelError, match="EXP cannot be fine-tuned"):
        plain(graph.pack())(np.zeros((1, 12, 12, 3), np.float32))


@pytest.fixture
def tuner() -> PhotoTuner:
    return PhotoTuner(photos(), SPEC, TuningPlan(epochs=12, batch=8, learning_rate=2e-3))


@pytest.mark.slow
def test_fine_tuning_brings_int8_nearer_to_float(tuner: PhotoTuner) -> None:
    reference, content, ranges = clipped()

    tuned = tuner.tune(reference, content, ranges)

    assert "48 faces of 12 people" in tuned.result
    assert "judged on 16 faces of 4 other people" in tuned.result
    others = pictures(Graph(reference), 12, 77)
    wanted = vectors(reference, "float", others)
    before, after = (
        cosines(vectors(integer(c, dict(r)), "int8", others), wanted).mean()
        for c, r in ((content, ranges), (tuned.content, tuned.ranges))
    )
    assert 1 - after < 0.5 * (1 - before)


@pytest.mark.slow
def test_one_seed_gives_one_result() -> None:
    short = PhotoTuner(photos(), SPEC, TuningPlan(epochs=2, seed=5, batch=8, learning_rate=2e-3))

    first, second = (short.tune(*clipped()) for _ in range(2))

    assert first == second
    assert "not used" not in first.result


@pytest.mark.slow
def test_what_is_no_better_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    tuner = PhotoTuner(photos(), SPEC, TuningPlan(epochs=2, batch=8, learning_rate=2e-3))
    reference, content, ranges = clipped()
    monkeypatch.setattr(learning, "factor", lambda *_: 300.0)

    tuned = tuner.tune(reference, content, ranges)

    assert (tuned.content, tuned.ranges) == (content, ranges)
    assert tuned.result.endswith("not used, as it is no better")


def people(root: Path, names: tuple[str, ...] = ("ada", "ben", "cleo", "dan")) -> Path:
    """One photo per person."""
    for name, portrait in zip(names, (OBAMA, BIDEN, HOPPER, COLLINS), strict=False):
        (root / name).mkdir(parents=True)
        save(root / name / "1.jpg", read_picture(portrait))
    return root


@pytest.mark.slow
def test_convert_fine_tunes_once_and_says_what_it_brought(tmp_path: Path) -> None:
    photos = people(tmp_path / "people")
    model = tmp_path / "mine.tflite"
    model.write_bytes(shallow(24).pack())
    command = ("convert", model, "-o", tmp_path / "out", "--range", "-1..1", "--faces", photos, "--count", "8")
    whole = (*command, "--variants", "int8-full", "--min-cosine", "-1", "--json")
    tuning = ("--fine-tune", photos, "--fine-tune-epochs", "1")

    results = [run(*whole, *tuning), run(*whole, *tuning), run(*whole, *tuning, "--seed", "1"), run(*whole)]

    assert all(code == 0 for code, _, _ in results), results
    first, again, reseeded, untuned = (json.loads(printed)[0] for _, printed, _ in results)
    assert "on 3 faces of 3 people (epochs: 1), judged on 1 face of 1 other person" in first["fine_tuning"]
    assert (first["kept"], again["kept"], reseeded["kept"], untuned["kept"]) == (False, True, False, False)
    assert again["fine_tuning"] == first["fine_tuning"]
    assert untuned["fine_tuning"] == ""


def test_too_few_people_to_judge_are_reported(tmp_path: Path) -> None:
    model = tmp_path / "mine.tflite"
    model.write_bytes(shallow(24).pack())
    photos = people(tmp_path / "people", ("ada", "ben"))
    command = ("convert", model, "-o", tmp_path / "out", "--range", "-1..1", "--faces", photos, "--count", "8")

    code, _, error = run(*command, "--fine-tune", photos)

    assert code != 0
    assert "people with a face in their photos: found 2; at least 4 are needed" in error
    assert not list((tmp_path / "out").glob("*.tflite"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "3"], "--seed belongs to --fine-tune; give that too"),
        (["--fine-tune-epochs", "3"], "--fine-tune-epochs belongs to --fine-tune; give that too"),
        (["--fine-tune", ".", "--variants", "int8"], "--fine-tune: found with --variants int8; allowed with int8-full"),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "mine.tflite").write_bytes(residual_network().pack())

    code, _, error = run("convert", tmp_path / "mine.tflite", "-o", tmp_path / "out", "--range", "-1..1", *arguments)

    assert code == 2
    assert message in error
