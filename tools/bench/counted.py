"""What Valgrind counts: the daemon's loop over frames in memory, with a mark around each stage.

    python -m tools.bench.counted FRAMES.npz LABELS.json [--record FILE | --replay FILE | --networks]

`tools/bench/counting.py` runs it. A mark is a call of getppid(2), at which Callgrind writes what it has counted since
the mark before. The labels say what each count is of.
"""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.daemon.timings import Timings
from edge.demo.box import NAMES
from edge.faces.loading import Networks
from edge.frame import Frame
from edge.galleries.gallery import Gallery, Header, Person, Template
from edge.records import read_only
from edge.visits.matcher import Matcher
from tools.bench import replay
from tools.bench.clips import AT, BEGAN, DemoBox, warm_up

BETWEEN = "between stages"
OUTSIDE = "outside"
"""Not of the loop: loading, and the benchmark itself."""
BARE = "bare "
"""Before the name of a network: one run of it alone."""
TEMPLATES = 1000
MATCHES = 20


class Marks(Timings):
    """Timings that mark instead of measuring."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.labels: list[str] = []
        self.frame_of: list[int] = []
        self.frame = -1
        self._networks = {role.name: network for role, network in networks.items()}
        self.ran: list[tuple[str, str, int]] = []
        """(stage, network, runs) of the current frame."""

    def mark(self, label: str) -> None:
        """What was executed since the last mark was this."""
        self.labels.append(label)
        self.frame_of.append(self.frame)
        os.getppid()

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        before = {name: network.runs for name, network in self._networks.items()}
        self.mark(BETWEEN)
        yield
        self.mark(stage)
        for name, network in self._networks.items():
            if network.runs > before[name]:
                self.ran.append((stage, name, network.runs - before[name]))
        self.mark(OUTSIDE)

    def ran_in_frame(self, *, bare: bool) -> list[tuple[str, str, int]]:
        """Which stage ran which network, and how often, since the last call. `bare`: run them again, alone."""
        ran, self.ran = self.ran, []
        for _, name, count in ran:
            for _ in range(count if bare else 0):
                self.mark(OUTSIDE)
                self._networks[name].run_again()
                self.mark(BARE + name)
        return ran


class CountedFilm(NamedTuple):
    """Frames, and the people of the gallery."""

    pictures: NDArray[np.uint8]
    times: NDArray[np.float64]
    """Seconds, from the first frame of the clip."""
    enrolled: NDArray[np.float32]
    """One row per person of the demo."""


class Labels(msgspec.Struct, frozen=True):
    """What the child leaves for its parent."""

    labels: list[str]
    """One for each mark."""
    frame_of: list[int]
    """The frame of each mark; -1: of none."""
    runs: dict[str, dict[str, int]]
    """By stage and network: how often it ran in all."""
    frames: int


def main() -> None:
    """Go over the frames with real networks; with `--record` or `--replay`, without running them alone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("frames", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--record", type=Path, help="Write what the networks answer.")
    parser.add_argument("--replay", type=Path, help="Let the networks answer this, instead of running them.")
    parser.add_argument("--networks", action="store_true", help="Only run each network alone.")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with np.load(arguments.frames) as held:
        film = CountedFilm(held["pictures"], held["times"], held["enrolled"])
    if arguments.networks:
        labels = networks_alone()
    elif arguments.record:
        with replay.recording() as opened:
            labels = go_over(film, DemoBox.load(film.enrolled), bare=False)
        replay.save(arguments.record, [network.answers for network in opened])
    elif arguments.replay:
        with replay.replaying(replay.load(arguments.replay)):
            labels = go_over(film, DemoBox.load(film.enrolled, xnnpack=False), bare=False)
    else:
        box = DemoBox.load(film.enrolled)
        warm_up(box.networks)
        labels = go_over(film, box, bare=True)
    arguments.labels.write_bytes(msgspec.json.encode(labels))


def networks_alone() -> Labels:
    """Run each network once alone, after a first run."""
    box = DemoBox.load(np.zeros((len(NAMES), 1), np.float32))
    warm_up(box.networks)
    marks = Marks(box.networks)
    for role, network in box.networks.items():
        marks.mark(OUTSIDE)
        network.run_again()
        marks.mark(BARE + role.name)
    return Labels(marks.labels, marks.frame_of, {}, 0)


def go_over(film: CountedFilm, box: DemoBox, *, bare: bool) -> Labels:
    """The daemon's loop over all frames, then a few searches in a gallery. `bare`: also run the networks alone."""
    marks = Marks(box.networks)
    processor = box.processor(marks)
    runs: dict[str, dict[str, int]] = {}
    for number, (picture, at) in enumerate(zip(film.pictures, film.times, strict=True)):
        frame = Frame(read_only(picture), read_only(picture), BEGAN + float(at))
        marks.mark(OUTSIDE)
        # The first frame loads libraries, which no other does.
        marks.frame = number
        processor.process(frame)
        marks.mark(BETWEEN)
        for stage, network, count in marks.ran_in_frame(bare=bare):
            within = runs.setdefault(stage, {})
            within[network] = within.get(network, 0) + count
    marks.frame = -1
    _match(box, marks)
    return Labels(marks.labels, marks.frame_of, runs, len(film.pictures))


def _match(box: DemoBox, marks: Marks) -> None:
    embedder = box.analyser.embedder
    rows = np.random.default_rng(1).normal(size=(TEMPLATES, embedder.dimensions)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    people = [Person(f"p{n}", f"P {n}", [Template("a.jpg", 0.8, AT)]) for n in range(TEMPLATES)]
    gallery = Gallery(Header(2, 1, AT, embedder.id, people), read_only(rows))
    matcher = Matcher(gallery, 0.5, 0.05, embedder.calibration)
    matcher.match(rows[0])
    for n in range(MATCHES):
        marks.mark(OUTSIDE)
        matcher.match(rows[n])
        marks.mark("match")


if __name__ == "__main__":
    main()
