"""Verification as LFW defines it: are these two pictures of one person?"""

import itertools
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.datasets import DatasetError, PicturePair
from converter.embeddings import EmbeddedFaces
from edge.models.measure import COSINE, Measure

FALSE_ACCEPT_RATES = (1e-1, 1e-2, 1e-3, 1e-4)
NO_FACE_SIMILARITY = -1.0
"""The similarity of a pair with no face in one of its pictures: it counts as different people."""

Scores = NDArray[np.float64]
Flags = NDArray[np.bool_]


class OperatingPoint(msgspec.Struct, frozen=True):
    """The threshold that accepts at most a given share of the impostors, and what it does."""

    false_accept_rate: float
    threshold: float
    """Accepted is what is more similar than this."""
    true_accept_rate: float
    impostors_above: int
    """On how many impostor pairs the figure rests; with none it only says that no impostor was nearer."""


class Verification(msgspec.Struct, frozen=True):
    """The results of an embedder on a list of pairs, missed faces included."""

    genuine: int
    impostors: int
    folds: int
    accuracy: float
    """Mean over the folds, each with the threshold that is best on the others."""
    deviation: float
    """Sample standard deviation of the folds' accuracies."""
    thresholds: list[float]
    operating: list[OperatingPoint]
    equal_error_rate: float
    area_under_curve: float
    missed: list[str]
    """Pictures in which no face was found."""
    pairs_missed: int
    """Pairs with such a picture: counted, as `different people`."""


def verify(pairs: Sequence[PicturePair], embedded: EmbeddedFaces, measure: Measure = COSINE) -> Verification:
    """Run the protocol. Raises DatasetError when there are not two folds with both kinds of pairs."""
    scores, same = similarities(pairs, embedded, embedded, measure), np.array([p.same for p in pairs])
    folds = np.array([p.fold for p in pairs])
    accuracies, thresholds = accuracy_by_fold(scores, same, folds)
    return Verification(
        genuine=int(same.sum()),
        impostors=int((~same).sum()),
        folds=len(accuracies),
        accuracy=float(np.mean(accuracies)),
        deviation=float(np.std(accuracies, ddof=1)),
        thresholds=thresholds,
        operating=[operating_point(scores, same, rate) for rate in FALSE_ACCEPT_RATES],
        equal_error_rate=equal_error_rate(scores, same),
        area_under_curve=area_under_curve(scores, same),
        missed=sorted(picture.name for picture in embedded.missed()),
        pairs_missed=int((scores == NO_FACE_SIMILARITY).sum()),
    )


def similarities(
    pairs: Sequence[PicturePair], firsts: EmbeddedFaces, seconds: EmbeddedFaces, measure: Measure = COSINE
) -> Scores:
    """(n,) similarities of the first pictures to the second ones."""
    first, second = firsts.matrix(p.first for p in pairs), seconds.matrix(p.second for p in pairs)
    found = measure.of_pairs(first, second)
    return np.where(np.isnan(found), NO_FACE_SIMILARITY, found)


def accuracy_by_fold(scores: Scores, same: Flags, folds: NDArray[np.int_]) -> tuple[list[float], list[float]]:
    """For each fold its accuracy and the threshold, chosen on all the others."""
    numbers = np.unique(folds)
    if len(numbers) < 2 or same.all() or not same.any():
        raise DatasetError(
            f"{len(scores)} pairs in {len(numbers)} folds, {int(same.sum())} of them of one person: "
            "at least two folds, and both kinds of pairs, are needed to choose a threshold"
        )
    accuracies, thresholds = [], []
    for number in numbers:
        held = folds == number
        threshold = best_threshold(scores[~held], same[~held])
        accuracies.append(float(((scores[held] > threshold) == same[held]).mean()))
        thresholds.append(threshold)
    return accuracies, thresholds


def best_threshold(scores: Scores, same: Flags) -> float:
    """The threshold that judges most pairs correctly; the middle one when there are several."""
    order = np.argsort(scores, kind="stable")
    ranked, genuine = scores[order], same[order]
    # With the i lowest refused: the impostors among them and the genuine among the others are right.
    right = np.concatenate([[0], np.cumsum(~genuine)]) + genuine.sum() - np.concatenate([[0], np.cumsum(genuine)])
    edges = np.concatenate([[ranked[0] - 1.0], (ranked[:-1] + ranked[1:]) / 2, [ranked[-1] + 1.0]])
    possible = np.concatenate([[True], ranked[:-1] < ranked[1:], [True]])
    best = edges[possible & (right == right[possible].max())]
    return float(best[len(best) // 2])


def operating_point(scores: Scores, same: Flags, rate: float) -> OperatingPoint:
    """The lowest threshold that accepts at most `rate` of the impostors: none if they are fewer than 1/rate."""
    impostors = np.sort(scores[~same])[::-1]
    threshold = impostors[min(int(rate * len(impostors) + 1e-9), len(impostors) - 1)]
    accepted = float((scores[same] > threshold).mean())
    return OperatingPoint(rate, float(threshold), accepted, int((impostors > threshold).sum()))


def equal_error_rate(scores: Scores, same: Flags) -> float:
    """The rate at the threshold where as many genuine pairs are refused as impostors are accepted."""
    thresholds = np.unique(scores)
    refused = np.searchsorted(np.sort(scores[same]), thresholds, side="left") / same.sum()
    accepted = 1 - np.searchsorted(np.sort(scores[~same]), thresholds, side="left") / (~same).sum()
    nearest = int(np.argmin(np.abs(refused - accepted)))
    return float((refused[nearest] + accepted[nearest]) / 2)


def area_under_curve(scores: Scores, same: Flags) -> float:
    """How often a genuine pair is more similar than an impostor pair (ties count half)."""
    impostors = np.sort(scores[~same])
    below = np.searchsorted(impostors, scores[same], side="left")
    level = np.searchsorted(impostors, scores[same], side="right")
    return float((below + level).mean() / 2 / len(impostors))


def subset(pairs: Sequence[PicturePair], each: int) -> list[PicturePair]:
    """The first `each` genuine and the first `each` impostor pairs of every fold."""
    groups = itertools.groupby(pairs, key=lambda p: (p.fold, p.same))
    return [pair for _, group in groups for pair in itertools.islice(group, each)]
