"""Measure whosthere beside others; write JSON, plots and a page: `make bench`, or `make bench BENCH="frames stages"`.

    python -m tools.bench [PART ...]      measure these parts, or all, then make the page again
    python -m tools.bench --page          make the page again from the JSON that is there

Each part runs in a process of its own, and whatever it compares runs in turns within it. One part after another, about
a quarter of an hour in all on two quiet cores. Close other programs first.
"""

import argparse
import importlib
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tools.bench import files, page
from tools.bench.machine import ROOT, commit, load, machine, versions
from tools.bench.records import Report

PARTS = {
    "frames": "frames per second, beside face_recognition and others",
    "stages": "each stage beside its bare network, in time",
    "instructions": "each stage beside its bare network, in instructions",
    "matching": "searching 1,000 to 1,000,000 templates",
    "memory": "memory, time to READY, installed size",
    "latency": "from a frame to the message at a subscriber",
    "idle": "an empty porch, and a day at the door",
    "growth": "growth with faces and with the size of the frame",
    "cores": "instructions on emulated Raspberry Pi cores",
}
LEFT_OUT = {"cores"}
"""Only measured when asked for by name: needs QEMU and an arm64 root."""
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = "; ".join(f"{name}: {text}" for name, text in PARTS.items())
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{known}. Without any: all but the last.")
    parser.add_argument("--output", type=Path, default=ROOT / "bench", help="The folder to write to.")
    parser.add_argument("--page", action="store_true", help="Measure nothing; make page, plots and summaries again.")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.parts) - set(PARTS)):
        parser.error(f"found {', '.join(unknown)}; allowed: {', '.join(PARTS)}")
    if arguments.one:
        _measure(arguments.one, arguments.output)
        return
    failed = (
        [] if arguments.page else _run(arguments.parts or [p for p in PARTS if p not in LEFT_OUT], arguments.output)
    )
    files.write_schema(arguments.output)
    page.write(arguments.output)
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}; the page shows the others")


def _run(parts: list[str], output: Path) -> list[str]:
    """Measure each part in a process of its own; returns those that failed."""
    failed = []
    for part in parts:
        print(f"{part}: {PARTS[part]}", flush=True)
        began = time.monotonic()
        words = [sys.executable, "-P", "-m", "tools.bench", "--one", part, "--output", str(output)]
        paths = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}".rstrip(":")
        done = subprocess.run(words, env=os.environ | ONE_THREAD | {"PYTHONPATH": paths}, check=False)
        print(f"{part}: {time.monotonic() - began:.0f} s, exit code {done.returncode}", flush=True)
        failed += [part] if done.returncode else []
    return failed


def _measure(part: str, output: Path) -> None:
    measure = importlib.import_module(f"tools.bench.{part}").measure
    before, began = load(), time.monotonic()
    result = measure()
    report = Report(
        date=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        commit=commit(),
        command=f'make bench BENCH="{part}"',
        took_s=round(time.monotonic() - began, 1),
        machine=machine(),
        versions=versions(),
        load_before=before,
        load_after=load(),
        result=result,
    )
    print(f"wrote {files.save(output, part, report).name}", flush=True)


if __name__ == "__main__":
    main()
