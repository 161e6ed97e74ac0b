"""A Siamese network's own similarity: what it computes, where it counts, and when it is put in force."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter import card_text
from converter.calibrate import measure as calibrated
from converter.datasets import PicturePair
from converter.embeddings import EmbeddedFaces, FaceRecord
from converter.own_similarity import compare, read_similarity
from edge.config import typed_yaml
from edge.errors import ModelError
from edge.models import measure as measures
from edge.models.card import BUNDLED, Calibration, Card, LearnedSimilarity, read_card
from edge.models.measure import COSINE, WeightedL1, measure_of
from edge.records import Outcome, SeenFaces
from edge.visits.infrared_scale import likeness
from edge.visits.lookalikes import MatchRule, look_alikes
from edge.visits.matcher import Matcher
from edge.visits.rejection import price_of
from support.people import gallery_of

FIRST = LearnedSimilarity(1, 2.0, [4.0, 0.0, 0.0, 0.0], in_force=True)
"""Only the first number counts."""
WIDE = LearnedSimilarity(1, 2.0, [4.0, *[0.0] * 511], in_force=True)
"""The same for vectors of 512 numbers, as those of support.people."""
OWN = Calibration("", "", [(0.5, 1e-2), (0.9, 1e-4)])


def unit(*values: float) -> Any:
    row = np.array(values, np.float32)
    return row / np.linalg.norm(row)


def wide(*values: float) -> Any:
    return unit(*values, *[0.0] * (512 - len(values)))


def of(similarity: LearnedSimilarity | None, dimensions: int = 4) -> Card:
    known = read_card(BUNDLED / "mobilefacenet.yaml")
    return msgspec.structs.replace(known, outputs=[[1, dimensions]], similarity=similarity)


def as_written(learned: LearnedSimilarity, one: Any, other: Any) -> float:
    distance = sum(w * abs(float(a) - float(b)) for w, a, b in zip(learned.weights, one, other, strict=True))
    far = min(distance - learned.bias, 700.0)
    return float((1 + np.exp(-learned.bias)) / (1 + np.exp(far)))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 9), st.integers(1, 9), st.floats(-40, 40),
    st.lists(st.floats(0, 50), min_size=6, max_size=6), st.integers(0, 2**31),
)  # fmt: skip
def test_it_is_what_the_card_says_for_all_pairs(n: int, m: int, bias: float, weights: list[float], seed: int) -> None:
    learned = LearnedSimilarity(1, bias, weights)
    random = np.random.default_rng(seed)
    some, others = (random.normal(size=(k, 6)).astype(np.float32) for k in (n, m))
    made = WeightedL1(learned)
    found = made.between(some, others)
    assert found.shape == (n, m)
    assert found.dtype == np.float32
    wanted = [[as_written(learned, a, b) for b in others] for a in some]
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-6)
    np.testing.assert_allclose(made.between(others, some), found.T, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(made.of_pairs(some[:1], others[:1])[0], found[0, 0], rtol=2e-3, atol=1e-6)
    assert np.allclose(np.diag(made.between(some, some)), 1.0)
    assert ((found >= 0) & (found <= 1.0 + 1e-6)).all()


def test_memory_is_bounded_whatever_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    some = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    whole = WeightedL1(FIRST).between(some, some[:7])
    monkeypatch.setattr(measures, "ROWS_AT_ONCE", 8)
    np.testing.assert_array_equal(WeightedL1(FIRST).between(some, some[:7]), whole)


def test_the_card_says_by_what_faces_are_compared() -> None:
    assert measure_of(of(None)) is COSINE
    assert measure_of(of(msgspec.structs.replace(FIRST, in_force=False))) is COSINE
    assert isinstance(measure_of(of(FIRST)), WeightedL1)
    with pytest.raises(ModelError, match=r"similarity\.weights: found 4 numbers; allowed: 192"):
        measure_of(of(FIRST, 192))
    known = of(msgspec.structs.replace(FIRST, calibration=OWN))
    assert known.naming_calibration == OWN
    assert known.naming_infrared_calibration is None
    assert of(msgspec.structs.replace(FIRST, in_force=False, calibration=OWN)).naming_calibration == known.calibration


ADA, BEN = wide(1, 0, 0, 0), wide(-1, 0, 0, 0)
PROBE = wide(1, 9, 0, 0)
"""By cosine nobody; by the first number it lies between the two, a little nearer to Ada."""


def test_the_matcher_goes_by_it() -> None:
    gallery = gallery_of(ada=ADA, ben=BEN)
    by_cosine = Matcher(gallery, 0.05, 0.01, None).match(PROBE)
    by_own = Matcher(gallery, 0.05, 0.01, OWN, measure=WeightedL1(WIDE)).match(PROBE)
    assert by_cosine.best is not None and by_own.best is not None and by_own.runner_up is not None
    assert by_own.best.similarity == pytest.approx(as_written(WIDE, ADA, PROBE), rel=1e-4)
    assert by_own.runner_up.similarity == pytest.approx(as_written(WIDE, BEN, PROBE), rel=1e-4)
    assert by_cosine.best.similarity == pytest.approx(float(ADA @ PROBE), rel=1e-5)


def test_anchors_and_ignored_strangers_go_by_it() -> None:
    gallery = gallery_of(ada=ADA)
    near = wide(1, 0.4, 0, 0)
    beside = SeenFaces(wide(1, -0.4, 0, 0)[None], np.array([False]))
    own = WeightedL1(WIDE)
    # The anchor differs in the second number only, which does not count; by cosine it is far from the probe.
    assert Matcher(gallery, 0.5, 0.01, None, ignored=beside).ignores(near) == (float(near @ beside.vectors[0]) >= 0.5)
    assert Matcher(gallery, 0.99, 0.01, None, ignored=beside, measure=own).ignores(near)
    assert not Matcher(gallery, 0.99, 0.01, None, ignored=beside).ignores(near)
    rejected = Matcher(gallery, 0.5, 0.001, None, {"ada": beside}, measure=own)
    assert rejected.match(near).outcome is Outcome.UNKNOWN
    assert Matcher(gallery, 0.5, 0.001, None, {"ada": beside}).match(near).outcome is Outcome.RECOGNIZED


def test_look_alikes_and_the_price_of_an_anchor_go_by_it() -> None:
    one, other = wide(1, 3, 0, 0), wide(1, 0, 3, 0)
    gallery, own = gallery_of(ada=one, ben=other), WeightedL1(WIDE)
    assert look_alikes(gallery, MatchRule(0.9, 0.05, None)) == []
    (pair,) = look_alikes(gallery, MatchRule(0.9, 0.05, None, measure=own))
    assert pair.similarity == pytest.approx(1.0)
    anchor, both = (SeenFaces(np.stack(rows), np.zeros(len(rows), bool)) for rows in ([one], [one, other]))
    price = price_of(anchor, both, Matcher(gallery, 0.9, 0.05, OWN, measure=own))
    assert price.miss_rate is None
    assert price.spare == pytest.approx(0.05, abs=1e-6)
    assert likeness(anchor, both, None, own).min() == pytest.approx(1.0)


def faces(vectors: dict[str, Any]) -> EmbeddedFaces:
    return EmbeddedFaces({Path(name): FaceRecord(row.astype(np.float32).tobytes()) for name, row in vectors.items()}, 4)


def people(signal: float, seed: int = 0) -> tuple[list[PicturePair], EmbeddedFaces]:
    """80 people, whom the first number tells apart and the others hide, by so much."""
    random, rows, pairs = np.random.default_rng(seed), {}, []
    for person in range(80):
        own = random.uniform(-1, 1) * signal
        for shot in range(2):
            rows[f"{person}-{shot}"] = unit(own, *random.normal(0, 1, 3))
        pairs.append(PicturePair(Path(f"{person}-0"), Path(f"{person}-1"), same=True, fold=person % 4))
        if person:
            pairs.append(PicturePair(Path(f"{person}-0"), Path(f"{person - 1}-1"), same=False, fold=person % 4))
    return pairs, faces(rows)


def test_it_is_better_only_where_pairs_show_it() -> None:
    pairs, embedded = people(6.0)
    found = compare(of(FIRST), pairs, embedded)
    assert found is not None
    assert found.better and found.gain > 0 and found.low <= found.gain <= found.high
    assert f"better, by +{found.gain:.4f}" in found.in_words and f"on {len(pairs)} pairs" in found.in_words
    useless = msgspec.structs.replace(FIRST, weights=[0.0, 0.0, 0.0, 1.0])
    worse = compare(of(useless), pairs, embedded)
    assert worse is not None and not worse.better
    assert compare(of(None), pairs, embedded) is None


def test_it_is_calibrated_like_the_cosine() -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(60, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels, own = np.arange(60) // 2, WeightedL1(FIRST)
    found = calibrated(vectors, labels, similarity=own)
    matrix = own.between(vectors, vectors)
    different = np.sort(matrix[np.triu(labels[:, None] != labels, 1)])[::-1]
    for point in found.points:
        assert point.similarity == pytest.approx(different[point.impostors_above - 1])


def test_a_card_carries_it_in_and_out_of_force(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text((BUNDLED / "mobilefacenet.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    plain = read_card(path)
    learned = LearnedSimilarity(1, -1.5, [0.0001, 12.5] * 96, compared="better: 3 'pairs'", calibration=OWN)
    card_text.record(path, {}, similarity=learned)
    assert read_card(path) == msgspec.structs.replace(plain, similarity=learned)
    card_text.record(path, {"a": "b"}, similarity=msgspec.structs.replace(learned, in_force=True))
    found = read_card(path)
    assert found.similarity is not None and found.similarity.in_force
    assert found.calibration == plain.calibration
    mistakes: list[dict[str, Any]] = [{"schema_version": 2}, {"weights": [-1.0]}, {"weights": []}, {"more": 1}]
    for wrong in mistakes:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(msgspec.to_builtins(learned) | wrong, LearnedSimilarity)
    assert typed_yaml.read(path)["similarity"]["weights"][1] == 12.5


def test_one_from_a_file_is_never_in_force_at_once(tmp_path: Path) -> None:
    (tmp_path / "similarity.json").write_bytes(msgspec.json.encode(FIRST))
    found = read_similarity(None, tmp_path / "embedder.keras", 4)
    assert found is not None and not found.in_force and found.weights == FIRST.weights
    with pytest.raises(ModelError, match="found 4 weights; allowed: 5"):
        read_similarity(None, tmp_path / "embedder.keras", 5)
    (tmp_path / "other.json").write_text(json.dumps({"weights": [-1]}))
    with pytest.raises(ModelError, match=r"other\.json: not a similarity"):
        read_similarity(tmp_path / "other.json", tmp_path / "embedder.keras", 1)
    assert read_similarity(None, tmp_path / "elsewhere" / "embedder.keras", 4) is None
