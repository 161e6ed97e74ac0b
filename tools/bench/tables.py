"""Results as Markdown tables."""

from collections.abc import Callable, Iterable, Sequence

from tools.bench.records import (
    CoresResult,
    Figure,
    FramesResult,
    GrowthResult,
    IdleResult,
    InstructionsResult,
    LatencyResult,
    MatchingResult,
    MemoryResult,
    Result,
    StagesResult,
)
from tools.bench.rounds import slope

MILLION = 1e6


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a `|` within a cell is escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def shown(found: Figure | None, form: str = ".1f") -> str:
    """A median with its extremes; empty for none."""
    if found is None or not found.rounds:
        return ""
    return f"{found.median:{form}} ({found.low:{form}} to {found.high:{form}})"


def _frames(result: FramesResult) -> str:
    headings = ("clip", "program", "frames", "faces", "frames per second", "CPU ms per frame", "x face_recognition")
    rows = [
        (
            clip.clip,
            one.name,
            str(one.frames or one.why_not),
            str(one.faces or ""),
            shown(one.fps),
            shown(one.cpu_ms),
            shown(one.times_face_recognition),
        )
        for clip in result.clips
        for one in clip.contenders
    ]
    return table(headings, rows)


def _stages(result: StagesResult) -> str:
    rows = [
        (s.stage, str(s.calls), f"{s.p50_ms:.2f}", f"{100 * s.share:.0f} %", s.network or "", shown(s.ratio, ".2f"))
        for s in result.stages
    ]
    whole = f"The whole loop over {result.frames} frames takes {shown(result.overhead, '.2f')} times its bare networks."
    return f"{whole}\n\n" + table(("stage", "calls", "ms", "share", "network", "stage / bare network"), rows)


def _instructions(result: InstructionsResult) -> str:
    rows = [
        (
            name,
            str(stage.calls),
            f"{stage.own / MILLION:.3f}",
            ", ".join(f"{network} x {runs:g}" for network, runs in stage.runs.items()),
            f"{stage.ratio:.2f}" if stage.ratio else "",
        )
        for name, stage in result.stages.items()
    ]
    whole = f"One frame of {result.frames} takes {result.own_per_frame / MILLION:.2f} million instructions of our own"
    if result.bare_per_frame is not None:
        bare = f"its networks, run alone, {result.bare_per_frame / MILLION:.1f}"
        whole += f" and {bare}: {result.overhead:.2f} times its networks"
    headings = (
        "stage",
        "calls",
        "million instructions of our own per call",
        "networks per call",
        "stage / bare network",
    )
    networks = table(
        ("network", "million instructions"), [(n, f"{c / MILLION:.1f}") for n, c in result.networks.items()]
    )
    return f"{whole}.\n\n{table(headings, rows)}\n\n{networks}"


def _matching(result: MatchingResult) -> str:
    rows = []
    for size in result.sizes:
        reading = f"{shown(size.reading_ms, '.3g')}, {size.reading_gb_per_s:.1f} GB/s"
        rows.append((f"{size.templates:,}", "reading the vectors", reading, "1", ""))
        rows += [
            (
                "",
                one.name,
                shown(one.ms, ".3g") or one.why_not,
                shown(one.times_reading, ".2f"),
                f"{100 * one.top1:.1f} %" if one.ms.rounds else "",
            )
            for one in size.searches
        ]
    headings = ("templates", "way", "ms", "relative to reading", "same first as float32")
    opened = [
        (f"{size.templates:,}", f"{size.megabytes:.1f}", shown(size.open_ms) or "not written", shown(size.matcher_ms))
        for size in result.sizes
    ]
    files = table(("templates", "MB of vectors", "opening the file, ms", "making the matcher, ms"), opened)
    return f"{table(headings, rows)}\n\nOurs grows with a slope of {result.slope:.2f}.\n\n{files}"


