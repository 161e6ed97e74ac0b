"""Plots of the reports, as SVG files that do not change unless the figures do."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.bench.records import (
    FramesResult,
    GrowthResult,
    IdleResult,
    InstructionsResult,
    LatencyResult,
    MatchingResult,
    Report,
    StagesResult,
)
from tools.bench.tables import slope_of_days

WIDE, HIGH = 8.0, 3.6


def draw(folder: Path, reports: dict[str, Report]) -> dict[str, list[str]]:
    """Draw what there is into `folder`; part -> names of its files. Needs matplotlib."""
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.rcParams.update({"svg.hashsalt": "whosthere", "svg.fonttype": "path"})
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {
        FramesResult: _frames,
        StagesResult: _stages,
        InstructionsResult: _instructions,
        MatchingResult: _matching,
        LatencyResult: _latency,
        IdleResult: _idle,
        GrowthResult: _growth,
    }
    drawn: dict[str, list[str]] = {}
    for part, report in reports.items():
        if maker := kinds.get(type(report.result)):
            figure = maker(report.result)  # type: ignore[operator]
            figure.savefig(folder / f"{part}.svg", format="svg", metadata={"Date": None, "Creator": None})
            drawn[part] = [f"{part}.svg"]
    return drawn


def _figure(columns: int = 1) -> tuple[Any, list[Any]]:
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=(WIDE, HIGH), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def _bars(axis: Any, names: Sequence[str], values: Sequence[float], text: str) -> None:
    places = range(len(names))
    bars = axis.barh(places, values, color=["#2a6f97" if "whosthere" in name else "#a9b4bc" for name in names])
    axis.bar_label(bars, fmt=text, padding=3, fontsize=8)
    axis.set_yticks(places, names, fontsize=8)
    axis.invert_yaxis()
    axis.margins(x=0.18)


def _frames(result: FramesResult) -> Any:
    figure, axes = _figure(len(result.clips))
    for axis, clip in zip(axes, result.clips, strict=True):
        there = [contender for contender in clip.contenders if contender.fps]
        _bars(axis, [c.name for c in there], [c.fps.median for c in there if c.fps], "%.1f")
        axis.set_title(f"{clip.clip}, {clip.width} x {clip.height}: frames per second", fontsize=9)
    for axis in axes[1:]:
        axis.set_yticklabels([])
    return figure


def _stages(result: StagesResult) -> Any:
    figure, (left, right) = _figure(2)
    stages = [stage for stage in result.stages if stage.ratio]
    _bars(left, [f"whosthere: {stage.stage}" for stage in stages], [s.ratio.median for s in stages if s.ratio], "%.2f")
    left.axvline(1.0, color="black", linewidth=0.8)
    left.set_title("CPU time relative to the bare network", fontsize=9)
    _bars(right, [stage.stage for stage in result.stages], [100 * stage.share for stage in result.stages], "%.0f %%")
    right.set_title("share of the loop's CPU time", fontsize=9)
    return figure


def _instructions(result: InstructionsResult) -> Any:
    figure, (axis,) = _figure()
    names = list(result.stages)
    own = [stage.own / 1e6 for stage in result.stages.values()]
    bare = [
        sum(runs * result.networks[name] for name, runs in stage.runs.items()) / 1e6 for stage in result.stages.values()
    ]
    places = range(len(names))
    axis.barh(places, bare, color="#a9b4bc", label="bare network")
    axis.barh(places, own, left=bare, color="#2a6f97", label="our own")
    axis.set_yticks(places, names, fontsize=8)
    axis.invert_yaxis()
    axis.legend(fontsize=8)
    axis.set_title("million instructions per call", fontsize=9)
    return figure


def _matching(result: MatchingResult) -> Any:
    figure, (left, right) = _figure(2)
    x = [size.templates for size in result.sizes]
    for name in dict.fromkeys(search.name for size in result.sizes for search in size.searches):
        found = [next(search for search in size.searches if search.name == name) for size in result.sizes]
        if all(search.ms.rounds for search in found):
            left.loglog(x, [search.ms.median for search in found], marker="o", markersize=3, label=name)
            right.semilogx(x, [search.times_reading.median for search in found], marker="o", markersize=3, label=name)
    left.loglog(x, [size.reading_ms.median for size in result.sizes], "k--", linewidth=0.8, label="reading them")
    left.set_xlabel("templates", fontsize=8)
    left.set_title("milliseconds per search", fontsize=9)
    left.legend(fontsize=7)
    right.axhline(1.0, color="black", linewidth=0.8)
    right.set_ylim(0, 6)
    right.set_xlabel("templates", fontsize=8)
    right.set_title("relative to reading the vectors once", fontsize=9)
    return figure


def _latency(result: LatencyResult) -> Any:
    figure, (left, right) = _figure(2)
    for faces in dict.fromkeys(case.faces for case in result.cases):
        cases = [case for case in result.cases if case.faces == faces]
        label = f"{faces} face{'s' if faces > 1 else ''}"
        rates = [case.fps for case in cases]
        (line,) = left.plot(rates, [case.p50_ms for case in cases], marker="o", label=f"{label}, median")
        left.plot(rates, [case.p95_ms for case in cases], "--", color=line.get_color(), label=f"{label}, 95 %")
        named = [case for case in cases if case.to_name_p50_ms is not None]
        right.plot([case.fps for case in named], [case.to_name_p50_ms for case in named], marker="o", label=label)
    left.set_title("from frame to message, ms", fontsize=9)
    right.set_title("from first sight to name, ms (median)", fontsize=9)
    for axis in (left, right):
        axis.set_xlabel("frames per second", fontsize=8)
        axis.set_ylim(bottom=0)
        axis.legend(fontsize=7)
    return figure


def _idle(result: IdleResult) -> Any:
    figure, (left, right) = _figure(2)
    names = [f"{case.width} x {case.height}, {case.source}" for case in result.cases]
    _bars(left, names, [36 * case.cpu_percent.median for case in result.cases], "%.0f")
    left.set_title("CPU seconds per idle hour", fontsize=9)
    visits = [day.visits for day in result.days]
    right.plot(visits, [day.cpu_s for day in result.days], marker="o", label=f"slope {slope_of_days(result):.2f}")
    right.set_xlabel("visits per day", fontsize=8)
    right.set_ylim(bottom=0)
    right.set_title("CPU seconds per day, 640 x 480", fontsize=9)
    right.legend(fontsize=7)
    return figure


def _growth(result: GrowthResult) -> Any:
    against = list(dict.fromkeys(line.against for line in result.lines))
    figure, axes = _figure(len(against))
    for axis, what in zip(axes, against, strict=True):
        for line in result.lines:
            if line.against == what:
                axis.plot(line.x, line.y, marker="o", markersize=3, label=f"{line.what} (slope {line.slope:.2f})")
        axis.set_xlabel(what, fontsize=8)
        axis.set_ylim(bottom=0)
        axis.set_title("CPU milliseconds per frame", fontsize=9)
        axis.legend(fontsize=7)
    return figure
