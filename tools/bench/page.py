"""Reports -> the page bench/README.md, and the summaries in README.md and docs/74-performance.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.bench import files, plots, tables, targets
from tools.bench.contenders import FACE_RECOGNITION
from tools.bench.machine import ROOT
from tools.bench.records import FramesResult, Report

BUSY_LOAD = 0.5
"""Load per core from which on a report says that other programs were running."""
TITLES = {
    "frames": "Frames per second, beside others",
    "stages": "Each stage beside its bare network, in time",
    "instructions": "Each stage beside its bare network, in instructions",
    "latency": "From a frame to the message at a subscriber",
    "idle": "A day at the door",
    "memory": "Memory, start, disk",
    "matching": "Searching 1,000 to 1,000,000 templates",
    "growth": "Growth",
    "cores": "On emulated Raspberry Pi cores",
}
BEGIN, END = "<!-- made by `make bench`: begin -->", "<!-- made by `make bench`: end -->"
INTRODUCTION = """\
Made by `make bench` from the JSON beside it ([schema](schema.json)). `make bench BENCH="frames stages"` measures some
parts again, `make bench BENCH=--page` only makes this page again. [What is measured, and what a busy machine does to
it](../docs/74-performance.md)."""
SUMMARIES = {"README.md": "readme", "docs/74-performance.md": "performance"}


def write(folder: Path) -> None:
    """Make the page, its plots and, for the checkout's own folder, the summaries again."""
    reports = files.load_all(folder)
    if not reports:
        raise SystemExit(f"{folder}: no report in it; run `make bench` first")
    drawn = plots.draw(folder / "plots", reports)
    (folder / "README.md").write_text(page(reports, drawn), encoding="utf-8")
    print(f"wrote {folder.name}/README.md from {len(reports)} reports")
    if folder.resolve() == (ROOT / "bench").resolve():
        for name in SUMMARIES:
            path = ROOT / name
            path.write_text(summarised(path.read_text(encoding="utf-8"), name, reports), encoding="utf-8")


def page(reports: Mapping[str, Report], drawn: Mapping[str, Sequence[str]]) -> str:
    """The whole page, in Markdown."""
    parts = ["# The benchmark", INTRODUCTION, "## Targets", target_table(reports)]
    for part, title in TITLES.items():
        if part in reports:
            parts += [f"## {title}", origin(reports[part])]
            parts += [f"![{title}](plots/{name})" for name in drawn.get(part, ())]
            parts += [tables.of(reports[part].result)]
    return "\n\n".join(parts) + "\n"


def target_table(reports: Mapping[str, Report]) -> str:
    """Every target with what was found."""
    said = {True: "yes", False: "**no**", None: "not measured"}
    rows = [(t.key, t.what, t.wanted, t.found, said[t.met]) for t in targets.judge(reports)]
    return tables.table(("", "what", "wanted", "found", "met"), rows)


def origin(report: Report) -> str:
    """When, where and how a report was measured."""
    where = f"{report.machine.cores} cores ({report.machine.cpu}; {', '.join(report.machine.features)})"
    note = f" **{busy(report)}.**" if busy(report) else ""
    return f"{report.date[:10]}, commit {report.commit}, {where}, {report.took_s:.0f} s, `{report.command}`.{note}"


def busy(report: Report) -> str:
    """That other programs were running meanwhile; empty: none to speak of.

    The benchmark itself is one: this part afterwards, and the part before it at the beginning.
    """
    load = max(report.load_before, report.load_after) - 1
    much = load > BUSY_LOAD * report.machine.cores
    return f"Other programs were running (load {load:.0f}): only ratios count" if much else ""


def summarised(text: str, name: str, reports: Mapping[str, Report]) -> str:
    """A page with what stands between its two marks made again. Raises SystemExit when it has none."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{name}: found no `{BEGIN}` followed by `{END}`; put both where the summary should stand")
    made = short_summary(reports) if SUMMARIES[name] == "readme" else target_table(reports)
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def short_summary(reports: Mapping[str, Report]) -> str:
    """A few lines for README.md."""
    report = reports.get("frames")
    if report is None or not isinstance(report.result, FramesResult):
        return "Not measured yet: `make bench`."
    rows = []
    for clip in report.result.clips:
        for contender in clip.contenders:
            if contender.fps is not None:
                times = contender.times_face_recognition
                ratio = "" if times is None or contender.name == FACE_RECOGNITION else f"{times.median:.1f} x"
                rows.append((clip.clip, contender.name, f"{contender.fps.median:.1f}", ratio, str(contender.faces)))
    heading = ("clip", "program", "frames per second", "beside face_recognition", "faces found")
    machine = f"{report.machine.cores} cores of a PC ({report.machine.cpu})"
    line = f"`make bench` on {report.date[:10]}, {machine}, one thread each, in turns on the same frames"
    line += f". {busy(report)}:" if busy(report) else ":"
    return f"{line}\n\n{tables.table(heading, rows)}"
