"""Part b: each stage of the loop, and right after it its network alone on the same input.

CPU time is measured, on one thread: the same as time on a quiet machine, and nearly the same on a busy one.
"""

import time
from collections import defaultdict
from statistics import median

import cv2

from edge.inspection.benchmark import Laps
from tools.bench.clips import DemoBox, Film, demo_film, warm_up
from tools.bench.records import Figure, StagesResult, StageTime
from tools.bench.rounds import rounded, spread, timed

ROUNDS = 5
BETWEEN = "between stages"


class _Round:
    """Once through the clip."""

    def __init__(self) -> None:
        self.loop_s = 0.0
        self.stage_s: dict[str, list[float]] = defaultdict(list)
        self.pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
        """By stage: a call, and its networks alone right after it, in seconds."""
        self.networks: dict[str, str] = {}

    @property
    def overhead(self) -> float:
        return self.loop_s / sum(bare for pairs in self.pairs.values() for _, bare in pairs)

    def ratio(self, stage: str) -> float:
        """The median over calls, each beside its own bare run."""
        return median(whole / bare for whole, bare in self.pairs[stage])


def measure() -> StagesResult:
    """Go through the demo's clip several times."""
    cv2.setNumThreads(1)
    box, film = DemoBox.load(), demo_film()
    warm_up(box.networks)
    rounds = [_round(box, film) for _ in range(ROUNDS)]
    stages = list(dict.fromkeys(stage for done in rounds for stage in done.stage_s))
    return StagesResult(
        len(film.pictures), spread([done.overhead for done in rounds]), [_stage(stage, rounds) for stage in stages]
    )


def _round(box: DemoBox, film: Film) -> _Round:
    done, laps = _Round(), Laps(box.networks, time.process_time)
    networks = {role.name: network for role, network in box.networks.items()}
    processor = box.processor(laps)
    for frame in film.frames:
        spent, _ = timed(lambda frame=frame: processor.process(frame))  # type: ignore[misc]
        taken = laps.take()
        done.loop_s += spent.cpu_s
        done.stage_s[BETWEEN].append(spent.cpu_s - sum(lap.seconds for lap in taken))
        for lap in taken:
            done.stage_s[lap.stage].append(lap.seconds)
            if lap.network is not None:
                alone = timed(networks[lap.network].run_again)[0].cpu_s
                done.pairs[lap.stage].append((lap.seconds, lap.runs * alone))
                done.networks[lap.stage] = lap.network
    return done


def _stage(stage: str, rounds: list[_Round]) -> StageTime:
    times = [seconds for done in rounds for seconds in done.stage_s[stage]]
    network = rounds[0].networks.get(stage)
    ratio: Figure | None = spread([done.ratio(stage) for done in rounds]) if network else None
    share = sum(times) / sum(done.loop_s for done in rounds)
    return StageTime(stage, len(times) // len(rounds), rounded(1000 * median(times)), round(share, 4), network, ratio)
