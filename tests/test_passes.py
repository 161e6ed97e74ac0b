"""The converter's passes: what must stay the same stays the same, on networks small and bundled."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.faces import PORTRAITS, crops, find_faces, tensors
from converter.graph import RELU, RELU6, Graph, Values, schema
from converter.passes.activations import curves, spell_out_hard_swish, spell_out_prelu
from converter.passes.biases import correct_biases
from converter.passes.float16 import half
from converter.passes.mixed_precision import ConvolutionCost, candidates, chosen, multiplications, share, tail, weigh
from converter.passes.precision import Quantiser, dynamic, rounded_weights
from converter.passes.ranges import (
    BINS,
    FEW_PLACES,
    Statistics,
    joined,
    observe,
    percentile_ranges,
    roomy_ranges,
    searched_ranges,
)
from converter.passes.scaling import equalise, flip_slopes
from converter.passes.simplify import simplify
from converter.runner import Runner, TensorProbe
from converter.variants import VariantMaker
from edge.errors import ModelError
from edge.faces.framing import Framing
from edge.models.card import BUNDLED, find, load
from support.float_models import Builder, gated_network, pictures, residual_network


def vectors(content: bytes, inputs: Sequence[Values]) -> Values:
    runner = Runner(content, "tested")
    return np.stack([runner(tensor) for tensor in inputs])


def cosine(one: bytes, other: bytes, inputs: Sequence[Values]) -> float:
    return float((vectors(one, inputs) * vectors(other, inputs)).sum(1).mean())


@pytest.fixture
def network() -> Graph:
    return residual_network()


@pytest.mark.parametrize("spelling", ["abs", "negated", "maximum"])
def test_prelu_is_recognised_however_it_is_spelt(spelling: str) -> None:
    b = Builder()
    x = b.conv(b.input, 8, 3)
    shape, slopes = b.graph.shape(x), np.linspace(-0.9, 0.9, 8)
    if spelling == "abs":
        less = b.binary("SUB", x, b.add("ABS", [x], shape))
        y = b.binary("ADD", b.add("RELU", [x], shape), b.binary("MUL", less, b.constant(slopes / 2)))
    elif spelling == "negated":
        below = b.add("RELU", [b.add("NEG", [x], shape)], shape)
        y = b.binary("ADD", b.add("RELU", [x], shape), b.binary("MUL", below, b.constant(-slopes)))
    else:
        y = b.add("MAXIMUM", [x, b.binary("MUL", x, b.constant(slopes))], shape)
    graph = b.vector(y)
    before = graph.pack()

    simplify(graph)

    assert graph.kinds() == ["CONV_2D", "PRELU", "RESHAPE"]
    assert np.allclose(vectors(graph.pack(), pictures(graph, 3)), vectors(before, pictures(graph, 3)), atol=1e-6)


def test_what_only_looks_like_prelu_is_left_alone() -> None:
    b = Builder()
    x = b.conv(b.input, 8)
    shifted = b.binary("ADD", b.add("RELU", [x], b.graph.shape(x)), b.constant(np.ones(8)))
    graph = b.vector(b.binary("ADD", shifted, b.conv(b.input, 8)))

    simplify(graph)

    assert "PRELU" not in graph.kinds()


@pytest.mark.parametrize("constant", [0.0, 1e-10, -1e-7])
def test_adding_next_to_nothing_is_no_prelu(constant: float) -> None:
    b = Builder()
    product = b.binary("MUL", b.conv(b.input, 8), b.conv(b.input, 8))
    graph = b.vector(b.binary("ADD", product, b.constant(np.full(8, constant))))

    simplify(graph)

    assert graph.kinds() == ["CONV_2D", "CONV_2D", "MUL", "ADD", "RESHAPE"]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.floats(-38, 37), st.floats(-9, 1), st.sampled_from([-1.0, 0.0, 1.0]))
def test_any_finite_values_have_ranges(size: float, width: float, around: float) -> None:
    """Tiny values, huge ones, and all but one value: float32 cannot part any range into 2,048 bins."""
    middle, spread = around * 10.0**size, 10.0 ** (size + width)
    b = Builder()
    scale = np.float32(spread) * np.linspace(0, 1, 3, dtype=np.float32)
    graph = b.vector(b.binary("ADD", b.binary("MUL", b.input, b.constant(scale)), b.constant(np.float32([middle] * 3))))

    seen = observe(
        graph.pack(), [np.full((1, *graph.shape(graph.inputs[0])[1:]), x, np.float32) for x in (-1, 1)], True
    )

    for low, high in searched_ranges(seen).values():
        assert low <= 0 <= high and np.isfinite(high - low)


def test_a_picture_with_a_long_vector_does_not_set_the_range_for_all() -> None:
    """By the square error alone, the range would hold the one long vector, and round the nine others to nearly zero."""
    b = Builder()
    graph = b.vector(b.binary("MUL", b.input, b.constant(np.ones(3))))
    inputs = pictures(graph, 10)
    long = [*inputs[:9], 300 * inputs[9]]

    seen = observe(graph.pack(), long, histograms=True)

    low, high = searched_ranges(seen)[graph.tensor_name(graph.outputs[0])]
    whole = seen.whole(graph.tensor_name(graph.outputs[0]))
    assert max(-low, high) < 0.5 * max(-whole[0], whole[1])


def test_a_picture_that_makes_next_to_nothing_does_not_set_the_range_for_all() -> None:
    """By the relative error alone, the range would hold it to the last digit, and cut off the nine others."""
    b = Builder()
    graph = b.vector(b.binary("MUL", b.input, b.constant(np.ones(3))))
    inputs = pictures(graph, 10)

    seen = observe(graph.pack(), [*inputs[:9], 1e-6 * inputs[9]], histograms=True)

    low, high = searched_ranges(seen)[graph.tensor_name(graph.outputs[0])]
    whole = seen.whole(graph.tensor_name(graph.outputs[0]))
    assert max(-low, high) > 0.5 * max(-whole[0], whole[1])


def test_batch_norm_and_activations_go_into_the_convolution() -> None:
    b = Builder()
    x = b.conv(b.input, 8, 3, 2)
    scaled = b.binary("MUL", x, b.constant(np.linspace(-1, 2, 8)))
    moved = b.binary("SUB", b.binary("ADD", scaled, b.constant(np.ones(8))), b.constant(np.linspace(0, 1, 8)))
    graph = b.vector(b.depthwise(b.add("RELU6", [moved], b.graph.shape(moved))))
    before = graph.pack()

    simplify(graph)

    assert graph.kinds() == ["CONV_2D", "DEPTHWISE_CONV_2D", "RESHAPE"]
    assert np.allclose(vectors(graph.pack(), pictures(graph, 3)), vectors(before, pictures(graph, 3)), atol=1e-6)


def test_linear_layers_merge_only_when_that_saves_work() -> None:
    b = Builder()
    wide, narrow = b.conv(b.conv(b.input, 32), 16), b.conv(b.conv(b.conv(b.input, 16, 3, 1), 2), 16)
    graph = b.vector(b.binary("ADD", wide, narrow))
    before, work = graph.pack(), sum(multiplications(graph, o) for o in graph.operators)

    simplify(graph)

    # 3 -> 32 -> 16 becomes one, 16 -> 2 -> 16 stays two, 3x3 to 16 and 16 -> 2 become one.
    assert graph.kinds().count("CONV_2D") == 3
    assert sum(multiplications(graph, o) for o in graph.operators) < work
    assert np.allclose(vectors(graph.pack(), pictures(graph, 3)), vectors(before, pictures(graph, 3)), atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_flip_equalisation_and_spelling_out_are_exact(seed: int) -> None:
    graph = residual_network(seed)
    inputs = pictures(graph, 6, seed)
    before = vectors(graph.pack(), inputs)

    simplify(graph)
    assert flip_slopes(graph) > 0
    assert all(np.abs(graph.weights(o, 1)).max() <= 1 for o in graph.operators if graph.kind(o) == "PRELU")
    flipped = graph.pack()
    graph = Graph(flipped)
    assert equalise(graph, observe(flipped, inputs).largest) >= 5
    assert np.allclose(vectors(graph.pack(), inputs), before, atol=1e-5)
    spelt = Graph(graph.pack())
    assert len(spell_out_prelu(spelt)) == 7
    assert "PRELU" not in spelt.kinds()
    assert np.allclose(vectors(spelt.pack(), inputs), before, atol=1e-5)


def test_equalisation_brings_channels_nearer_to_each_other(network: Graph) -> None:
    inputs = pictures(network, 8)
    before = observe(network.pack(), inputs).largest

    equalise(network, before)
    after = observe(network.pack(), inputs).largest

    def unevenness(largest: dict[str, Values]) -> float:
        return float(np.mean([v.max() / np.maximum(v, 1e-9).min() for v in largest.values() if len(v) > 3]))

    assert unevenness(after) < unevenness(before) / 2


def test_a_network_that_was_made_uneven_is_rescued_by_equalisation() -> None:
    """Nothing but the loudness of channels differs: float32 does not notice, int8 does."""
    graph = residual_network()
    simplify(graph)
    flip_slopes(graph)
    uneven = Graph(graph.pack())
    inputs = pictures(graph, 12)
    random = np.random.default_rng(1)
    largest = observe(uneven.pack(), inputs).largest
    equalise(uneven, {name: v * np.exp(random.normal(0, 3, v.shape)) for name, v in largest.items()})
    made, spoilt = uneven.pack(), {}
    for name, content in (("uneven", made), ("rescued", None)):
        one = Graph(content or made)
        if content is None:
            equalise(one, observe(made, inputs).largest)
        spell_out_prelu(one)
        Quantiser(one, searched_ranges(observe(one.pack(), inputs, histograms=True))).run()
        spoilt[name] = cosine(made, one.pack(), pictures(graph, 10, 5))

    assert spoilt["rescued"] > 0.995
    assert spoilt["rescued"] > spoilt["uneven"] + 0.01


def test_integer_forms_stay_near_the_float_network(network: Graph) -> None:
    simplify(network)
    flip_slopes(network)
    content, inputs, others = network.pack(), pictures(network, 12), pictures(network, 12, 9)
    seen = observe(content, inputs)
    mixed, halved, moving = Graph(content), Graph(content), Graph(content)
    Quantiser(mixed, percentile_ranges(seen)).run(candidates(mixed))
    half(halved)
    dynamic(moving)

    assert {"QUANTIZE", "DEQUANTIZE", "PRELU"} < set(mixed.kinds())
    assert cosine(content, mixed.pack(), others) > 0.998
    assert cosine(content, halved.pack(), others) > 0.99999
    assert cosine(content, moving.pack(), others) > 0.999
    assert len(halved.pack()) < len(content)


@pytest.mark.parametrize(("bits", "least"), [(8, 0.99), (16, 0.9995)])
def test_whole_networks_take_and_give_integers(network: Graph, bits: int, least: float) -> None:
    simplify(network)
    flip_slopes(network)
    content, inputs = network.pack(), pictures(network, 12)
    spell_out_prelu(network)
    seen = observe(network.pack(), inputs)
    Quantiser(network, percentile_ranges(seen, 0.0) if bits == 8 else roomy_ranges(seen), bits).run()
    made = network.pack()

    runner = Runner(made, "whole")
    assert {np.dtype(d["dtype"]).name for d in (runner.input, runner.output)} == {f"int{bits}"}
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(network.kinds())
    others = pictures(network, 12, 9)
    # Faces of others go beyond what was seen; sixteen bits have room for them.
    assert cosine(content, made, others if bits == 8 else [1.7 * picture for picture in others]) > least


def test_corrected_biases_keep_the_mean_of_every_channel() -> None:
    """Weights so coarse that rounding shows: one large weight in each output channel."""
    b = Builder()
    graph = b.vector(b.conv(b.conv(b.input, 16, 3, 1, RELU), 8))
    inputs, second = pictures(graph, 12), graph.operators[1]
    weights = graph.weights(second, 1)
    weights[:, 0, 0, 0] = 40.0
    graph.replace(second, 1, weights)
    content, moved = graph.pack(), {}
    wanted = observe(content, inputs).mean
    for corrected in (False, True):
        graph = Graph(content)
        if corrected:
            correct_biases(graph, wanted)
        for operator in graph.operators[:2]:
            numbers, steps, _ = rounded_weights(graph, operator)
            graph.replace(operator, 1, numbers * steps.reshape(-1, 1, 1, 1))
        name = graph.tensor_name(int(graph.operators[1].outputs[0]))
        moved[corrected] = float(np.abs(observe(graph.pack(), inputs).mean[name] - wanted[name]).max())

    assert moved[True] < moved[False] / 5


@pytest.mark.parametrize("seed", range(3))
def test_hard_swish_spelt_out_is_the_same(seed: int) -> None:
    graph = gated_network(seed)
    inputs = [2 * picture for picture in pictures(graph, 4)]
    before = vectors(graph.pack(), inputs)

    known = spell_out_hard_swish(graph)

    assert "HARD_SWISH" not in graph.kinds()
    assert set(known.values()) == {(0.0, 6.0), (0.0, 1.0)}
    assert np.allclose(vectors(graph.pack(), inputs), before, atol=1e-6)


@pytest.mark.parametrize("activation", ["HARD_SWISH", "LOGISTIC"])
@pytest.mark.parametrize(("bits", "least"), [(8, 0.997), (16, 0.9999)])
def test_gated_networks_have_an_integer_form(activation: str, bits: int, least: float) -> None:
    graph = gated_network(activation=activation)
    content, inputs, others = graph.pack(), pictures(graph, 12), pictures(graph, 12, 9)
    through, known = curves(graph), spell_out_hard_swish(graph)
    seen = observe(graph.pack(), inputs, histograms=True)
    ranges = (searched_ranges(seen, through) if bits == 8 else roomy_ranges(seen)) | known
    Quantiser(graph, ranges, bits).run()

    assert not {"QUANTIZE", "DEQUANTIZE"} & set(graph.kinds())
    assert cosine(content, graph.pack(), others) > least


def test_the_multiplication_within_hard_swish_changes_no_integer() -> None:
    graph = gated_network()
    inputs = pictures(graph, 4)
    known = spell_out_hard_swish(graph)
    Quantiser(graph, searched_ranges(observe(graph.pack(), inputs, histograms=True)) | known).run()
    values = TensorProbe(graph.pack()).run(inputs[0])
    moved = next(name for name in values if name.endswith("/moved/int"))

    gate = values[moved.replace("/moved/", "/gate/")]
    assert np.allclose(gate, values[moved] / 6, atol=1e-6)


@pytest.mark.parametrize("activation", ["HARD_SWISH", "LOGISTIC"])
def test_ranges_are_judged_behind_the_activation(activation: str) -> None:
    """What is far below zero is nothing behind either, so that a range does not have to hold it."""
    b = Builder()
    x = b.conv(b.input, 8)
    first = b.graph.operators[0]
    b.graph.replace(first, 2, np.linspace(-20, 4, 8).astype(np.float32))
    name = b.graph.tensor_name(x)
    curved = [x] if activation == "HARD_SWISH" else [x, b.add("LOGISTIC", [x], b.graph.shape(x))]
    kind = "HARD_SWISH" if activation == "HARD_SWISH" else "MUL"
    graph = b.vector(b.add(kind, curved, b.graph.shape(x), None if kind == "HARD_SWISH" else schema.MulOptionsT()))
    seen = observe(graph.pack(), pictures(graph, 4), histograms=True)
    through = curves(graph)

    assert list(through) == [name]
    assert searched_ranges(seen)[name][0] < -15
    assert -9 < searched_ranges(seen, through)[name][0] < -2
    assert searched_ranges(seen, through)[name][1] > 3


def test_channels_behind_relu6_are_scaled_up_to_its_cap() -> None:
    b = Builder()
    graph = b.vector(b.conv(b.depthwise(b.conv(b.input, 8, 1, 1, RELU6)), 4))
    first = graph.operators[0]
    factors = np.geomspace(0.02, 20, 8).reshape(-1, 1, 1, 1)
    graph.replace(first, 1, graph.weights(first, 1) * factors)
    graph.replace(first, 2, graph.weights(first, 2) * factors.reshape(-1))
    inputs = pictures(graph, 8)
    before, seen = vectors(graph.pack(), inputs), observe(graph.pack(), inputs).largest

    equalise(graph, seen)
    name = graph.tensor_name(int(first.outputs[0]))
    after = observe(graph.pack(), inputs).largest[name]

    assert np.allclose(vectors(graph.pack(), inputs), before, atol=1e-5)
    assert seen[name].max() == 6.0
    assert np.allclose(after[seen[name] < 4.8], 4.8, rtol=1e-4)
    assert np.allclose(after[seen[name] >= 4.8], seen[name][seen[name] >= 4.8])


def test_a_range_leaves_out_what_is_rare() -> None:
    b = Builder(side=80)
    graph = b.vector(b.conv(b.input, 16))
    inputs = [np.clip(picture, -0.1, 0.1) for picture in pictures(graph, 4)]
    inputs[0][0, 0, 0] = 40.0
    seen = observe(graph.pack(), inputs, histograms=True)
    ranges = searched_ranges(seen)
    name = graph.tensor_name(int(graph.operators[0].outputs[0]))
    (low, high), (least, most) = ranges[name], seen.whole(name)

    assert high - low < 0.6 * (most - least)
    other = graph.tensor_name(graph.inputs[0])
    assert joined(ranges, [(name, other)])[name] == joined(ranges, [(name, other)])[other]


def test_an_operator_without_an_integer_form_is_named(network: Graph) -> None:
    b = Builder()
    graph = b.vector(b.add("EXP", [b.conv(b.input, 4)], (1, 12, 12, 4)))

    with pytest.raises(ModelError, match=r"EXP 'exp_\d+'"):
        Quantiser(graph, {}).run()


def test_a_tensor_that_is_not_finite_is_named(network: Graph) -> None:
    first = network.operators[0]
    network.replace(first, 2, np.full_like(network.weights(first, 2), np.nan))

    with pytest.raises(ModelError, match=r"'conv_2d_\d+' is not finite"):
        observe(network.pack(), pictures(network, 1))


def test_int8_goes_where_it_saves_most_for_least(network: Graph) -> None:
    simplify(network)
    content, inputs = network.pack(), pictures(network, 8)
    weighed = weigh(content, percentile_ranges(observe(content, inputs)), inputs[:3])
    dense = [network.tensor_name(int(o.outputs[0])) for o in network.operators if network.kind(o) == "CONV_2D"]

    assert len(weighed) == 5
    assert not {dense[0], *dense[-2:]} & {c.name for c in weighed}
    assert all(0 <= c.loss < 0.05 for c in weighed)
    cheap, dear, small = (
        ConvolutionCost("cheap", 1000, 0.001),
        ConvolutionCost("dear", 1000, 0.02),
        ConvolutionCost("small", 10, 0.0005),
    )
    assert chosen([small, dear, cheap], 0.0012) == ["cheap"]
    assert chosen([small, dear, cheap], 0.5) == ["cheap", "dear", "small"]


def test_int8_begins_where_it_costs_little_enough(network: Graph) -> None:
    inputs = pictures(network, 8)
    graph, ranges = VariantMaker(network.pack(), "tested", inputs)._prepared(bits=8)
    content = graph.pack()
    names = [graph.tensor_name(int(o.outputs[0])) for o in graph.operators]

    most, less = (tail(content, ranges, inputs, budget) for budget in (1.0, 0.0003))

    assert most == names[1:]
    assert less == names[-len(less) :]
    assert 0 < len(less) < len(most)
    assert tail(content, ranges, inputs, -1.0) == []
    assert share(graph, most) > share(graph, less) > 0
    for chosen_names in (most, less):
        made = Graph(content)
        Quantiser(made, ranges).run(chosen_names)
        assert (made.kinds().count("QUANTIZE"), made.kinds().count("DEQUANTIZE")) == (1, 1)
    assert 1 - cosine(content, made.pack(), inputs) <= 0.0003


def test_int8_begins_behind_the_last_operator_without_an_integer_form() -> None:
    b = Builder()
    x = b.conv(b.input, 8, 3)
    root = b.add("SQRT", [b.add("ABS", [x], b.graph.shape(x))], b.graph.shape(x))
    graph = b.vector(b.conv(b.conv(root, 8, 3), 8, 3))
    inputs = pictures(graph, 4)
    ranges = searched_ranges(observe(graph.pack(), inputs, histograms=True))

    names = tail(graph.pack(), ranges, inputs, 1.0)

    kinds = {graph.tensor_name(int(o.outputs[0])): graph.kind(o) for o in graph.operators}
    assert [kinds[name] for name in names] == ["CONV_2D", "CONV_2D", "RESHAPE"]


def test_a_network_of_few_dense_convolutions_is_int8_from_one_place_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converter.variants.LEAST_SHARE", 0.9)
    graph = gated_network()
    content, inputs = graph.pack(), pictures(graph, 24)

    made = VariantMaker(content, "gated", inputs).make("int8")

    assert made.operators.count("QUANTIZE") == 1
    assert made.operators[-1] == "DEQUANTIZE"
    assert cosine(content, made.content, pictures(graph, 10, 5)) > 0.98


@pytest.mark.parametrize("name", ["mobilefacenet", "face_detection_back", "face_landmark"])
def test_bundled_networks_get_fewer_operators_and_stay_the_same(name: str) -> None:
    graph = Graph((BUNDLED / f"{name}.tflite").read_bytes())
    before, count = graph.pack(), len(graph.operators)
    inputs = pictures(graph, 2)

    simplify(graph)

    # The bundled embedder went through this when it was bundled.
    assert len(graph.operators) < count or name in {"face_landmark", "mobilefacenet"}
    assert not {"DEQUANTIZE", "RELU", "ABS"} & set(graph.kinds())
    assert np.allclose(vectors(graph.pack(), inputs), vectors(before, inputs), atol=1e-5)


def test_ranges_of_a_few_people_hold_for_others() -> None:
    """Ranges that fit three portraits as closely as can be, deep ones too, reach 0.9956 on the other three."""
    known = load(find("mobilefacenet"), "embed")
    framing = Framing.of(known.card)
    assert framing is not None
    own, others = (
        tensors(crops(find_faces((PORTRAITS / folder,), 3).found, framing, 112, 24, seed), known.card.input)
        for seed, folder in enumerate(("enroll", "visit"))
    )

    made = VariantMaker(known.content, known.card.name, own).make("int8-full")

    assert cosine(known.content, made.content, others) > 0.9965


def test_only_the_ranges_of_small_tensors_have_room() -> None:
    """A vector's 1.25 times the range that its values fit best; not that of a tensor of many places."""
    places = {"map": FEW_PLACES + 1, "deep": FEW_PLACES}
    values = np.random.default_rng(0).uniform(-1, 2, 10_000)
    counts = np.histogram(values, BINS, (-1, 2))[0]
    seen = Statistics(lowest={p: [-1.0] for p in places}, highest={p: [2.0] for p in places}, places=places)
    seen.counts = dict.fromkeys(places, counts)

    ranges = searched_ranges(seen)

    assert ranges["map"] == pytest.approx((-1, 2))
    assert ranges["deep"] == pytest.approx((-1.25, 2.5))
