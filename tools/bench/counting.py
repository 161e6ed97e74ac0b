"""Instructions per stage, counted by Valgrind: the same on a busy machine as on a quiet one.

The loop runs twice over the same frames: once as it is, when the answers of its networks are recorded, and once under
Valgrind, when they are only given again. What is counted is therefore our own code and what it calls.

Valgrind shows the program a CPU with AVX2 and nothing newer, so that the kernels of LiteRT, OpenCV and numpy are the
same on every such machine. The counts are those of one thread.
"""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from tools.bench.clips import DemoBox, demo_film
from tools.bench.counted import BARE, OUTSIDE, Labels
from tools.bench.machine import ROOT
from tools.bench.records import InstructionsResult, StageCount

SEGMENTS = ((0, 6), (20, 44), (396, 410))
"""Which frames of the demo's clip: nobody, somebody who comes near, two people."""
CALLGRIND = ["valgrind", "--tool=callgrind", "--dump-before=getppid"]
STATE = re.compile(r"^summary: (\d+)", re.MULTILINE)
HEAD_BYTES = 4096
PACKAGES = ("ai-edge-litert", "numpy", "opencv-python-headless")


def why_not() -> str:
    """Why nothing can be counted on this machine; empty: it can."""
    if shutil.which("valgrind") is None:
        return "Valgrind is not installed: apt install valgrind"
    if platform.machine() != "x86_64":
        return f"instructions are counted on x86_64, and this is {platform.machine()}"
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return (
        "" if re.search(r"^flags.*\bavx2\b", flags, re.MULTILINE) else "this CPU has no AVX2: other kernels would run"
    )


def count(*, networks: bool) -> InstructionsResult:
    """Count the stages of the daemon's loop without their networks. `networks`: and each network once, in minutes.

    Raises SystemExit when Valgrind or the loop fails.
    """
    if reason := why_not():
        raise SystemExit(reason)
    with tempfile.TemporaryDirectory(prefix="whosthere-count-") as name:
        folder = Path(name)
        _save_frames(folder / "frames.npz")
        _run(["--record", str(folder / "answers.npz")], folder)
        own = _counted(["--replay", str(folder / "answers.npz")], folder / "own")
        alone = _counted(["--networks"], folder / "networks") if networks else None
        return summed(*own, alone and bare_counts(*alone), counted_with())


def _counted(options: list[str], folder: Path) -> tuple[Labels, list[int]]:
    folder.mkdir()
    _run(options, folder, [*CALLGRIND, f"--callgrind-out-file={folder / 'counts'}"])
    labels = msgspec.json.decode((folder / "labels.json").read_bytes(), type=Labels)
    return labels, list(_dumps(folder, len(labels.labels)))


def counted_with() -> dict[str, str]:
    """Versions of whatever the counts depend on."""
    valgrind = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "valgrind": valgrind,
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        **packages,
    }


def bare_counts(labels: Labels, counts: Sequence[int]) -> dict[str, int]:
    """The count of each network alone."""
    pairs = zip(labels.labels, counts, strict=True)
    return {label.removeprefix(BARE): number for label, number in pairs if label.startswith(BARE)}


def summed(
    labels: Labels, counts: Sequence[int], networks: dict[str, int] | None, versions: dict[str, str]
) -> InstructionsResult:
    """Add the counts up by their labels; the first frame, which loads libraries, is left out."""
    by_label: dict[str, list[int]] = defaultdict(list)
    for label, at, number in zip(labels.labels, labels.frame_of, counts, strict=True):
        if at != 0 and label != OUTSIDE:
            by_label[label].append(number)
    stages = {label: _stage(found, labels.runs.get(label, {}), networks) for label, found in by_label.items()}
    frames = labels.frames - 1
    own = sum(sum(found) for label, found in by_label.items() if label != "match") / frames
    if networks is None:
        return InstructionsResult(frames, round(own), None, None, stages, {}, versions)
    alone = sum(runs * networks[name] for asked in labels.runs.values() for name, runs in asked.items()) / labels.frames
    return InstructionsResult(
        frames, round(own), round(alone), round((own + alone) / alone, 3), stages, networks, versions
    )


def _stage(found: Sequence[int], runs: dict[str, int], networks: dict[str, int] | None) -> StageCount:
    calls, own = len(found), sum(found)
    alone = sum(count * networks[name] for name, count in runs.items()) if networks else 0
    asked = {name: round(count / calls, 3) for name, count in runs.items()}
    return StageCount(calls, round(own / calls), asked, round((own + alone) / alone, 3) if alone else None)


def _save_frames(path: Path) -> None:
    film, enrolled = demo_film(), DemoBox.load().gallery.embeddings
    chosen = [n for first, end in SEGMENTS for n in range(first, end)]
    pictures, times = np.stack([film.pictures[n] for n in chosen]), np.array(chosen) / film.fps
    np.savez(path, pictures=pictures, times=times, enrolled=enrolled)


def _run(options: list[str], folder: Path, before: list[str] | None = None) -> None:
    """Run the counted program in a process of its own."""
    frames = next(path for path in (folder / "frames.npz", folder.parent / "frames.npz") if path.exists())
    words = [sys.executable, "-P", "-m", "tools.bench.counted", str(frames), str(folder / "labels.json"), *options]
    # Neither the order of a set nor the number of cores may change a count.
    fixed = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    paths = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}".rstrip(":")
    done = subprocess.run(
        [*(before or []), *words],
        env=os.environ | fixed | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"tools.bench.counted ended with {done.returncode}:\n{done.stderr}")


def _dumps(folder: Path, marks: int) -> Iterator[int]:
    """The count of each mark, in order."""
    written = len(list(folder.glob("counts.*")))
    if written != marks:
        raise SystemExit(f"{marks} marks, {written} counts: something else called getppid(2)")
    for number in range(1, marks + 1):
        path = folder / f"counts.{number}"
        with path.open(encoding="utf-8", errors="replace") as file:
            found = STATE.search(file.read(HEAD_BYTES))
        if found is None:
            raise SystemExit(f"{path.name}: Valgrind wrote no count; allowed: Valgrind 3.15 or newer")
        yield int(found[1])
