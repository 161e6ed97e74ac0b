"""Draws the people of a scene: a household with photos to spare, and strangers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from numpy.random import Generator

from edge.errors import WhosthereError

TEMPLATES = 3
"""Photos enrolled per known person."""
HOUSEHOLD = 6
"""Known people in each scene's gallery, whether or not they appear."""

Household = dict[str, tuple[list[Path], list[Path]]]
"""Person -> (photos to enrol, photos to show)."""


class Cast:
    """Everybody in a folder of photos. `barred`: pairs of names that may be one person."""

    def __init__(self, people: Mapping[str, Sequence[Path]], rng: Generator, barred: Sequence[tuple[str, str]]) -> None:
        self._people = people
        self._rng = rng
        self._barred = barred
        self._able = [name for name, photos in people.items() if len(photos) > TEMPLATES]
        self._all = list(people)
        if len(self._able) < HOUSEHOLD or len(self._all) < 2 * HOUSEHOLD:
            raise WhosthereError(
                f"found {len(self._able)} people with more than {TEMPLATES} photos, of {len(self._all)}; needed: "
                f"{HOUSEHOLD} for a household, and as many others for strangers"
            )

    def household(self, showable: int = 1) -> Household:
        """Draw known people; the first of them has at least `showable` photos to show."""
        while True:
            chosen = [self._able[i] for i in self._rng.choice(len(self._able), HOUSEHOLD, replace=False)]
            found: Household = {}
            for name in chosen:
                photos = [self._people[name][i] for i in self._rng.permutation(len(self._people[name]))]
                found[name] = (photos[:TEMPLATES], photos[TEMPLATES:])
            most = max(found, key=lambda name: len(found[name][1]))
            if showable == 1:
                return found
            if len(found[most][1]) >= showable:
                return {most: found[most]} | found

    def stranger(self, household: Mapping[str, object], others: Sequence[str] = ()) -> tuple[str, list[Path]]:
        """Draw somebody who does not live there, nor may be the same person as somebody who does."""
        here = {*household, *others}
        out = here.union(*(pair for pair in self._barred if set(pair) & here))
        while True:
            name = self._all[int(self._rng.integers(len(self._all)))]
            if name not in out:
                return name, list(self._people[name])
