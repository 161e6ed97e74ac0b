"""A Siamese network's own similarity: read for a card, and held against the cosine on pairs of people."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from converter.datasets import PicturePair
from converter.embeddings import EmbeddedFaces
from converter.verification import accuracy_by_fold, area_under_curve, similarities
from edge.errors import ModelError
from edge.models.card import Card, LearnedSimilarity
from edge.models.measure import COSINE, learned_measure

SIMILARITY = "similarity.json"
"""Read beside a network when nothing else is given; `train --objective siamese` writes it."""
RESAMPLES = 200


class SimilarityComparison(msgspec.Struct, frozen=True):
    """A similarity of a network's own beside the cosine, on the same pairs."""

    pairs: int
    area: float
    """The area under the ROC curve by its own similarity."""
    cosine_area: float
    gain: float
    """By how much its own area is larger."""
    low: float
    high: float
    """95 % interval of the gain, pairs being drawn with replacement."""
    accuracy: float
    cosine_accuracy: float

    @property
    def better(self) -> bool:
        """Whether it is better for certain, and not by chance."""
        return self.low > 0

    @property
    def in_words(self) -> str:
        verdict = "better" if self.better else "worse" if self.high < 0 else "not shown to be better"
        return (
            f"area {self.area:.4f}, accuracy {self.accuracy:.2%} by its own similarity; {self.cosine_area:.4f}, "
            f"{self.cosine_accuracy:.2%} by cosine: {verdict}, by {self.gain:+.4f} (95 % interval {self.low:+.4f} to "
            f"{self.high:+.4f}) on {self.pairs} pairs"
        )


def read_similarity(said: Path | None, model: Path, dimensions: int) -> LearnedSimilarity | None:
    """The similarity in a file, by default the one beside the network; None: there is none.

    It is never in force, whatever the file says: pairs have to show first that it is better. Raises ModelError.
    """
    beside = model.parent / SIMILARITY
    path = said or (beside if beside.is_file() else None)
    if path is None:
        return None
    try:
        found = msgspec.json.decode(path.read_bytes(), type=LearnedSimilarity)
    except (OSError, msgspec.DecodeError) as error:
        raise ModelError(f"{path}: not a similarity that `train --objective siamese` has written: {error}") from error
    if len(found.weights) != dimensions:
        raise ModelError(
            f"{path}: found {len(found.weights)} weights; allowed: {dimensions}, one per number of {model}"
        )
    return LearnedSimilarity(1, found.bias, found.weights)


def compare(card: Card, pairs: Sequence[PicturePair], embedded: EmbeddedFaces) -> SimilarityComparison | None:
    """Both on the same pairs; None: the card carries no similarity. Raises DatasetError."""
    learned = learned_measure(card)
    if learned is None:
        return None
    same, folds = np.array([pair.same for pair in pairs]), np.array([pair.fold for pair in pairs])
    own, cosine = (similarities(pairs, embedded, embedded, measure) for measure in (learned, COSINE))
    gains: list[float] = []
    random = np.random.default_rng(0)
    while len(gains) < RESAMPLES:
        drawn = random.integers(0, len(pairs), len(pairs))
        if 0 < same[drawn].sum() < len(drawn):
            gains.append(area_under_curve(own[drawn], same[drawn]) - area_under_curve(cosine[drawn], same[drawn]))
    area, other = area_under_curve(own, same), area_under_curve(cosine, same)
    low, high = np.percentile(gains, [2.5, 97.5])
    accuracies = (float(np.mean(accuracy_by_fold(scores, same, folds)[0])) for scores in (own, cosine))
    return SimilarityComparison(len(pairs), area, other, area - other, float(low), float(high), *accuracies)
