"""whosthere bench"""

import os
import sys
from pathlib import Path

import click

from edge import demo
from edge.bare_address import ExistingPath
from edge.config.loading import load_config_or_defaults
from edge.errors import CameraError, UsageError
from edge.inspection.benchmark import Bench
from edge.inspection.speed import Speed, StageSpeed, summary
from edge.models.tflite import find_runtime
from edge.terminal import config_option, echo, json_option, print_json, table, warn

CLIP_SUFFIXES = {".avi", ".mkv", ".mov", ".mp4", ".webm"}
BUSY_LOAD = 0.5
"""The load per core caused by other programs from which on a warning is due."""
HEADINGS = ("stage", "calls", "p50 ms", "p95 ms", "share", "network", "runs", "bare ms", "stage / bare")


@click.command("bench")
@config_option
@click.argument("source", required=False, type=ExistingPath())
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="Stop after this many frames, or at the end of SOURCE.",
)
@json_option
def command(config_path: Path | None, source: Path | None, frames: int, as_json: bool) -> None:
    """Measure how fast this box is: every stage, beside its bare network.

    SOURCE is a video, a GIF or a folder of images; without it, the bundled demo clip. Its frames go through the
    daemon's own loop as fast as they can, with an empty gallery. Right after each stage, its network runs alone on the
    same input: the difference is the stage's own cost.

    Figures are medians. Close other programs first, or they measure those as well. In a checkout, `make bench` compares
    with other programs.

    \b
      whosthere bench
      whosthere bench visitors.mp4 --frames 200
    """
    loaded = load_config_or_defaults(config_path)
    shown = source or _bundled_clip()
    load = round(os.getloadavg()[0], 1)
    bench = Bench(loaded, shown)
    with click.progressbar(range(frames), label="Measuring", file=sys.stderr) as bar:
        measured = bench.run(frames, lambda: bar.update(1))
    if not measured.watching_s:
        raise CameraError(f"{shown}: no frame in it; give a recording that plays")
    runtime = find_runtime()
    speed = summary(
        measured,
        source=shown.name,
        runtime=f"{runtime.package} {runtime.version}",
        threads=loaded.config.models.threads,
        cpus=os.cpu_count() or 1,
        load=load,
    )
    if as_json:
        print_json(speed)
    else:
        _show(speed)


def _bundled_clip() -> Path:
    folder = Path(demo.__file__).parent
    found = sorted(path for path in folder.glob("clip.*") if path.suffix in CLIP_SUFFIXES)
    if not found:
        raise UsageError(f"{folder}: the demo clip is not part of this installation; give a video as SOURCE")
    return found[0]


def _show(speed: Speed) -> None:
    echo(
        f"{speed.source}: {speed.frames} frames of {speed.width} x {speed.height}, {speed.runtime}, "
        f"{speed.threads} threads per network, {speed.cpus} cores"
    )
    click.secho(f"{speed.fps:.1f} frames per second through everything", bold=True)
    if speed.awake_p50_ms is not None:
        echo(f"frames with motion: {speed.awake}, {speed.awake_p50_ms:.1f} ms each (p95 {speed.awake_p95_ms:.1f})")
    if speed.overhead is not None:
        echo(f"Without reading the file: {speed.overhead:.2f} times the time of the bare networks")
    click.echo()
    echo(table(HEADINGS, [_stage(stage) for stage in speed.stages], right=frozenset({1, 2, 3, 4, 6, 7, 8})))
    click.echo()
    cores = ", ".join(
        f"{100 * busy:.0f} % of one core at {rate} frames per second" for rate, busy in speed.cores.items()
    )
    echo(f"CPU time: {speed.cpu_ms:.1f} ms per frame ({speed.cpu_reading_ms:.1f} to read the file): {cores}")
    if speed.load > BUSY_LOAD * speed.cpus:
        warn(f"Other programs are busy (load {speed.load:.1f} on {speed.cpus} cores): an idle box is faster than this.")


def _stage(stage: StageSpeed) -> list[str]:
    bare = ["", "", "", ""]
    if stage.network is not None:
        bare = [stage.network, f"{stage.runs:.1f}", f"{stage.bare_ms:.2f}", f"{stage.ratio:.2f}"]
    cells = [stage.stage, str(stage.calls), f"{stage.p50_ms:.2f}", f"{stage.p95_ms:.2f}", f"{100 * stage.share:.0f} %"]
    return [*cells, *bare]
