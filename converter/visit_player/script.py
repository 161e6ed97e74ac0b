"""The script: who comes to the door, when, how far away, and what hides them. Everything follows from a seed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator

FPS = 10.0
WIDTH, HEIGHT = 640, 480
TEMPLATES = 3
"""Photos enrolled per known person."""
HOUSEHOLD = 6
"""Known people in each scene's gallery, whether or not they appear."""
LEAD_S = 0.5
"""Empty porch before the first face."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of an actor's appearance; times are seconds from the scene's beginning."""

    start_s: float
    end_s: float
    photo: Path
    scale: tuple[float, float]
    """Size against LFW's (eyes 42 px apart) at start and end."""
    x: tuple[float, float]
    """Where the middle of the face is, as a fraction of the frame's width, at start and end."""
    treatment: str = "plain"
    """A key of `painting.ON_PHOTO` or `painting.ON_FRAME`, or plain."""


@dataclass(frozen=True, slots=True)
class Actor:
    """One visitor. `known`: enrolled in the scene's gallery."""

    person: str
    known: bool
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class VisitScene:
    """A few seconds in front of the door."""

    kind: str
    number: int
    actors: tuple[Actor, ...]
    enrolled: Mapping[str, Sequence[Path]]
    """Person -> the photos of their templates; never one that is shown."""

    @property
    def seconds(self) -> float:
        return max(part.end_s for actor in self.actors for part in actor.parts) + 1.5


class Cast:
    """Draws people: known ones with photos to spare, and strangers."""

    def __init__(self, people: Mapping[str, Sequence[Path]], rng: Generator, barred: Sequence[tuple[str, str]]) -> None:
        self._people = people
        self._rng = rng
        self._barred = barred
        self._able = [name for name, photos in people.items() if len(photos) > TEMPLATES]
        self._all = list(people)

    def household(self) -> dict[str, tuple[list[Path], list[Path]]]:
        """Person -> (photos to enrol, photos to show)."""
        chosen = [self._able[i] for i in self._rng.choice(len(self._able), HOUSEHOLD, replace=False)]
        found = {}
        for name in chosen:
            photos = [self._people[name][i] for i in self._rng.permutation(len(self._people[name]))]
            found[name] = (photos[:TEMPLATES], photos[TEMPLATES:])
        return found

    def stranger(self, household: Mapping[str, object]) -> tuple[str, list[Path]]:
        """Somebody who does not live there, nor may be the same person as somebody who does."""
        out = set(household).union(*(pair for pair in self._barred if set(pair) & set(household)))
        while True:
            name = self._all[int(self._rng.integers(len(self._all)))]
            if name not in out:
                return name, list(self._people[name])


def _steady(rng: Generator, start: float, end: float, photo: Path, treatment: str = "plain", scale: float = 0.0,
            x: float = 0.0) -> Part:  # fmt: skip
    size = scale or float(rng.uniform(0.6, 1.0))
    at = x or float(rng.uniform(0.4, 0.6))
    return Part(
        start,
        end,
        photo,
        (size, size * float(rng.uniform(0.97, 1.08))),
        (at, at + float(rng.uniform(-0.04, 0.04))),
        treatment,
    )


