"""`whosthere-converter profile`: how large and how fast models are, side by side."""

from collections import Counter

import click
from rich.table import Column, Table

from converter import profile
from edge.errors import UsageError
from edge.models import card as cards
from edge.safe_console import SafeConsole
from edge.terminal import json_option, print_json


@click.command("profile")
@click.argument("models", nargs=-1, required=True, metavar="CARD...")
@click.option(
    "--threads",
    default="1,2,4",
    show_default=True,
    metavar="LIST",
    help="The numbers of CPU threads to measure with, separated by commas.",
)
@click.option(
    "--runs",
    type=click.IntRange(3),
    default=50,
    show_default=True,
    help="How many times each model runs with each number of threads.",
)
@click.option("--host", help="Measure on this box, over SSH: user@name. Without it, on this machine.")
@click.option(
    "--python",
    default="python3",
    show_default=True,
    help="With --host: a Python on the box that has numpy and a TFLite runtime.",
)
@json_option
def command(models: tuple[str, ...], threads: str, runs: int, host: str | None, python: str, as_json: bool) -> None:
    """Compare models by size, multiply-adds, delegate nodes, memory and time. CARD is a path or a bundled model's name.

    The models take turns. "relative" is the median ratio of a model's time to that of the first model just before it.

    \b
    Example:
      whosthere-converter profile mobilefacenet out/*.yaml --host pi@doorbell --python /opt/whosthere/bin/python
    """
    paths = [cards.find(model) for model in models]
    found = profile.profile(profile.read(paths), _numbers(threads), runs, host, python)
    if as_json:
        print_json(found)
    else:
        show(found)


def _numbers(threads: str) -> list[int]:
    parts = [part.strip() for part in threads.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= 64 for part in parts):
        raise UsageError(f"--threads: {threads!r}: numbers from 1 to 64 are expected, with commas between")
    return [int(part) for part in parts]


def show(found: profile.Profiles) -> None:
    """Print two tables, so that names fit on a terminal of 80 columns."""
    console = SafeConsole()
    console.print(found.machine)
    sizes = Table(
        Column("model", no_wrap=True), "MB", "M mult-adds", "nodes", Column("left out", overflow="fold"), "memory MB"
    )
    times = Table(Column("model", no_wrap=True), "threads", "ms, median", "least", "relative")
    for p in found.models:
        left = ", ".join(f"{kind} {n}x" for kind, n in Counter(p.left_out).items()) or "-"
        work = f"{p.multiplications / 1e6:.0f}"
        sizes.add_row(p.name, f"{p.bytes / 1e6:.2f}", work, str(p.nodes), left, f"{p.memory_mb:.1f}")
        for count, ms in p.ms.items():
            times.add_row(p.name, count, f"{ms:.2f}", f"{p.fastest_ms[count]:.2f}", f"{p.relative[count]:.2f}")
    console.print(sizes)
    console.print(times)
