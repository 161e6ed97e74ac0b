"""The targets, and whether the reports meet them."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from tools.bench.contenders import FACE_RECOGNITION
from tools.bench.idle import MEMORY
from tools.bench.records import (
    Contender,
    CoresResult,
    FramesResult,
    GrowthResult,
    IdleResult,
    LatencyResult,
    MatchingResult,
    MemoryResult,
    Report,
    StagesResult,
)
from tools.bench.searches import OURS
from tools.bench.tables import shown

T = TypeVar("T")
FULLY, GATED = "whosthere, every frame fully", "whosthere, as the daemon"
FULLY_TIMES, GATED_TIMES = 15.0, 60.0
OVERHEAD, OVERHEAD_A72 = 1.25, 1.10
BEYOND_INTERVAL_MS = 60.0
IDLE_PERCENT = {(640, 480): 1.5, (1280, 720): 2.5}
WAKEUPS = 10.0
RSS_MB, RSS_WITH_PAGE_MB, READY_S = 110.0, 140.0, 1.5
READING_TIMES, COARSE_TIMES = 1.3, 0.3
LINEAR = 1.05
"""A slope that is no more than this is linear: figures are not exact."""
FAISS = "faiss-cpu, flat"


class Target(NamedTuple):
    """One target, and what was found."""

    key: str
    what: str
    wanted: str
    found: str
    met: bool | None
    """None: not measured."""


def judge(reports: Mapping[str, Report]) -> list[Target]:
    """Every target, in order."""
    judges: tuple[tuple[type, Callable[..., Iterator[Target]]], ...] = (
        (FramesResult, _frames),
        (StagesResult, _stages),
        (CoresResult, _cores),
        (LatencyResult, _latency),
        (IdleResult, _idle),
        (MemoryResult, _memory),
        (MatchingResult, _matching),
        (GrowthResult, _growth),
    )
    results = {type(report.result): report.result for report in reports.values()}
    return [target for kind, found in judges for target in found(results.get(kind))]


def _missing(key: str, what: str, wanted: str) -> Target:
    return Target(key, what, wanted, "not measured", None)


def _frames(result: FramesResult | None) -> Iterator[Target]:
    for name, wanted, text in ((FULLY, FULLY_TIMES, "every frame fully"), (GATED, GATED_TIMES, "as the daemon")):
        what, wish = f"frame rate, {text}", f"{wanted:.0f} x face_recognition"
        if result is None:
            yield _missing("a", what, wish)
            continue
        for clip in result.clips:
            by_name = {contender.name: contender for contender in clip.contenders}
            yield _rate(f"{what}, {clip.clip}", wish, by_name[name], by_name.get(FACE_RECOGNITION), wanted)


def _rate(what: str, wish: str, ours: Contender, other: Contender | None, wanted: float) -> Target:
    times = ours.times_face_recognition
    if times is None:
        return _missing("a", what, wish)
    faces = f", {ours.faces} faces against {other.faces}" if other and other.faces and ours.name == FULLY else ""
    return Target("a", what, wish, f"{shown(times)} x{faces}", times.median >= wanted)


def _stages(result: StagesResult | None) -> Iterator[Target]:
    what, wanted = "the loop beside its bare networks, in time", f"at most {OVERHEAD}"
    if result is None:
        yield _missing("b", what, wanted)
    else:
        found = result.overhead
        yield Target("b", what, wanted, shown(found, ".2f"), found.median <= OVERHEAD)


def _cores(result: CoresResult | None) -> Iterator[Target]:
    what, wanted = "the same in instructions, on a Cortex-A72", f"at most {OVERHEAD_A72:.2f}"
    found = next((core.overhead for core in result.cores if core.core == "cortex-a72"), None) if result else None
    yield (
        _missing("b", what, wanted)
        if found is None
        else Target("b", what, wanted, f"{found:.2f}", found <= OVERHEAD_A72)
    )


def _latency(result: LatencyResult | None) -> Iterator[Target]:
    what = "from frame to message, one face, 10 frames per second, 95th percentile"
    wanted = f"at most {BEYOND_INTERVAL_MS:.0f} ms above the interval of 100"
    case = next((case for case in result.cases if (case.fps, case.faces) == (10, 1)), None) if result else None
    if case is None:
        yield _missing("c", what, wanted)
    else:
        yield Target("c", what, wanted, f"{case.p95_ms:.0f} ms", case.p95_ms <= 1000 / case.fps + BEYOND_INTERVAL_MS)


def _idle(result: IdleResult | None) -> Iterator[Target]:
    for (width, height), limit in IDLE_PERCENT.items():
        what, wanted = f"an empty porch, {width} x {height}, 10 frames per second", f"at most {limit} % of one core"
        cases = result.cases if result else []
        case = next((c for c in cases if (c.width, c.height, c.source) == (width, height, MEMORY)), None)
        if case is None:
            yield _missing("d", what, wanted)
            continue
        yield Target("d", what, wanted, f"{case.cpu_percent.median:.2f} %", case.cpu_percent.median <= limit)
        woken, others = case.wakeups_per_s.median, case.minus_camera_wakeups_per_s
        text = f"{woken:.1f} ({others:.1f} without the camera's thread)"
        yield Target("d", f"wake-ups per second, {width} x {height}", f"at most {WAKEUPS:.0f}", text, woken <= WAKEUPS)


def _memory(result: MemoryResult | None) -> Iterator[Target]:
    rss, page, ready = "resident memory of the daemon", "the same, with the page open", "time to READY"
    limits = (f"at most {RSS_MB:.0f} MB", f"at most {RSS_WITH_PAGE_MB:.0f} MB", f"at most {READY_S} s")
    if result is None:
        yield from (_missing("e", what, limit) for what, limit in zip((rss, page, ready), limits, strict=True))
        return
    most = max(state.rss_mb for state in result.states if "page" not in state.when)
    yield Target("e", rss, limits[0], f"{most:.0f} MB", most <= RSS_MB)
    with_page = next((state.rss_mb for state in result.states if "page" in state.when), None)
    if with_page is None or result.page_own_mb is None:
        yield _missing("e", page, limits[1])
    else:
        both = with_page + result.page_own_mb
        yield Target(
            "e",
            page,
            limits[1],
            f"{both:.0f} MB, {result.page_own_mb:.0f} of them the page's",
            both <= RSS_WITH_PAGE_MB,
        )
    yield Target("e", ready, limits[2], f"{result.ready_s.median:.2f} s", result.ready_s.median <= READY_S)


def _matching(result: MatchingResult | None) -> Iterator[Target]:
    reading, coarse, faiss = "100,000 templates", "1,000,000 templates, float16 or int8, rescored", "beside faiss flat"
    wanted = (f"at most {READING_TIMES} x reading them", f"at most {COARSE_TIMES} of float32's time", "never slower")
    if result is None:
        yield from (_missing("f", what, wish) for what, wish in zip((reading, coarse, faiss), wanted, strict=True))
        return
    searches = {size.templates: {search.name: search for search in size.searches} for size in result.sizes}
    if 100_000 in searches:
        times = searches[100_000][OURS].times_reading.median
        yield Target("f", reading, wanted[0], f"{times:.2f} x", times <= READING_TIMES)
    if 1_000_000 in searches:
        ours, plain = searches[1_000_000][OURS].ms.median, searches[1_000_000]["numpy, float32"].ms.median
        share, top1 = ours / plain, searches[1_000_000][OURS].top1
        text = f"{share:.2f} of numpy's float32, top-1 the same in {100 * top1:.1f} %"
        yield Target("f", coarse, wanted[1], text, share <= COARSE_TIMES and top1 == 1.0)
    ratios = {
        n: found[OURS].ms.median / found[FAISS].ms.median for n, found in searches.items() if found[FAISS].ms.rounds
    }
    text = ", ".join(f"{ratio:.2f} at {n:,}" for n, ratio in ratios.items())
    yield (
        Target("f", faiss, wanted[2], text, max(ratios.values()) <= 1.0) if ratios else _missing("f", faiss, wanted[2])
    )


def _growth(result: GrowthResult | None) -> Iterator[Target]:
    if result is None:
        yield _missing("g", "growth with faces and with the size of the frame", "linear or better")
        return
    for line in result.lines:
        what = f"{line.what}: growth with {line.against}"
        yield Target("g", what, "linear or better", f"slope {line.slope:.2f}", line.slope <= LINEAR)
