"""The head of a label classifier: the face's crop -> a label and its probability."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.faces.embed import TfliteEmbedder
from edge.models import card as cards
from edge.models.card import LabelHead
from edge.models.tflite import Engine, open_interpreter
from edge.records import Image


class RankedLabel(NamedTuple):
    """A label, and how sure the classifier is of it."""

    label: str
    probability: float


class LabelClassifier:
    """An embedder with the head that its card keeps."""

    def __init__(self, embedder: TfliteEmbedder, card_path: Path) -> None:
        """Raises ModelError when the card keeps no head, or one that does not fit the embedder."""
        loaded = cards.load(card_path, "embed")
        if loaded.card.classifier is None or loaded.head is None:
            raise ModelError(
                f"{card_path}: found no `classifier` in this card, so it knows no labels; convert a label classifier "
                "(.keras or .h5) with `whosthere-converter convert`, which keeps its head"
            )
        spec = loaded.card.classifier
        self.labels = spec.labels
        self._path = card_path.parent / spec.file
        self._embedder = embedder
        interpreter = open_interpreter(loaded.head, self._path)
        self._check(interpreter, spec)
        self._head = Engine(interpreter)

    def ranked(self, crop: Image) -> list[RankedLabel]:
        """All labels of a face, the most probable one first.

        Raises ModelError when the head returns something other than probabilities.
        """
        row = next(self._embedder.outputs([crop]))
        given = np.asarray(self._head.run(np.asarray(row, np.float32)[None])[0][0], np.float64)
        if not np.isfinite(given).all() or (given < -1e-3).any() or abs(given.sum() - 1.0) > 0.01:
            raise ModelError(f"{self._path}: found {_shown(given)}; allowed: probabilities, which add up to 1")
        order = np.argsort(-given, kind="stable")
        return [RankedLabel(self.labels[i], min(max(float(given[i]), 0.0), 1.0)) for i in order]

    def _check(self, interpreter: object, spec: LabelHead) -> None:
        taken, given = (
            [[int(n) for n in tensor["shape"]] for tensor in getattr(interpreter, f"get_{side}_details")()]
            for side in ("input", "output")
        )
        wanted = [[1, self._embedder.dimensions]], [[1, len(spec.labels)]]
        if (taken, given) != wanted:
            raise ModelError(
                f"{self._path}: found a head from {taken} to {given}; allowed: from {wanted[0]}, the embedder's "
                f"vector, to {wanted[1]}, one output per label of the card"
            )


def _shown(row: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:.3g}" for value in row[:5]) + ", ..." * (len(row) > 5)
