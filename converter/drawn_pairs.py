"""Pairs of photos for verification, drawn from a folder of people that comes without a list of pairs."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from converter.datasets import DatasetError, PicturePair

MOST_FOLDS = 10
MOST_PER_FOLD = 300
"""As many of one person, and as many of two, as LFW has in a fold."""
LEAST_PEOPLE = 4
"""Two folds of two people."""


def drawn_pairs(people: Mapping[str, Sequence[Path]], seed: int = 0) -> list[PicturePair]:
    """Up to ten folds, whose people differ, with as many pairs of one person as of two, drawn at random.

    The same photos give the same pairs. Raises DatasetError unless there are four people, two of them with two photos.
    """
    random = np.random.default_rng(seed)
    several = [name for name in people if len(people[name]) > 1]
    if len(people) < LEAST_PEOPLE or len(several) < 2:
        raise DatasetError(
            f"people with photos: found {len(people)}, {len(several)} of them with two or more; to draw pairs, "
            f"{LEAST_PEOPLE} people are needed, two of them with two photos; or give a list with --pairs"
        )
    single = [name for name in people if len(people[name]) == 1]
    # Those with several photos first, so that every fold has pairs of one person.
    shared_out = [*random.permutation(several).tolist(), *random.permutation(single).tolist()]
    folds = min(MOST_FOLDS, len(people) // 2, len(several))
    return [
        pair
        for fold in range(folds)
        for pair in _pairs_of({name: people[name] for name in shared_out[fold::folds]}, fold, random)
    ]


def _pairs_of(people: Mapping[str, Sequence[Path]], fold: int, random: np.random.Generator) -> list[PicturePair]:
    same = [pair for photos in people.values() for pair in itertools.combinations(photos, 2)]
    other = _two_people(people, MOST_PER_FOLD, random)
    count = min(len(same), len(other), MOST_PER_FOLD)
    chosen = [same[i] for i in sorted(random.choice(len(same), count, replace=False))]
    return [
        *(PicturePair(first, second, True, fold) for first, second in chosen),
        *(PicturePair(first, second, False, fold) for first, second in other[:count]),
    ]


def _two_people(
    people: Mapping[str, Sequence[Path]], count: int, random: np.random.Generator
) -> list[tuple[Path, Path]]:
    """So many different pairs of two people's photos, or all if there are fewer."""
    names = list(people)
    photos = [(person, photo) for person in range(len(names)) for photo in people[names[person]]]
    alike = sum(len(people[name]) * (len(people[name]) - 1) // 2 for name in names)
    possible = len(photos) * (len(photos) - 1) // 2 - alike
    found: dict[tuple[int, int], None] = {}
    while len(found) < min(count, possible):
        i, j = sorted(int(n) for n in random.integers(0, len(photos), 2))
        if photos[i][0] != photos[j][0]:
            found[i, j] = None
    return [(photos[i][1], photos[j][1]) for i, j in found]
