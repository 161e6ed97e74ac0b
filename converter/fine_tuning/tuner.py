"""Fine-tuning as a step of a conversion: done once for a network and its photos, and used only if it is better."""

from collections.abc import Mapping

import numpy as np

from converter.fine_tuning.learning import Learning, TuningPlan
from converter.fine_tuning.network import RoundedNetwork, plain
from converter.fine_tuning.photos import TuningPhotos
from converter.graph import Graph, Values
from converter.passes.precision import Quantiser
from converter.passes.ranges import Range
from converter.runner import vectors
from converter.training.teacher import normalised
from converter.variants import FineTuned
from edge.models.card import InputSpec


class PhotoTuner:
    """Fine-tunes int8 networks on photos; see `converter.variants.FineTuner`."""

    def __init__(self, photos: TuningPhotos, spec: InputSpec, plan: TuningPlan) -> None:
        self._photos, self._spec, self._plan = photos, spec, plan

    @property
    def fingerprint(self) -> str:
        """A fingerprint of everything that the result depends on, except the network."""
        return f"{self._photos.digest} {tuple(self._plan)}"

    def tune(self, reference: bytes, content: bytes, ranges: Mapping[str, Range]) -> FineTuned:
        """See `converter.variants.FineTuner`. Raises ModelError."""
        network = RoundedNetwork(content, Quantiser(Graph(content), ranges).scales())
        cosines = Learning(plain(reference), network, self._photos, self._spec, self._plan).run()
        tuned, learnt = network.content(), dict(ranges) | network.ranges()
        pictures = self._judging()
        wanted = vectors(reference, "float32", pictures)
        before, after = (_cosine(*made, wanted, pictures) for made in ((content, ranges), (tuned, learnt)))
        result = (
            f"mean cosine {before:.5f} before, {after:.5f} after fine-tuning on {self._photos.described()} "
            f"(epochs: {len(cosines) - 1}), judged on {self._photos.judges()}"
        )
        if after > before:
            return FineTuned(tuned, learnt, result)
        return FineTuned(content, dict(ranges), f"{result}; not used, as it is no better")

    def _judging(self) -> list[Values]:
        pixels = self._photos.held_out.pixels(np.array(self._photos.judging))
        return [picture[None] for picture in normalised(pixels, self._spec)]


def _cosine(content: bytes, ranges: Mapping[str, Range], wanted: Values, pictures: list[Values]) -> float:
    """The mean cosine of the integer network itself to the float vectors."""
    graph = Graph(content)
    Quantiser(graph, ranges).run()
    return float((vectors(graph.pack(), "int8", pictures) * wanted).sum(1).mean())
