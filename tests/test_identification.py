"""Open-set identification and the curves, on vectors and scores whose answers are known."""

from pathlib import Path

import numpy as np
import pytest

from converter.curves import confusion, curve, histogram
from converter.datasets import DatasetError
from converter.embeddings import EmbeddedFaces, FaceRecord
from converter.identification import identify, split


def angles(**degrees: float | None) -> EmbeddedFaces:
    """A picture for each name: a vector in the plane; None: no face."""
    records = {}
    for name, degree in degrees.items():
        vector = [] if degree is None else [np.cos(np.radians(degree)), np.sin(np.radians(degree))]
        records[Path(name)] = FaceRecord(np.array(vector, np.float32).tobytes())
    return EmbeddedFaces(records, 2)


def people(**pictures: str) -> dict[str, list[Path]]:
    return {name: [Path(p) for p in listed.split()] for name, listed in pictures.items()}


def test_half_the_people_are_enrolled_and_the_others_are_strangers() -> None:
    parts = split(people(ada="a1 a2 a3", bob="b1 b2", cyd="c1", dan="d1 d2 d3"), 1)

    assert parts.enrolled == people(ada="a1", dan="d1")
    assert parts.known == people(ada="a2 a3", dan="d2 d3")
    assert parts.unknown == people(bob="b1 b2", cyd="c1")
    with pytest.raises(DatasetError, match="with at least 6 pictures"):
        split(people(ada="a1 a2", bob="b1 b2"), 5)


def test_rates_count_rank_threshold_and_missing_faces() -> None:
    parts = split(people(ada="a1 a2 a3 a4", bob="b1 b2", cyd="c1 c2", zed="z1"), 1)
    assert list(parts.enrolled) == ["ada", "cyd"]
    # a2 is near a1, a3 is nearer to c1, a4 shows no face; the nearest stranger is 20 degrees from a1.
    embedded = angles(a1=0, a2=10, a3=80, a4=None, b1=-20, b2=-60, c1=90, c2=115, z1=None)

    found = identify(parts, embedded)

    assert (found.known_probes, found.unknown_probes, found.missed) == (4, 3, 2)
    assert found.rank_one == 0.5
    assert found.rates[0].threshold == pytest.approx(np.cos(np.radians(20)))
    # c2 is right too, but 25 degrees off: a stranger is nearer.
    assert found.rates[0].identified == 0.25
    assert found.rates[0].strangers_above == 0
    assert {(c.person, c.taken_for) for c in found.confused} >= {("ada", "cyd")}


def test_a_share_of_strangers_may_be_above() -> None:
    strangers = {f"s{i}": float(30 + i / 10) for i in range(200)}
    parts = split(people(ada="a1 a2", bob=" ".join(strangers)), 1)

    found = identify(parts, angles(a1=0, a2=30.15, **strangers))

    # 2 of 200 are allowed at 1 %, none at 0.1 %.
    assert [r.strangers_above for r in found.rates] == [2, 0]
    assert [r.identified for r in found.rates] == [1.0, 0.0]


def test_confusion_at_a_threshold() -> None:
    scores, same = np.array([0.9, 0.5, 0.2, 0.5, 0.1, 0.0]), np.array([True, True, True, False, False, False])

    c = confusion(scores, same, 0.5, True)

    assert (c.true_positives, c.false_negatives, c.false_positives, c.true_negatives) == (2, 1, 1, 2)
    assert (c.accuracy, c.precision, c.recall, c.specificity) == pytest.approx((4 / 6, 2 / 3, 2 / 3, 2 / 3))
    assert c.f1 == pytest.approx(2 / 3)
    assert confusion(scores, same, 2.0, True).precision is None


def test_the_curve_falls_and_keeps_its_ends() -> None:
    random = np.random.default_rng(0)
    scores = np.concatenate([random.normal(0.6, 0.2, 3000), random.normal(0.0, 0.2, 3000)])
    same = np.repeat([True, False], 3000)

    found, counted = curve(scores, same), histogram(scores, same)

    assert len(found.thresholds) <= 200
    assert sorted(found.thresholds, reverse=True) == found.thresholds
    assert sorted(found.false_accepts) == found.false_accepts
    assert sorted(found.false_rejects, reverse=True) == found.false_rejects
    assert (found.false_accepts[-1], found.false_rejects[-1]) == (1.0, 0.0)
    middle = int(np.searchsorted(found.false_accepts, 0.01))
    threshold = found.thresholds[middle]
    assert (scores[~same] >= threshold).mean() == pytest.approx(found.false_accepts[middle], abs=1e-3)
    assert (scores[same] < threshold).mean() == pytest.approx(found.false_rejects[middle], abs=1e-3)
    assert sum(counted.genuine) == sum(counted.impostors) == 3000
