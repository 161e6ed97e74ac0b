"""How good an embedder is on people who are not learnt from: verification and open-set identification."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter.datasets import DatasetError
from converter.training.dataset import Dataset
from converter.training.mining import embedded
from converter.verification import area_under_curve, operating_point
from edge.models.measure import COSINE, Measure

FALSE_ACCEPTS = 0.01
FALSE_POSITIVES = 0.01
MOST_JUDGED = 3000
"""The most pictures that an epoch is judged by: every two of them are compared."""


class Judged(NamedTuple):
    """The results for one set."""

    area: float
    """The area under the ROC curve, over all pairs of pictures."""
    true_accepts: float
    """The true-accept rate at a false-accept rate of 1 %."""
    identified: float | None
    """The share of pictures called by their person's name where 1 % of strangers are called by one; None: too few
    people."""
    strangers: float
    """The mean cosine of two different people, whatever they are compared by."""
    pairs: int


def judge(network: Any, held: Dataset, measure: Measure = COSINE) -> Judged:
    """Judge a network, pixels -> vector. Of a large set, MOST_JUDGED pictures are used, always the same.

    `measure`: by what its vectors are compared.

    Raises DatasetError when the network is broken.
    """
    chosen = np.arange(len(held))
    if len(held) > MOST_JUDGED:
        # Whole people, so that there are pairs of one person.
        people = np.random.default_rng(0).permutation(len(held.people))
        chosen = np.concatenate([held.own(int(person)) for person in people])[:MOST_JUDGED]
    vectors = embedded(network, held, chosen)
    if not np.isfinite(vectors).all():
        raise DatasetError("the network gives vectors with NaN or infinity: it is damaged")
    single = vectors.astype(np.float32)
    first, second = np.triu_indices(len(vectors), 1)
    person = held.person[chosen]
    alike = measure.between(single, single).astype(np.float64)
    scores, same = alike[first, second], person[first] == person[second]
    accepted = operating_point(scores, same, FALSE_ACCEPTS).true_accept_rate
    strangers = float(COSINE.between(single, single)[first, second][~same].mean(dtype=np.float64))
    return Judged(area_under_curve(scores, same), accepted, identified(alike, person), strangers, len(scores))


def identified(alike: NDArray[np.float64], person: NDArray[np.int32]) -> float | None:
    """The detection and identification rate at FPIR 1 %; None: nobody is left to be known, asked or a stranger.

    `alike` (n, n): how similar all pictures are; `person` (n,): whose they are.

    Every second person is known by their first picture, and asked with the others; everybody else is a stranger.
    """
    people = np.unique(person)[::2]
    known = np.isin(person, people)
    first = np.zeros(len(person), np.bool_)
    first[[int(np.argmax(person == one)) for one in people]] = True
    asked, strangers = alike[known & ~first][:, first], alike[~known][:, first]
    if not len(asked) or not len(strangers):
        return None
    owners = person[first]
    ranked = np.sort(strangers.max(1))[::-1]
    threshold = ranked[int(FALSE_POSITIVES * len(ranked) + 1e-9)]
    right = owners[asked.argmax(1)] == person[known & ~first]
    return float((right & (asked.max(1) > threshold)).mean())
