"""The guard of CI: no stage may take more than 10 % more instructions than bench/guard.json says.

    python -m tools.bench.guard            count, compare, fail when a stage has become worse, and name it
    python -m tools.bench.guard --record   count, and record the counts as what is expected from now on

Instructions are counted by Valgrind, so a busy machine gives the same counts as a quiet one.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from tools.bench import counting
from tools.bench.files import GUARD
from tools.bench.machine import ROOT
from tools.bench.records import InstructionsResult

PATH = ROOT / "bench" / GUARD
WORSE = 0.10
"""A stage may take this much more than recorded."""
BETTER = 0.10
"""From here on, recording the new counts is suggested: the guard would not notice if the gain were lost again."""
LEAST = 5_000
"""Instructions per call: smaller differences are Python's own, such as where a dictionary grows."""
RECORD = "make bench-record"


class GuardRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What bench/guard.json holds."""

    own: dict[str, int]
    """Instructions per call of each stage, without those of its bare networks."""
    runs: dict[str, float]
    """By stage and network: runs per call."""
    counted_with: dict[str, str]
    """The versions of everything that the counts depend on."""


class CountChange(NamedTuple):
    """One figure beside the recorded one."""

    name: str
    unit: str
    recorded: float | None
    """None: only the other is there."""
    found: float | None
    least: float
    """Differences below this do not matter."""

    @property
    def share(self) -> float:
        """By how much it is worse than recorded: 0.1 is 10 %; below 0 it is better."""
        return (self.found or 0) / (self.recorded or 1) - 1

    @property
    def matters(self) -> bool:
        return abs((self.found or 0) - (self.recorded or 0)) >= self.least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="Record what is counted instead of comparing with it.")
    parser.add_argument("--file", type=Path, default=PATH, help="The recorded counts.")
    arguments = parser.parse_args()
    if reason := counting.why_not():
        print(f"guard: skipped: {reason}")
        return
    counted = of(counting.count(networks=False))
    if arguments.record:
        arguments.file.write_bytes(msgspec.json.format(msgspec.json.encode(counted)) + b"\n")
        print(f"recorded in {arguments.file.name}: {', '.join(f'{n} {c:,}' for n, c in counted.own.items())}")
        return
    recorded = read(arguments.file)
    for line in report(recorded, counted):
        print(line)
    if mistakes := worse(recorded, counted):
        raise SystemExit("\n".join(["guard: more instructions than recorded:", *mistakes, *advice(recorded, counted)]))


def of(result: InstructionsResult) -> GuardRecord:
    """What is recorded of a count."""
    own = {name: stage.own for name, stage in result.stages.items()}
    runs = {f"{name}, {net}": n for name, stage in result.stages.items() for net, n in stage.runs.items()}
    return GuardRecord(own, runs, dict(result.counted_with))


def read(path: Path) -> GuardRecord:
    """Read the recorded counts. Raises SystemExit when there are none, or the file is not of this form."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=GuardRecord)
    except FileNotFoundError:
        raise SystemExit(f"{path}: no such file; make it with `{RECORD}`") from None
    except msgspec.MsgspecError as error:
        raise SystemExit(f"{path}: {error}; make it again with `{RECORD}`") from error


def changes(recorded: GuardRecord, counted: GuardRecord) -> Iterator[CountChange]:
    """Every stage, then its runs of networks, of either side."""
    for name in dict.fromkeys([*recorded.own, *counted.own]):
        yield CountChange(name, "instructions per call", recorded.own.get(name), counted.own.get(name), LEAST)
    for name in dict.fromkeys([*recorded.runs, *counted.runs]):
        yield CountChange(name, "runs per call", recorded.runs.get(name), counted.runs.get(name), 0.0)


def worse(recorded: GuardRecord, counted: GuardRecord) -> list[str]:
    """What became worse, or is on one side only; empty: nothing."""
    found = []
    for change in changes(recorded, counted):
        if change.found is None:
            found.append(f"  {change.name}: recorded {change.recorded:,} {change.unit}, but there are none any more")
        elif change.recorded is None:
            found.append(f"  {change.name}: found {change.found:,} {change.unit}, none are recorded")
        elif change.share > WORSE and change.matters:
            found.append(
                f"  {change.name}: found {change.found:,} {change.unit}, {100 * change.share:+.1f} %; "
                f"recorded {change.recorded:,}; allowed: {100 * WORSE:.0f} % more"
            )
    return found


def advice(recorded: GuardRecord, counted: GuardRecord) -> list[str]:
    """What to do about it."""
    lines = [f"Make it faster; or, if it is worth it, record the new counts with `{RECORD}` and say why in the commit."]
    names = dict.fromkeys([*recorded.counted_with, *counted.counted_with])
    other = [n for n in names if recorded.counted_with.get(n) != counted.counted_with.get(n)]
    if other:
        pairs = (f"{n} {recorded.counted_with.get(n)} -> {counted.counted_with.get(n)}" for n in other)
        lines.append(f"Recorded with other versions ({', '.join(pairs)}), which may be the reason.")
    return lines


def report(recorded: GuardRecord, counted: GuardRecord) -> Iterator[str]:
    """A line per count, and a hint when much has become better."""
    gained = []
    for change in changes(recorded, counted):
        if change.recorded is not None and change.found is not None:
            yield f"{change.name:<30}{change.found:>12,} {change.unit:<22}{100 * change.share:>+7.1f} %"
            gained += [change.name] if change.share < -BETTER and change.matters else []
    if gained:
        yield f"better than recorded: {', '.join(gained)}; keep it so with `{RECORD}`"


if __name__ == "__main__":
    main()
