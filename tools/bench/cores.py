"""Part h: one second of the daemon's loop on emulated Raspberry Pi cores, in instructions.

Needs QEMU and an arm64 root with the packages of a box, which `make bench-cores` makes; WHOSTHERE_ARM64 names it.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from tools import count_arm64
from tools.bench.clips import DemoBox, demo_film
from tools.bench.counted import BARE, OUTSIDE, Labels
from tools.bench.machine import ROOT
from tools.bench.records import CoreCount, CoresResult
from tools.bench.scenes import noisy

FPS = 10
IDLE_S, WARM_S = 1.0, 0.5
"""Half a second before each of the two seconds is not counted."""
AWAKE_S = 5.0
"""The first picture of all counts as motion: the others come this much later, when the detector sleeps again."""
VISIT_FROM = 26
"""The frame of the demo's clip with which the counted second of a visit begins."""
MILLION = 1e6


def measure() -> CoresResult:
    """Every core that `make count-arm64` knows."""
    root = Path(os.environ.get("WHOSTHERE_ARM64", ""))
    if not (root / "opt" / "site").is_dir():
        raise SystemExit(f"WHOSTHERE_ARM64: found {str(root)!r}; allowed: what `make bench-cores` makes")
    with tempfile.TemporaryDirectory(prefix="whosthere-cores-") as name:
        folder = Path(name)
        plugin = count_arm64.build_plugin(folder)
        idle, visit = _save_frames(folder / "frames.npz")
        cores = [_core(core, root, plugin, folder, idle, visit) for core in count_arm64.CORES]
    return CoresResult(FPS, cores)


def _save_frames(path: Path) -> tuple[range, range]:
    """Write frames; which of them are the second without and the second with a visitor."""
    film, enrolled = demo_film(), DemoBox.load().gallery.embeddings
    warm, second = round(WARM_S * FPS), round(IDLE_S * FPS)
    empty = list(noisy(film.pictures[0], warm + second))
    step = film.fps / FPS
    shown = [film.pictures[round(VISIT_FROM + (n - warm) * step)] for n in range(warm + second)]
    pictures = np.stack([*empty, *shown])
    times = np.arange(len(pictures)) / FPS
    times[1:] += AWAKE_S
    np.savez(path, pictures=pictures, times=times, enrolled=enrolled)
    begin = warm + second + warm
    return range(warm, warm + second), range(begin, begin + second)


def _core(core: str, root: Path, plugin: Path, folder: Path, idle: range, visit: range) -> CoreCount:
    labels_path = folder / f"{core}.json"
    with count_arm64.shown_as(root, core):
        command = [*count_arm64.command(root, plugin, core), "-m", "tools.bench.counted"]
        surroundings = count_arm64.surroundings(root) | {"PYTHONHASHSEED": "0"}
        done = subprocess.run(
            [*command, str(folder / "frames.npz"), str(labels_path)],
            env=surroundings,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"{core}: ended with {done.returncode}:\n{done.stderr[-4000:]}")
    labels = msgspec.json.decode(labels_path.read_bytes(), type=Labels)
    return summed(core, labels, list(differences(done.stderr)), idle, visit)


def differences(text: str) -> Iterator[int]:
    """What the plugin printed at each mark, as the number of instructions since the mark before."""
    before = 0
    for line in text.splitlines():
        if line.startswith("counted "):
            total = sum(int(number) for number in re.findall(r" (\d+)", line))
            yield total - before
            before = total


def summed(core: str, labels: Labels, counts: Sequence[int], idle: range, visit: range) -> CoreCount:
    """Add up what belongs to the frames of each second."""

    def total(frames: range, *, bare: bool) -> float:
        marks = zip(labels.labels, labels.frame_of, counts, strict=True)
        return sum(n for label, at, n in marks if at in frames and label != OUTSIDE and label.startswith(BARE) == bare)

    alone = total(visit, bare=True)
    whole = total(visit, bare=False)
    return CoreCount(
        core,
        round(total(idle, bare=False) / MILLION, 1),
        round(whole / MILLION, 1),
        round(alone / MILLION, 1),
        round(whole / alone, 3),
    )
