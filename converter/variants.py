"""A float network -> its variants: the passes that each goes through."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, get_args

from converter.graph import CONVOLUTIONS, Graph, Values
from converter.passes import float16, mixed_precision, precision
from converter.passes.activations import curves, spell_out_hard_swish, spell_out_prelu
from converter.passes.biases import correct_biases
from converter.passes.ranges import (
    Range,
    Statistics,
    joined,
    observe,
    percentile_ranges,
    roomy_ranges,
    searched_ranges,
)
from converter.passes.scaling import equalise, flip_slopes
from converter.passes.simplify import simplify
from edge.errors import ModelError

Variant = Literal["fp32", "fp16", "dynamic", "int8", "int8-full", "int16x8"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
NEED_FACES: frozenset[Variant] = frozenset({"int8", "int8-full", "int16x8"})
TUNED: Variant = "int8-full"
"""The variant that fine-tuning is for."""
WEIGHED_FACES, TRIED_FACES = 8, 24
"""On how many faces single convolutions, and whole networks, are compared with float32."""
LEAST_SHARE = 0.5
"""Where `int8` has fewer of the multiply-adds, it is worth little: then all is int8 but for the first operators."""
EDGETPU = frozenset(
    {*CONVOLUTIONS, "ADD", "SUB", "MUL", "RESHAPE", "SQUEEZE", "PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "MEAN"}
    | {"CONCATENATION", "MAXIMUM", "MINIMUM", "RELU", "RELU6", "LOGISTIC", "TANH", "L2_NORMALIZATION"}
    | {"RESIZE_BILINEAR", "PRELU", "QUANTIZE"}
)
"""What an Edge TPU runs: Coral's page "TensorFlow models on the Edge TPU", its table of operations."""


class FineTuned(NamedTuple):
    """A float network whose weights are meant for int8."""

    content: bytes
    ranges: dict[str, Range]
    """The ranges of its int8 form."""
    result: str
    """What fine-tuning brought, in words."""


class FineTuner(Protocol):
    """Trains a network for its int8 form."""

    @property
    def fingerprint(self) -> str:
        """A fingerprint of everything that the result depends on, except the network."""

    def tune(self, reference: bytes, content: bytes, ranges: Mapping[str, Range]) -> FineTuned:
        """Teach `content`, a float network that will be rounded to int8 with these ranges, the vectors of `reference`.

        The result has the same operators and tensors; where it would be no better, the same weights too.
        """


@dataclass(frozen=True, slots=True)
class MadeVariant:
    """A variant's bytes and operators."""

    content: bytes
    operators: list[str]
    fine_tuning: str = ""
    """What fine-tuning brought; empty: there was none."""

    @property
    def not_for_edgetpu(self) -> list[str]:
        return sorted({kind for kind in self.operators if kind not in EDGETPU})


class VariantMaker:
    """Makes the variants of one float network, which share measurements."""

    def __init__(self, content: bytes, name: str, faces: Sequence[Values], tuner: FineTuner | None = None) -> None:
        """`faces` are network inputs (1, h, w, c); they may be empty for variants that need none.

        `tuner` fine-tunes `int8-full`; None: nothing is fine-tuned.
        """
        self._name, self._faces, self._tuner = name, faces, tuner
        self._tuning = ""
        graph = Graph(content, name)
        simplify(graph)
        self.simplified = graph.pack()
        self._equalised: bytes | None = None

    def make(self, variant: Variant) -> MadeVariant:
        """Raises ModelError when there are no faces for a variant that needs them."""
        if variant in NEED_FACES and not self._faces:
            raise ModelError(f"{self._name}: {variant} needs representative faces")
        self._tuning = ""
        content = self._graph(variant).pack()
        return MadeVariant(content, Graph(content).kinds(), self._tuning)

    def _graph(self, variant: Variant) -> Graph:
        graph = Graph(self.simplified, self._name)
        if variant == "fp16":
            float16.half(graph)
        elif variant == "dynamic":
            precision.dynamic(graph)
        elif variant == "int8":
            graph = self._mixed()
        elif variant != "fp32":
            graph = self._whole(bits=16 if variant == "int16x8" else 8)
        return graph

    def equalised(self) -> bytes:
        """Slopes flipped, channels equalised; the same function."""
        if self._equalised is None:
            graph = Graph(self.simplified, self._name)
            flip_slopes(graph)
            equalise(graph, self._seen(graph).largest)
            self._equalised = graph.pack()
        return self._equalised

    def _mixed(self) -> Graph:
        graph = Graph(self.equalised(), self._name)
        ranges = percentile_ranges(self._seen(graph))
        weighed = mixed_precision.weigh(self.equalised(), ranges, self._faces[:WEIGHED_FACES])
        names = mixed_precision.chosen(weighed)
        if mixed_precision.share(graph, names) < LEAST_SHARE:
            whole, wide = self._prepared(bits=8)
            tail = mixed_precision.tail(whole.pack(), wide, self._faces[:TRIED_FACES])
            if mixed_precision.share(whole, tail) > mixed_precision.share(graph, names):
                graph, ranges, names = whole, wide, tail
        precision.Quantiser(graph, ranges).run(names)
        return graph

    def _whole(self, bits: int) -> Graph:
        graph, ranges = self._prepared(bits)
        if self._tuner and bits == 8:
            content, ranges, self._tuning = self._tuner.tune(self.simplified, graph.pack(), ranges)
            graph = Graph(content, self._name)
        precision.Quantiser(graph, ranges, bits).run()
        return graph

    def _prepared(self, bits: int) -> tuple[Graph, dict[str, Range]]:
        """The float graph whose operators all have integer forms, and the range of every tensor."""
        graph = Graph(self.equalised(), self._name)
        through = curves(graph)
        pairs, known = spell_out_prelu(graph), spell_out_hard_swish(graph)
        seen = self._seen(graph, histograms=bits == 8)
        ranges = joined(searched_ranges(seen, through) if bits == 8 else roomy_ranges(seen), pairs) | known
        correct_biases(graph, seen.mean)
        return graph, ranges

    def _seen(self, graph: Graph, histograms: bool = False) -> Statistics:
        return observe(graph.pack(), self._faces, histograms)
