"""Pairs drawn from a folder of people, for those who have no list of pairs."""

from pathlib import Path

import pytest

from converter.datasets import DatasetError, PicturePair
from converter.drawn_pairs import drawn_pairs
from support.converting import run


def people(*counts: int) -> dict[str, list[Path]]:
    """So many photos of p0, p1, ..."""
    return {f"p{i}": [Path(f"p{i}/{n}.jpg") for n in range(count)] for i, count in enumerate(counts)}


def owners(pair: PicturePair) -> tuple[str, str]:
    return pair.first.parent.name, pair.second.parent.name


def test_folds_of_different_people_with_as_many_pairs_of_one_as_of_two() -> None:
    pairs = drawn_pairs(people(*[5] * 12, 1, 1))

    assert sorted({pair.fold for pair in pairs}) == list(range(7))
    for pair in pairs:
        first, second = owners(pair)
        assert pair.same == (first == second)
        assert pair.first != pair.second
    assert len(pairs) == len({frozenset((pair.first, pair.second)) for pair in pairs}), "no pair twice"
    by_fold = [{name for pair in pairs if pair.fold == fold for name in owners(pair)} for fold in range(7)]
    assert sum(map(len, by_fold)) == len(set.union(*by_fold)), "nobody is in two folds"
    for fold in range(7):
        kinds = [pair.same for pair in pairs if pair.fold == fold]
        assert 0 < sum(kinds) == len(kinds) - sum(kinds)


def test_a_fold_has_at_most_600_pairs() -> None:
    pairs = drawn_pairs(people(40, 40, 40, 40))

    assert [sum(p.fold == fold and p.same == same for p in pairs) for fold in (0, 1) for same in (True, False)] == [
        300
    ] * 4


def test_few_photos_give_all_there_is() -> None:
    pairs = drawn_pairs(people(2, 2, 1, 1))

    assert sorted(owners(pair) for pair in pairs if pair.same) == [("p0", "p0"), ("p1", "p1")]
    assert len(pairs) == 4


def test_the_same_photos_give_the_same_pairs() -> None:
    assert drawn_pairs(people(6, 6, 6, 6)) == drawn_pairs(people(6, 6, 6, 6))
    assert drawn_pairs(people(6, 6, 6, 6)) != drawn_pairs(people(6, 6, 6, 6), seed=1)


@pytest.mark.parametrize("counts", [(9, 9, 9), (9, 1, 1, 1), ()])
def test_too_few_people(counts: tuple[int, ...]) -> None:
    with pytest.raises(DatasetError, match="4 people are needed, two of them with two photos; or give a list"):
        drawn_pairs(people(*counts))


def test_evaluate_draws_pairs_where_no_list_is_given(tmp_path: Path) -> None:
    assert run("example-data", tmp_path / "e", "--photos", "3", "--new", "1")[0] == 0

    code, printed, said = run("evaluate", "--images", tmp_path / "e" / "people", "--cache", tmp_path / "cache")

    assert code == 0, said
    assert "12 pairs of one person, 12 of two, 2 folds" in printed
    assert "accuracy 100.00%" in printed
