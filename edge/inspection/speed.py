"""What `whosthere bench` reports: medians, pairs and ratios of what was measured."""

from statistics import median

import msgspec
import numpy as np

from edge.inspection.benchmark import Lap, Measured, StagePair

RATES = (5, 10)
"""Frames per second whose cost is reported."""


class StageSpeed(msgspec.Struct, frozen=True):
    """A stage of the loop, and the network that it runs."""

    stage: str
    calls: int
    p50_ms: float
    p95_ms: float
    share: float
    """The part of all time, 0..1."""
    network: str | None = None
    runs: float | None = None
    """Runs of the network per call, on average."""
    bare_ms: float | None = None
    """One run of the network alone."""
    ratio: float | None = None
    """The time of a call relative to its runs of the network: the median over pairs measured in turns."""


class Speed(msgspec.Struct, frozen=True):
    """How fast this box is."""

    source: str
    frames: int
    width: int
    height: int
    fps: float
    """Through everything, with reading the file."""
    awake: int
    """Frames with motion, in which the detector ran."""
    awake_p50_ms: float | None
    """The time of such a frame."""
    awake_p95_ms: float | None
    cpu_ms: float
    """CPU time per frame, all threads together, on average."""
    cpu_reading_ms: float
    """The part of that for reading the file."""
    cores: dict[str, float]
    """Frames per second -> how many cores they keep busy."""
    overhead: float | None
    """The time of everything but reading the file, relative to its networks run alone; None: none ran."""
    stages: list[StageSpeed]
    runtime: str
    threads: int
    cpus: int
    load: float
    """The system's load average over the minute before: threads of other programs that wanted to run."""


def summary(measured: Measured, *, source: str, runtime: str, threads: int, cpus: int, load: float) -> Speed:
    """Turn raw figures into medians and ratios. At least one frame must have been measured."""
    frames = len(measured.watching_s)
    total_s = sum(measured.reading_s) + sum(measured.watching_s)
    awake = [seconds for seconds, looked in zip(measured.watching_s, measured.awake, strict=True) if looked]
    cpu_s = (measured.cpu_reading_s + measured.cpu_watching_s) / frames
    return Speed(
        source=source,
        frames=frames,
        width=measured.width,
        height=measured.height,
        fps=round(frames / total_s, 1),
        awake=len(awake),
        awake_p50_ms=_percentile(awake, 50) if awake else None,
        awake_p95_ms=_percentile(awake, 95) if awake else None,
        cpu_ms=_ms(cpu_s),
        cpu_reading_ms=_ms(measured.cpu_reading_s / frames),
        cores={str(rate): round(cpu_s * rate, 3) for rate in RATES},
        overhead=_overhead(measured),
        stages=_stages(measured, total_s),
        runtime=runtime,
        threads=threads,
        cpus=cpus,
        load=load,
    )


def _overhead(measured: Measured) -> float | None:
    bare_s = sum(pair.runs * pair.bare_s for pairs in measured.pairs.values() for pair in pairs)
    return round(sum(measured.watching_s) / bare_s, 2) if bare_s else None


def _stages(measured: Measured, total_s: float) -> list[StageSpeed]:
    reading = _stage("read", measured.reading_s, total_s)
    names = dict.fromkeys(lap.stage for lap in measured.laps)
    within = [_of_laps(name, measured, total_s) for name in names]
    return [reading, *within, _stage("the rest", measured.rest_s, total_s)]


def _of_laps(name: str, measured: Measured, total_s: float) -> StageSpeed:
    laps = [lap for lap in measured.laps if lap.stage == name]
    stage = _stage(name, [lap.seconds for lap in laps], total_s)
    pairs = measured.pairs.get(name)
    return _with_network(stage, laps, pairs) if pairs else stage


def _with_network(stage: StageSpeed, laps: list[Lap], pairs: list[StagePair]) -> StageSpeed:
    return msgspec.structs.replace(
        stage,
        network=next(lap.network for lap in laps if lap.network),
        runs=round(sum(pair.runs for pair in pairs) / len(pairs), 2),
        bare_ms=_ms(median(pair.bare_s for pair in pairs)),
        ratio=round(median(pair.stage_s / (pair.runs * pair.bare_s) for pair in pairs), 2),
    )


def _stage(name: str, times: list[float], total_s: float) -> StageSpeed:
    share = round(sum(times) / total_s, 4)
    return StageSpeed(name, len(times), _percentile(times, 50), _percentile(times, 95), share)


def _percentile(times: list[float], percent: int) -> float:
    return _ms(float(np.percentile(times, percent)))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
