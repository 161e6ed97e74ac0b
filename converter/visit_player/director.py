"""Makes scenes of every kind: who comes to the door, when, how far away, and what hides them. A seed fixes it all."""

import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator

from converter.visit_player.casting import Cast, Household
from converter.visit_player.script import LEAD_S, Actor, Part, VisitScene
from edge.errors import UsageError

STAY_S = 6.0
SWAP_S = 5.0


class Director:
    """Draws the people, photos, places and sizes of one scene."""

    def __init__(self, cast: Cast, rng: Generator, number: int) -> None:
        self._cast = cast
        self._rng = rng
        self._number = number
        self._kind = ""
        one, swap = self._one, self._swap
        self.kinds: dict[str, tuple[int, Callable[[], VisitScene]]] = {
            "known": (30, partial(one, True)),
            "stranger": (30, partial(one, False)),
            "passes by": (12, partial(one, True, stay=1.2)),
            "stays long": (4, partial(one, True, stay=25.0)),
            "far, then near": (20, partial(self._approach, True)),
            "stranger from afar": (12, partial(self._approach, False)),
            "stays far away": (12, partial(one, True, scale=0.28)),
            "sunglasses at first": (20, partial(self._covered, "sunglasses")),
            "mask at first": (12, partial(self._covered, "mask")),
            "blurred": (12, partial(one, True, "blurred")),
            "dark": (12, partial(one, True, "dark")),
            "stranger in the dark": (8, partial(one, False, "dark")),
            "infrared": (15, partial(one, True, "infrared")),
            "stranger in infrared": (12, partial(one, False, "infrared")),
            "known takes known's place": (12, partial(swap, (True, True))),
            "stranger takes known's place": (16, partial(swap, (True, False))),
            "known takes stranger's place": (12, partial(swap, (False, True))),
            "hard cut to another": (12, partial(swap, (True, True), cut=True)),
            "hard cut to a stranger": (12, partial(swap, (True, False), cut=True)),
            "steps in front": (12, self._steps_in_front),
            "two cross": (12, partial(self._cross, (True, True))),
            "known and stranger cross": (12, partial(self._cross, (True, False))),
            "three at once": (6, self._three),
            "leaves and comes back": (12, self._returns),
            "turns and moves": (12, self._photos),
            "photo held up": (12, partial(self._picture, "print")),
            "screen held up": (12, partial(self._picture, "screen")),
        }

    def make(self, kind: str) -> VisitScene:
        self._kind = kind
        return self.kinds[kind][1]()

    def _scene(self, actors: Sequence[Actor], household: Household, cuts: tuple[float, ...] = ()) -> VisitScene:
        enrolled = {name: photos for name, (photos, _) in household.items()}
        return VisitScene(self._kind, self._number, tuple(actors), enrolled, cuts)

    def _person(
        self, household: Household, *, known: bool, nth: int = 0, others: Sequence[str] = ()
    ) -> tuple[str, list[Path]]:
        """Somebody, and photos to show of them: the nth of the household, or a stranger who is none of `others`."""
        if not known:
            return self._cast.stranger(household, others)
        name = list(household)[nth]
        return name, household[name][1]

    def _pick(self, photos: Sequence[Path]) -> Path:
        return photos[int(self._rng.integers(len(photos)))]

    def _between(self, low: float, high: float) -> float:
        return float(self._rng.uniform(low, high))

    def _steady(self, start: float, end: float, photo: Path, treatment: str = "plain", scale: float = 0.0,
                x: float = 0.0) -> Part:  # fmt: skip
        """Somebody who stands there and sways; `scale` and `x` are drawn unless given."""
        size, at = scale or self._between(0.6, 1.0), x or self._between(0.4, 0.6)
        sizes = (size, size * self._between(0.97, 1.08))
        return Part(start, end, photo, sizes, (at, at + self._between(-0.04, 0.04)), treatment)

    def _one(self, known: bool, treatment: str = "plain", scale: float = 0.0, stay: float = STAY_S) -> VisitScene:
        house = self._cast.household()
        name, photos = self._person(house, known=known)
        part = self._steady(LEAD_S, LEAD_S + stay, self._pick(photos), treatment, scale)
        return self._scene([Actor(name, known, (part,))], house)

    def _approach(self, known: bool) -> VisitScene:
        house = self._cast.household()
        name, photos = self._person(house, known=known)
        photo = self._pick(photos)
        far = Part(LEAD_S, LEAD_S + 5, photo, (0.22, 0.45), (0.35, 0.45))
        near = Part(LEAD_S + 5, LEAD_S + 8, photo, (0.45, 0.9), (0.45, 0.5))
        return self._scene([Actor(name, known, (far, near))], house)

    def _covered(self, treatment: str) -> VisitScene:
        house = self._cast.household()
        name, photos = self._person(house, known=True)
        photo, scale = self._pick(photos), self._between(0.7, 1.0)
        covered = self._steady(LEAD_S, LEAD_S + 6, photo, treatment, scale, 0.5)
        bare = self._steady(LEAD_S + 6, LEAD_S + 11, photo, "plain", scale, 0.5)
        return self._scene([Actor(name, True, (covered, bare))], house)

    def _swap(self, known: tuple[bool, bool], *, cut: bool = False) -> VisitScene:
        """From one frame to the next somebody else is there: in the same place, or with a cut of the whole picture."""
        house = self._cast.household()
        scale, actors = self._between(0.7, 1.0), list[Actor]()
        for nth, is_known in enumerate(known):
            name, photos = self._person(house, known=is_known, nth=nth, others=[a.person for a in actors])
            size, x = (0.0, 0.0) if cut else (scale, 0.5)
            start = LEAD_S + nth * SWAP_S
            actors.append(
                Actor(name, is_known, (self._steady(start, start + SWAP_S, self._pick(photos), "plain", size, x),))
            )
        return self._scene(actors, house, (LEAD_S + SWAP_S,) if cut else ())

    def _steps_in_front(self) -> VisitScene:
        """A stranger comes from the side, covers the known person and stays; the other leaves behind them."""
        house = self._cast.household()
        name, photos = self._person(house, known=True)
        photo = self._pick(photos)
        there = Part(LEAD_S, LEAD_S + 5, photo, (0.7, 0.7), (0.5, 0.5))
        leaves = Part(LEAD_S + 5, LEAD_S + 6.5, photo, (0.7, 0.65), (0.5, 0.1))
        other, shown = self._person(house, known=False)
        photo = self._pick(shown)
        comes = Part(LEAD_S + 3, LEAD_S + 4.5, photo, (0.8, 0.8), (0.9, 0.5))
        stays = Part(LEAD_S + 4.5, LEAD_S + 10, photo, (0.8, 0.82), (0.5, 0.5))
        return self._scene([Actor(name, True, (there, leaves)), Actor(other, False, (comes, stays))], house)

    def _cross(self, known: tuple[bool, bool]) -> VisitScene:
        """Two stand side by side and then change places: the nearer one passes in front."""
        house, actors = self._cast.household(), []
        for nth, (is_known, x, end, size) in enumerate(zip(known, (0.3, 0.7), (0.7, 0.3), (0.75, 0.6), strict=True)):
            name, photos = self._person(house, known=is_known, nth=nth)
            photo = self._pick(photos)
            still = Part(LEAD_S, LEAD_S + 5, photo, (size, size), (x, x))
            across = Part(LEAD_S + 5, LEAD_S + 8, photo, (size, size), (x, end))
            actors.append(Actor(name, is_known, (still, across)))
        return self._scene(actors, house)

    def _three(self) -> VisitScene:
        """Two known people and a stranger, who come and leave one after the other."""
        house, actors = self._cast.household(), []
        for nth, (known, x) in enumerate(((True, 0.2), (False, 0.5), (True, 0.8))):
            name, photos = self._person(house, known=known, nth=nth)
            part = self._steady(LEAD_S + nth, LEAD_S + 6 + nth, self._pick(photos), "plain", 0.55, x)
            actors.append(Actor(name, known, (part,)))
        return self._scene(actors, house)

    def _returns(self) -> VisitScene:
        house = self._cast.household()
        name, photos = self._person(house, known=True)
        first = self._steady(LEAD_S, LEAD_S + 4, self._pick(photos))
        second = self._steady(LEAD_S + 9, LEAD_S + 13, self._pick(photos))
        return self._scene([Actor(name, True, (first, second))], house)

    def _photos(self) -> VisitScene:
        """Another photo of the same person every two seconds: pose, light and face change at once."""
        house = self._cast.household(showable=3)
        name, photos = self._person(house, known=True)
        scale = self._between(0.7, 1.0)
        parts = [
            self._steady(LEAD_S + 2 * i, LEAD_S + 2 * i + 2, photo, "plain", scale, 0.5)
            for i, photo in enumerate(photos[:5])
        ]
        return self._scene([Actor(name, True, tuple(parts))], house)

    def _picture(self, treatment: str) -> VisitScene:
        """Somebody out of sight holds up a picture of a known person: a print, or a screen."""
        house = self._cast.household()
        name, photos = self._person(house, known=True)
        part = self._steady(LEAD_S, LEAD_S + STAY_S, self._pick(photos), treatment, self._between(0.7, 0.9))
        return self._scene([Actor(name, True, (part,), pictured=True)], house)


