"""One network's templates against another one's faces: every comparison is counted once, at the right side."""

import json
from pathlib import Path

import numpy as np
import pytest

from converter.compatibility import agreement, mixed_rates
from converter.datasets import DatasetError
from support import small_lfw
from support.converting import run

UP, RIGHT, BETWEEN = [1.0, 0.0], [0.0, 1.0], [0.8, 0.6]
NONE = [np.nan, np.nan]


def rows(*vectors: list[float]) -> np.ndarray:
    return np.array(vectors, np.float32)


def test_how_alike_embeddings_are_without_the_pictures_that_have_no_face() -> None:
    found = agreement(rows(UP, RIGHT, NONE), rows(UP, BETWEEN, UP))

    assert found.faces == 2
    assert (found.mean, found.least) == pytest.approx((0.8, 0.6))
    with pytest.raises(DatasetError, match="found no face"):
        agreement(rows(NONE), rows(UP))


def test_each_template_meets_each_other_picture_once() -> None:
    """Two pictures of Ada, one of Ben, one without a face: 2 comparisons of one person, 4 of two people."""
    templates, probes = rows(UP, BETWEEN, RIGHT, NONE), rows(UP, UP, BETWEEN, UP)
    at = [0.5, 0.9]

    low, high = mixed_rates(("a", "b"), (templates, probes), np.array([0, 0, 1, 1]), at)

    assert (low.templates, low.probes, low.similarity) == ("a", "b", 0.5)
    assert (low.genuine, low.true_matches, low.impostors, low.false_matches) == (2, 2, 4, 2)
    assert (high.true_matches, high.false_matches) == (1, 1)
    assert (low.false_match_rate, high.true_match_rate) == (0.5, 0.5)


def test_people_who_must_not_be_compared_are_not() -> None:
    vectors = rows(UP, UP, UP)
    (all_of_them,) = mixed_rates(("a", "b"), (vectors, vectors), np.array([0, 1, 2]), [0.5])
    (fewer,) = mixed_rates(("a", "b"), (vectors, vectors), np.array([0, 1, 2]), [0.5], [(0, 1)])

    assert (all_of_them.impostors, fewer.impostors) == (6, 4)


def test_the_bundled_int8_file_is_compared_with_its_float32_one(tmp_path: Path) -> None:
    small_lfw.make(tmp_path)
    chosen = ["--model", "mobilefacenet-int8", "--images", tmp_path / "images", "--no-cache"]

    code, printed, said = run("compare-embedders", "--templates", "mobilefacenet", *chosen, "--json")

    assert code == 0, said
    found = json.loads(printed)
    assert found["agreement"]["faces"] == 6
    assert found["agreement"]["least"] > 0.995
    mixed = [r for r in found["rates"] if (r["templates"], r["probes"]) == ("mobilefacenet", "mobilefacenet-int8")]
    assert [(r["impostors"], r["genuine"], r["false_matches"], r["true_matches"]) for r in mixed] == [(24, 6, 0, 6)] * 3
    assert len(found["rates"]) == 12
    code, printed, _ = run("compare-embedders", "--templates", "mobilefacenet", *chosen)
    assert (code, "24 comparisons of different people, 6 of one person" in printed) == (0, True)
    assert run("compare-embedders", "--templates", "nobody", *chosen)[0] == 4