def _memory(result: MemoryResult) -> str:
    states = [(s.when, str(s.visits), f"{s.rss_mb:.0f}", f"{s.own_mb:.0f}") for s in result.states]
    page = "" if result.page_own_mb is None else f" The page's process adds {result.page_own_mb:.0f} MB of its own."
    ready = f"READY after {shown(result.ready_s, '.2f')} s, {shown(result.ready_cpu_s, '.2f')} s of CPU time.{page}"
    total = sum(result.installed_mb.values())
    largest = [(name, f"{size:.1f}") for name, size in result.installed_mb.items() if size >= 1]
    disk = f"Installed: {total:.0f} MB; what takes a megabyte or more:"
    memory = table(("when", "visits so far", "resident MB", "of its own MB"), states)
    return f"{ready}\n\n{memory}\n\n{disk}\n\n{table(('package', 'MB'), largest)}"


def _latency(result: LatencyResult) -> str:
    headings = ("frames per second", "faces", "messages", "median ms", "95 %", "99 %", "named", "to name, ms", "95 %")
    rows = [
        (
            f"{c.fps:g}",
            str(c.faces),
            str(c.messages),
            *(f"{value:.0f}" for value in (c.p50_ms, c.p95_ms, c.p99_ms)),
            str(c.named),
            f"{c.to_name_p50_ms:.0f}" if c.to_name_p50_ms else "",
            f"{c.to_name_p95_ms:.0f}" if c.to_name_p95_ms else "",
        )
        for c in result.cases
    ]
    return f"Broker: {result.broker}.\n\n{table(headings, rows)}"


def _idle(result: IdleResult) -> str:
    rows = [
        (
            f"{c.width} x {c.height}",
            c.source,
            shown(c.cpu_percent, ".2f"),
            f"{36 * c.cpu_percent.median:.0f}",
            f"{shown(c.wakeups_per_s)}, {c.minus_camera_wakeups_per_s:.1f} without the camera's thread"
            if c.minus_camera_wakeups_per_s < c.wakeups_per_s.low
            else shown(c.wakeups_per_s),
            f"{c.written_bytes_per_h / 1000:.0f}",
        )
        for c in result.cases
    ]
    headings = ("frames", "camera", "% of one core", "CPU s per hour", "wake-ups per second", "kB written per hour")
    days = [(f"{day.visits:,}", f"{day.cpu_s:.0f}", f"{day.written_mb:.1f}") for day in result.days]
    visit = (
        f"A visit of twelve seconds takes {result.visit_cpu_s:.2f} s of CPU time more than an empty porch, and writes "
        f"{result.visit_written_bytes / 1000:.0f} kB. So a day at 640 x 480 takes, with a slope of "
        f"{slope_of_days(result):.2f}:"
    )
    day_table = table(("visits per day", "CPU s", "MB written"), days)
    return f"{table(headings, rows)}\n\n{visit}\n\n{day_table}"


def slope_of_days(result: IdleResult) -> float:
    """How the CPU time of a day grows with its visits: 1 is linear."""
    return slope([day.visits for day in result.days], [day.cpu_s for day in result.days])


def _growth(result: GrowthResult) -> str:
    rows = []
    for line in result.lines:
        points = ", ".join(f"{y:g} at {x:g}" for x, y in zip(line.x, line.y, strict=True))
        rows.append((line.what, line.against, points, f"{line.slope:.2f}"))
    return table(("what", "against", "CPU ms per frame", "slope"), rows)


def _cores(result: CoresResult) -> str:
    rows = [(c.core, f"{c.idle:.0f}", f"{c.visit:.0f}", f"{c.bare:.0f}", f"{c.overhead:.2f}") for c in result.cores]
    headings = ("core", "idle", "during a visit", "bare networks of the visit", "visit / bare")
    return f"Million instructions per second of {result.fps:g} frames:\n\n{table(headings, rows)}"


_PARTS: dict[type, Callable[..., str]] = {
    FramesResult: _frames,
    StagesResult: _stages,
    InstructionsResult: _instructions,
    MatchingResult: _matching,
    MemoryResult: _memory,
    LatencyResult: _latency,
    IdleResult: _idle,
    GrowthResult: _growth,
    CoresResult: _cores,
}


def of(result: Result) -> str:
    """The tables of one part."""
    return _PARTS[type(result)](result)
