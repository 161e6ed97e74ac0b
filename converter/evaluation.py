"""Everything measured about one model on a list of pairs: verification, curves, and what its threshold does."""

from collections.abc import Sequence

import msgspec
import numpy as np

from converter.curves import Confusion, Curve, Histogram, confusion, curve, histogram
from converter.datasets import PicturePair
from converter.embeddings import EmbeddedFaces
from converter.own_similarity import SimilarityComparison, compare
from converter.verification import Verification, similarities, verify
from edge.config.visits import MatchSettings
from edge.models import card
from edge.models.measure import measure_of
from edge.visits.thresholds import threshold_for


class Evaluation(Verification, frozen=True, kw_only=True):
    """One model's verification, with curves and the counts at its threshold."""

    model: str
    left_out: list[str]
    """Pictures that are listed but do not exist; their pairs were left out (--allow-missing)."""
    in_force: Confusion | None
    """The counts at the threshold that a box would use; None: the card has no calibration."""
    curve: Curve
    histogram: Histogram
    own_similarity: SimilarityComparison | None = None
    """A similarity that the card carries, beside the cosine; None: it carries none."""


def evaluated(
    model: str,
    listed: Sequence[PicturePair],
    absent: list[str],
    embedded: EmbeddedFaces,
    settings: MatchSettings,
    templates: int,
) -> Evaluation:
    """All figures of one model; `embedded` holds every picture of `listed`. Raises DatasetError."""
    known = card.read_card(card.find(model))
    measure = measure_of(known)
    scores, same = similarities(listed, embedded, embedded, measure), np.array([pair.same for pair in listed])
    threshold = threshold_for(settings, known.naming_calibration, templates)
    return Evaluation(
        **msgspec.structs.asdict(verify(listed, embedded, measure)),
        model=model,
        left_out=absent,
        in_force=confusion(scores, same, threshold.similarity, threshold.within_data) if threshold else None,
        curve=curve(scores, same),
        histogram=histogram(scores, same),
        own_similarity=compare(known, listed, embedded),
    )