class Director:
    """Makes scenes of each kind."""

    def __init__(self, cast: Cast, rng: Generator) -> None:
        self._cast = cast
        self._rng = rng
        self.kinds: dict[str, tuple[int, Callable[[int], VisitScene]]] = {
            "known": (40, lambda n: self._one("known", n, known=True)),
            "stranger": (40, lambda n: self._one("stranger", n, known=False)),
            "far, then near": (25, lambda n: self._approach("far, then near", n, known=True)),
            "stranger from afar": (15, lambda n: self._approach("stranger from afar", n, known=False)),
            "sunglasses at first": (25, lambda n: self._covered("sunglasses at first", n, "sunglasses")),
            "mask at first": (15, lambda n: self._covered("mask at first", n, "mask")),
            "blurred": (15, lambda n: self._one("blurred", n, known=True, treatment="blurred")),
            "dark": (15, lambda n: self._one("dark", n, known=True, treatment="dark")),
            "infrared": (15, lambda n: self._one("infrared", n, known=True, treatment="infrared")),
            "stranger, infrared": (15, lambda n: self._one("stranger, infrared", n, known=False, treatment="infrared")),
            "stays far away": (15, lambda n: self._one("stays far away", n, known=True, scale=0.28)),
            "known takes known's place": (20, lambda n: self._swap("known takes known's place", n, (True, True))),
            "stranger takes known's place": (
                20,
                lambda n: self._swap("stranger takes known's place", n, (True, False)),
            ),
            "known takes stranger's place": (
                20,
                lambda n: self._swap("known takes stranger's place", n, (False, True)),
            ),
            "two side by side": (15, self._pair),
            "known beside stranger": (15, lambda n: self._pair(n, stranger=True)),
            "leaves and comes back": (12, self._returns),
            "turns and moves": (15, self._photos),
        }

    def scenes(self, share: float = 1.0) -> list[VisitScene]:
        """All kinds, each in its number times `share`."""
        return [make(n) for count, make in self.kinds.values() for n in range(max(1, round(count * share)))]

    def _pick(self, photos: Sequence[Path]) -> Path:
        return photos[int(self._rng.integers(len(photos)))]

    def _scene(
        self, kind: str, n: int, actors: list[Actor], household: Mapping[str, tuple[list[Path], list[Path]]]
    ) -> VisitScene:
        return VisitScene(kind, n, tuple(actors), {name: photos for name, (photos, _) in household.items()})

    def _drawn(
        self, household: dict[str, tuple[list[Path], list[Path]]], *, known: bool, nth: int = 0
    ) -> tuple[str, list[Path]]:
        if not known:
            return self._cast.stranger(household)
        name = list(household)[nth]
        return name, household[name][1]

    def _one(self, kind: str, n: int, *, known: bool, treatment: str = "plain", scale: float = 0.0) -> VisitScene:
        house = self._cast.household()
        name, photos = self._drawn(house, known=known)
        part = _steady(self._rng, LEAD_S, LEAD_S + 6, self._pick(photos), treatment, scale)
        return self._scene(kind, n, [Actor(name, known, (part,))], house)

    def _approach(self, kind: str, n: int, *, known: bool) -> VisitScene:
        house = self._cast.household()
        name, photos = self._drawn(house, known=known)
        photo = self._pick(photos)
        parts = (
            Part(LEAD_S, LEAD_S + 6, photo, (0.22, 0.45), (0.35, 0.45)),
            Part(LEAD_S + 6, LEAD_S + 9, photo, (0.45, 0.9), (0.45, 0.5)),
        )
        return self._scene(kind, n, [Actor(name, known, parts)], house)

    def _covered(self, kind: str, n: int, treatment: str) -> VisitScene:
        house = self._cast.household()
        name, photos = self._drawn(house, known=True)
        photo, scale = self._pick(photos), float(self._rng.uniform(0.7, 1.0))
        parts = (
            _steady(self._rng, LEAD_S, LEAD_S + 6, photo, treatment, scale, 0.5),
            _steady(self._rng, LEAD_S + 6, LEAD_S + 12, photo, "plain", scale, 0.5),
        )
        return self._scene(kind, n, [Actor(name, True, parts)], house)

    def _swap(self, kind: str, n: int, known: tuple[bool, bool]) -> VisitScene:
        house = self._cast.household()
        scale = float(self._rng.uniform(0.7, 1.0))
        actors, at = [], LEAD_S
        for i, is_known in enumerate(known):
            name, photos = self._drawn(house, known=is_known, nth=i)
            part = _steady(self._rng, at, at + 8, self._pick(photos), "plain", scale, 0.5)
            actors.append(Actor(name, is_known, (part,)))
            at += 8
        return self._scene(kind, n, actors, house)

    def _pair(self, n: int, *, stranger: bool = False) -> VisitScene:
        house = self._cast.household()
        actors = []
        for i, (x, known) in enumerate(((0.3, True), (0.7, not stranger))):
            name, photos = self._drawn(house, known=known, nth=i)
            end = 0.7 if i == 0 else 0.3
            photo = self._pick(photos)
            size = 0.75 if i == 0 else 0.6
            still = Part(LEAD_S, LEAD_S + 5, photo, (size, size), (x, x))
            # They change places: the nearer one passes in front.
            across = Part(LEAD_S + 5, LEAD_S + 8, photo, (size, size), (x, end))
            actors.append(Actor(name, known, (still, across)))
        return self._scene("known beside stranger" if stranger else "two side by side", n, actors, house)

    def _returns(self, n: int) -> VisitScene:
        house = self._cast.household()
        name, photos = self._drawn(house, known=True)
        first = _steady(self._rng, LEAD_S, LEAD_S + 4, self._pick(photos))
        second = _steady(self._rng, LEAD_S + 9, LEAD_S + 13, self._pick(photos))
        return self._scene("leaves and comes back", n, [Actor(name, True, (first, second))], house)

    def _photos(self, n: int) -> VisitScene:
        """Another photo of the same person every two seconds: pose, light and face change at once."""
        house = self._cast.household()
        while len(most := max(house.items(), key=lambda item: len(item[1][1]))[1][1]) < 3:
            house = self._cast.household()
        name = next(name for name, (_, shown) in house.items() if shown is most)
        scale = float(self._rng.uniform(0.7, 1.0))
        parts = [
            _steady(self._rng, LEAD_S + 2 * i, LEAD_S + 2 * i + 2, photo, "plain", scale, 0.5)
            for i, photo in enumerate(most[:5])
        ]
        return self._scene("turns and moves", n, [Actor(name, True, tuple(parts))], house)


def scenes(
    people: Mapping[str, Sequence[Path]], barred: Sequence[tuple[str, str]], share: float = 1.0, seed: int = 0
) -> list[VisitScene]:
    """The same scenes each time from the same photos and seed."""
    rng = np.random.default_rng(seed)
    return Director(Cast(people, rng, barred), rng).scenes(share)
