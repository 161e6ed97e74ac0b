"""Part a: frames per second of whole programs on the same clips, in turns, on one thread each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

import cv2

from tools.bench.clips import DemoBox, Film, films, warm_up
from tools.bench.contenders import FACE_RECOGNITION, ContenderEntry, Program, entries
from tools.bench.records import Contender, FilmSpeed, FramesResult
from tools.bench.rounds import Spent, spread, timed, turned

SAMPLES = 60
"""About so many frames of a clip are processed fully per round."""
ROUNDS = 3
BLOCK = 50
"""So many frames go to one program before the next gets them: alone, each finds its own data in the caches."""


def measure() -> FramesResult:
    """All contenders on all clips."""
    cv2.setNumThreads(1)
    box = DemoBox.load()
    warm_up(box.networks)
    taking_part = entries(box)
    return FramesResult([_film(film, taking_part) for film in films()])


def _film(film: Film, taking_part: Sequence[ContenderEntry]) -> FilmSpeed:
    height, width = film.pictures[0].shape[:2]
    rounds = [_round(film, taking_part, number) for number in range(ROUNDS)]
    return FilmSpeed(film.name, width, height, [_contender(entry, rounds) for entry in taking_part])


class _Tally:
    """What one contender did in one round."""

    def __init__(self) -> None:
        self.spent: list[Spent] = []
        self.faces = 0

    def add(self, spent: Spent, faces: int, *, counted: bool) -> None:
        """One frame; `counted`: every program sees it, so its faces may be compared."""
        self.spent.append(spent)
        self.faces += faces if counted else 0

    @property
    def fps(self) -> float:
        return len(self.spent) / sum(one.wall_s for one in self.spent)

    @property
    def cpu_ms(self) -> float:
        return 1000 * sum(one.cpu_s for one in self.spent) / len(self.spent)


def _round(film: Film, taking_part: Sequence[ContenderEntry], number: int) -> Mapping[str, _Tally]:
    """Once through the clip. Each round samples other frames, and each block begins with another program."""
    programs: list[tuple[ContenderEntry, Program]] = [(entry, entry.start()) for entry in taking_part if entry.start]
    step = max(1, len(film.pictures) // SAMPLES)
    offset = number * step // ROUNDS
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    frames = film.frames
    for turn, start in enumerate(range(0, len(frames), BLOCK)):
        for entry, program in turned(programs, turn):
            for index in range(start, min(start + BLOCK, len(frames))):
                sampled = index % step == offset
                if sampled or entry.every_frame:
                    tallies[entry.name].add(*timed(partial(program, frames[index])), counted=sampled)
    return tallies


def _contender(entry: ContenderEntry, rounds: Sequence[Mapping[str, _Tally]]) -> Contender:
    if entry.start is None:
        return Contender(entry.name, entry.why_not)
    ours = [tallies[entry.name] for tallies in rounds]
    others = [tallies.get(FACE_RECOGNITION) for tallies in rounds]
    ratios = [other.cpu_ms / mine.cpu_ms for mine, other in zip(ours, others, strict=True) if other]
    return Contender(
        entry.name,
        frames=len(ours[0].spent),
        faces=ours[0].faces,
        fps=spread([tally.fps for tally in ours]),
        cpu_ms=spread([tally.cpu_ms for tally in ours]),
        times_face_recognition=spread(ratios) if ratios else None,
    )
