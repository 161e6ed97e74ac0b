"""The pictures that an embedder is trained with, by person, split by person into three sets."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter.datasets import DatasetError
from converter.training.crop_file import CropFile, Pixels

LEAST_PEOPLE = 2
"""The fewest people that can be told apart, in each set."""
LEAST_PICTURES = 2
UNLABELLED = ""
"""The name of nobody: whose pictures only a teacher says something about."""

Numbers = NDArray[np.int32]


class Dataset:
    """Crops and whose they are. The crops stay on disk; a batch of them is read at a time."""

    def __init__(
        self,
        store: CropFile | Pixels,
        rows: NDArray[np.int64],
        person: Numbers,
        people: list[str],
        taught: NDArray[np.float32] | None = None,
    ) -> None:
        """`store` (m, side, side, channels) has the colours in the network's order.

        `rows` (n,): the crops of this set; `person` (n,): an index into `people` for each of them. `taught` (m, d): the
        vector of a teacher for each crop of the store.
        """
        self._store, self._rows, self._taught = store, rows, taught
        self.person, self.people = person, people
        self._order = np.argsort(person, kind="stable").astype(np.int32)
        self._ends = np.searchsorted(person[self._order], np.arange(len(people) + 1))

    def __len__(self) -> int:
        """How many crops it has."""
        return len(self._rows)

    def pixels(self, chosen: NDArray[np.integer]) -> Pixels:
        """The crops with these numbers, read into memory."""
        return np.asarray(self._store[self._rows[chosen]])

    def taught(self, chosen: NDArray[np.integer]) -> NDArray[np.float32]:
        """The teacher's vectors (n, d) of the crops with these numbers. Raises ValueError when there is no teacher."""
        if self._taught is None:
            raise ValueError("this set has no teacher")
        return np.asarray(self._taught[self._rows[chosen]], np.float32)

    def some(self, person: int, count: int, random: np.random.Generator) -> Numbers:
        """So many of a person's crops at random, each once; all, where there are fewer."""
        own = self.own(person)
        return random.choice(own, min(count, len(own)), replace=False).astype(np.int32)

    def with_teacher(self, vectors: NDArray[np.float32]) -> "Dataset":
        """The set with a teacher's vectors (m, d), one for each crop of the store; without crops that have none."""
        kept = np.isfinite(vectors[self._rows]).all(1)
        return Dataset(self._store, self._rows[kept], self.person[kept], self.people, vectors)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The places of the crops in the store."""
        return self._rows

    def own(self, person: int) -> Numbers:
        """The numbers of a person's crops."""
        return self._order[self._ends[person] : self._ends[person + 1]]

    def of(self, chosen: Sequence[int]) -> "Dataset":
        """These people only, with new numbers from 0."""
        kept = np.isin(self.person, chosen)
        renumbered = {old: new for new, old in enumerate(chosen)}
        person = np.array([renumbered[int(p)] for p in self.person[kept]], np.int32)
        return Dataset(self._store, self._rows[kept], person, [self.people[i] for i in chosen], self._taught)


class DataSplit(NamedTuple):
    """No person is in more than one of the sets."""

    training: Dataset
    validation: Dataset
    """Chooses the best epoch and the learning rate."""
    test: Dataset | None
    """Chooses nothing."""


def split(dataset: Dataset, validation: float, test: float, seed: int, *, taught: bool = False) -> DataSplit:
    """Share out the people at random; those with a single picture are in no set. `test` 0: there is no test set.

    With a teacher, `taught`, everybody who judges nothing is learnt from: single and unlabelled pictures too.
    Raises DatasetError when there are too few people for that.
    """
    counts = np.bincount(dataset.person, minlength=len(dataset.people))
    labelled = np.array([name != UNLABELLED for name in dataset.people])
    several = np.flatnonzero((counts >= LEAST_PICTURES) & labelled)
    needed = LEAST_PEOPLE * (3 if test else 2)
    if len(several) < needed:
        less = f"; with --test 0, {2 * LEAST_PEOPLE} are enough" if test else ""
        raise DatasetError(
            f"people with {LEAST_PICTURES} pictures with a face or more: found {len(several)}; {needed} are needed to "
            f"train on some and to judge by the others{less}"
        )
    shuffled = np.random.default_rng(seed).permutation(several)
    tested = int(np.clip(round(test * len(several)), LEAST_PEOPLE, len(several) - 2 * LEAST_PEOPLE)) if test else 0
    most = len(several) - tested - LEAST_PEOPLE
    held = tested + int(np.clip(round(validation * len(several)), LEAST_PEOPLE, most))
    parts = (shuffled[held:], shuffled[tested:held], shuffled[:tested])
    if taught:
        parts = (np.setdiff1d(np.arange(len(dataset.people)), shuffled[:held]), *parts[1:])
    training, validating, testing = (dataset.of(sorted(part.tolist())) for part in parts)
    return DataSplit(training, validating, testing if tested else None)
