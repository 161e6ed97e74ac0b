"""The answers as a page: bars where names and errors are compared, a curve where time is."""

import base64
import importlib
import io
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from converter.files import write_whole
from converter.visit_player.scoring import OddTake, VisitScore

RIGHT, NOTHING, WRONG = "#1a7f37", "#d0d7de", "#d1242f"
LIMIT_S = 8.0
"""Beyond this, a name is as good as none: the axis ends."""


class PlayedDocument(msgspec.Struct, frozen=True):
    """What `--json` prints, and `visits.json` holds."""

    scenes: int
    """How many were played."""
    of: int
    """How many there are; fewer were played if it was interrupted."""
    events: int
    """Messages of the box that were checked against the published schema `visit.json`."""
    schema_faults: list[str]
    """What did not fit it."""
    rows: list[VisitScore]
    rules: dict[str, str]
    """What each rule does that was taken out."""
    odd: list[OddTake] = []
    """Where the first engine made a mistake."""


def write(folder: Path, document: PlayedDocument) -> Path:
    """Write visits.html, visits.json and the plots as PNG; return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    totals = [row for row in document.rows if row.kind == "all"]
    plots = {"people": _people(totals), "seconds": _seconds(totals)}
    for name, png in plots.items():
        write_whole(folder / f"{name}.png", png)
    write_whole(folder / "visits.json", msgspec.json.format(msgspec.json.encode(document)))
    template = resources.files("converter").joinpath("visits.html.j2").read_text(encoding="utf-8")
    environment = importlib.import_module("jinja2").Environment(autoescape=True, trim_blocks=True)
    page = environment.from_string(template).render(
        document=document,
        totals=totals,
        kinds=[row for row in document.rows if row.engine == document.rows[0].engine],
        plots={name: base64.b64encode(png).decode() for name, png in plots.items()},
    )
    path = folder / "visits.html"
    write_whole(path, page.encode())
    return path


def _people(rows: Sequence[VisitScore]) -> bytes:
    """Two bars per engine: known people, and strangers."""
    figure, axes = _figure(1.6 + 0.5 * len(rows))
    places = np.arange(len(rows), dtype=np.float64)
    for offset, group in ((-0.2, [_known(row) for row in rows]), (0.2, [_strangers(row) for row in rows])):
        start = np.zeros(len(rows))
        for colour, values in zip((RIGHT, NOTHING, WRONG), np.array(group, np.float64).T, strict=True):
            axes.barh(places + offset, values, 0.36, left=start, color=colour)
            start += values
    axes.set_yticks(places, [row.engine for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of people: above, known people; below, strangers")
    handles = [_patch(colour) for colour in (RIGHT, NOTHING, WRONG)]
    axes.legend(handles, ["right", "known but not named", "called by a wrong name"], fontsize=8, loc="upper center",
                bbox_to_anchor=(0.5, 1.0 + 0.45 / (1.6 + 0.5 * len(rows))), ncols=3, frameon=False)  # fmt: skip
    return _png(figure)


def _known(row: VisitScore) -> tuple[float, float, float]:
    """Shares of the known people with a usable face: named, not named, named wrongly and never rightly."""
    wrong = min(max(row.wrong_names - (row.strangers - row.rightly_unknown), 0), row.usable - row.named)
    return tuple(n / max(row.usable, 1) for n in (row.named, row.usable - row.named - wrong, wrong))  # type: ignore[return-value]


def _strangers(row: VisitScore) -> tuple[float, float, float]:
    wrong = row.strangers - row.rightly_unknown
    return row.rightly_unknown / max(row.strangers, 1), 0.0, wrong / max(row.strangers, 1)


def _seconds(rows: Sequence[VisitScore]) -> bytes:
    """How many of the known people have their name after so many seconds."""
    figure, axes = _figure(4.2)
    for row in rows:
        waits = np.sort(np.array(row.seconds_to_name))
        share = np.arange(1, len(waits) + 1) / max(row.usable, 1)
        last = share[-1] if len(share) else 0.0
        axes.step([0.0, *waits, LIMIT_S], [0.0, *share, last], where="post", label=row.engine, linewidth=1.3)
    axes.set_xlim(0, LIMIT_S)
    axes.set_ylim(0, 1.01)
    axes.set_xlabel("seconds of video since the first usable face")
    axes.set_ylabel("known people called by their name")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return _png(figure)


def _figure(high: float) -> tuple[Any, Any]:
    # Without pyplot: it would keep every figure, and look for a screen.
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=(8.0, high), layout="constrained", dpi=110)
    return figure, figure.add_subplot()


def _patch(colour: str) -> Any:
    return importlib.import_module("matplotlib.patches").Patch(color=colour)


def _png(figure: Any) -> bytes:
    held = io.BytesIO()
    figure.savefig(held, format="png")
    return held.getvalue()
