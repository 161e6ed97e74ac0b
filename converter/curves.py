"""What a threshold does: curves over all thresholds, and the counts at one."""

import msgspec
import numpy as np

from converter.verification import Flags, Scores

POINTS = 200
BINS = 60


class Curve(msgspec.Struct, frozen=True):
    """ROC and DET: the share of impostors accepted and of genuine pairs refused, by falling threshold."""

    thresholds: list[float]
    false_accepts: list[float]
    false_rejects: list[float]


class Histogram(msgspec.Struct, frozen=True):
    """How often each similarity occurs."""

    edges: list[float]
    genuine: list[int]
    impostors: list[int]


class Confusion(msgspec.Struct, frozen=True):
    """What one threshold does on a list of pairs; "positive" means one person."""

    threshold: float
    within_data: bool
    """False: the false-alarm target is rarer than the calibration's data can show."""
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    accuracy: float
    precision: float | None
    """None: nothing was accepted."""
    recall: float
    specificity: float
    f1: float


def curve(scores: Scores, same: Flags) -> Curve:
    """At most POINTS points, denser where few impostors are accepted."""
    thresholds = np.unique(scores)[::-1]
    impostors, genuine = np.sort(scores[~same]), np.sort(scores[same])
    accepted = 1 - np.searchsorted(impostors, thresholds, side="left") / len(impostors)
    refused = np.searchsorted(genuine, thresholds, side="left") / len(genuine)
    # Corners only: between them the curve is straight.
    corner = np.ones(len(thresholds), bool)
    corner[1:-1] = (np.diff(accepted)[:-1] != 0) | (np.diff(accepted)[1:] != 0)
    kept = np.flatnonzero(corner)
    if len(kept) > POINTS:
        spread = np.geomspace(1, len(kept), POINTS).round().astype(int) - 1
        kept = kept[np.unique(spread)]
    return Curve(*(_rounded(values[kept]) for values in (thresholds, accepted, refused)))


def histogram(scores: Scores, same: Flags) -> Histogram:
    """The histograms of both kinds of pairs, over the same bins."""
    edges = np.linspace(min(-0.5, float(scores.min())), 1.0, BINS + 1)
    counts = [np.histogram(np.minimum(scores[which], 1.0), edges)[0].tolist() for which in (same, ~same)]
    return Histogram(_rounded(edges), *counts)


def confusion(scores: Scores, same: Flags, threshold: float, within_data: bool) -> Confusion:
    """Count what is accepted at a threshold: similarities of at least that, as on a box."""
    accepted = scores >= threshold
    tp, fp = int((accepted & same).sum()), int((accepted & ~same).sum())
    fn, tn = int((~accepted & same).sum()), int((~accepted & ~same).sum())
    return Confusion(
        threshold=threshold,
        within_data=within_data,
        true_positives=tp,
        false_positives=fp,
        true_negatives=tn,
        false_negatives=fn,
        accuracy=(tp + tn) / len(scores),
        precision=tp / (tp + fp) if tp + fp else None,
        recall=tp / max(tp + fn, 1),
        specificity=tn / max(tn + fp, 1),
        f1=2 * tp / max(2 * tp + fp + fn, 1),
    )


def _rounded(values: Scores) -> list[float]:
    return [round(float(v), 6) for v in values]