def scenes(
    people: Mapping[str, Sequence[Path]],
    barred: Sequence[tuple[str, str]],
    share: float = 1.0,
    seed: int = 0,
    only: Collection[str] = (),
) -> list[VisitScene]:
    """Every kind of scene, or `only` some, each in its number times `share`, at least once; the kinds take turns.

    A scene follows from its kind, its number and the seed alone: a smaller share plays some of the same scenes. Raises
    UsageError when a kind of `only` does not exist.
    """
    every = _director(people, barred, 0, "", seed).kinds
    if unknown := [kind for kind in only if kind not in every]:
        raise UsageError(f"--kind: found {', '.join(unknown)}; allowed: {'; '.join(every)}")
    kinds = {kind: max(1, round(count * share)) for kind, (count, _) in every.items() if not only or kind in only}
    order = sorted((number / count, kind, number) for kind, count in kinds.items() for number in range(count))
    return [_director(people, barred, number, kind, seed).make(kind) for _, kind, number in order]


def _director(
    people: Mapping[str, Sequence[Path]], barred: Sequence[tuple[str, str]], number: int, kind: str, seed: int
) -> Director:
    rng = np.random.default_rng([seed, number, zlib.crc32(kind.encode())])
    return Director(Cast(people, rng, barred), rng, number)
