"""Hard negatives over the whole training set: whom, and which pictures, the network confuses at present."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.training.dataset import Dataset, Numbers

NEIGHBOURS = 8
"""How many of the most similar other people are remembered for each person."""
AT_ONCE = 1024


class HardNegatives:
    """The nearest other people of each person, by their mean vectors, and the pictures of theirs that are nearest."""

    def __init__(self, dataset: Dataset, vectors: NDArray[np.float32]) -> None:
        """`vectors` (n, d): of length one, one for each picture of the data set."""
        self._dataset, self._vectors = dataset, vectors
        means = np.stack([vectors[dataset.own(p)].mean(0) for p in range(len(dataset.people))])
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        kept = min(NEIGHBOURS, len(means) - 1)
        self._near = np.zeros((len(means), kept), np.int64)
        for start in range(0, len(means), AT_ONCE):
            alike = means[start : start + AT_ONCE] @ means.T
            alike[np.arange(len(alike)), np.arange(start, start + len(alike))] = -2.0
            self._near[start : start + AT_ONCE] = np.argsort(-alike, axis=1, kind="stable")[:, :kept]

    def people(self, count: int, random: np.random.Generator) -> Numbers:
        """So many people, in groups of four who look alike: one at random, the nearest one, and two more near ones."""
        chosen: list[int] = []
        for person in random.permutation(len(self._near)):
            near = self._near[person]
            for one in (person, *near[:1], *random.permutation(near[1:])[:2]):
                if int(one) not in chosen:
                    chosen.append(int(one))
            if len(chosen) >= count:
                break
        return np.array(chosen[:count], np.int32)

    def picture(self, anchor: int) -> int:
        """The picture of somebody else that is nearest to this one, among the nearest people."""
        person = int(self._dataset.person[anchor])
        others = np.concatenate([self._dataset.own(int(other)) for other in self._near[person]])
        return int(others[int(np.argmax(self._vectors[others] @ self._vectors[anchor]))])


def mine(network: Any, dataset: Dataset, batch: int) -> HardNegatives:
    """Embed the whole set with the network, pixels -> vector, as it is now, and search it."""
    vectors = embedded(network, dataset, np.arange(len(dataset)), batch).astype(np.float32)
    return HardNegatives(dataset, vectors)


def embedded(network: Any, dataset: Dataset, chosen: NDArray[np.integer], batch: int = 64) -> NDArray[np.float64]:
    """(n, d) vectors of length one of the chosen pictures, without augmentation; NaN where the network gives it."""
    parts = np.array_split(chosen, -(-len(chosen) // batch))
    vectors = np.concatenate([np.asarray(network(dataset.pixels(part), training=False), np.float64) for part in parts])
    unit: NDArray[np.float64] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
