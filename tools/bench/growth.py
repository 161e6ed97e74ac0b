"""Part g: how the cost of a frame grows with the faces in it and with its size."""

from collections.abc import Callable
from statistics import median

import cv2
import numpy as np

from edge.capture import geometry
from edge.config.camera import CameraSettings
from edge.frame import Frame
from edge.records import Image, read_only
from tools.bench.clips import BEGAN, DemoBox, warm_up
from tools.bench.contenders import Fully
from tools.bench.records import GrowthLine, GrowthResult
from tools.bench.rounds import rounded, slope, timed
from tools.bench.scenes import crowd, noisy, porch, portraits

FACES = (1, 2, 4, 8)
SIZES = ((320, 240), (640, 480), (1280, 960), (1920, 1440))
FPS = 10
ROUNDS, FRAMES = 5, 20


def measure() -> GrowthResult:
    """Each size in turns with the others."""
    cv2.setNumThreads(1)
    box = DemoBox.load()
    warm_up(box.networks)
    faces = portraits(box.analyser)
    background = porch(640, 480)
    full = {float(count): _fully(box, crowd(background, faces[:count])) for count in FACES}
    kept = {float(count): _loop(box, crowd(background, faces[:count])) for count in FACES}
    empty = {w * h / 1e6: _loop(box, porch(w, h)) for w, h in SIZES}
    one = {w * h / 1e6: _loop(box, crowd(porch(w, h), faces[:1])) for w, h in SIZES}
    return GrowthResult(
        [
            _line("every face analysed fully", "faces per frame", full),
            _line("the daemon, people standing there", "faces per frame", kept),
            _line("the daemon, an empty porch", "megapixels per frame", empty),
            _line("the daemon, one face", "megapixels per frame", one),
        ]
    )


def _line(what: str, against: str, ways: dict[float, Callable[[int], None]]) -> GrowthLine:
    """Milliseconds of CPU time per frame: the median over rounds, in which the sizes take turns."""
    times: dict[float, list[float]] = {x: [] for x in ways}
    for number in range(ROUNDS):
        for x, run in ways.items():
            times[x].append(1000 * timed(lambda run=run, number=number: run(number))[0].cpu_s / FRAMES)  # type: ignore[misc]
    y = [rounded(median(found)) for found in times.values()]
    return GrowthLine(what, against, list(ways), y, slope(list(ways), y))


def _fully(box: DemoBox, picture: Image) -> Callable[[int], None]:
    program = Fully(box)
    frame = Frame(read_only(picture), picture, BEGAN)

    def run(_: int) -> None:
        for _ in range(FRAMES):
            program(frame)

    return run


def _loop(box: DemoBox, picture: Image) -> Callable[[int], None]:
    """The daemon's loop at ten frames per second, beginning with a first second that is not timed."""
    settings, processor = CameraSettings(), box.processor()
    pictures = noisy(picture, 8)

    def run_from(first: int, count: int) -> None:
        for n in range(first, first + count):
            at = BEGAN + n / FPS
            processor.process(geometry.frame(np.array(pictures[n % len(pictures)]), settings, at))

    run_from(0, 5 * FPS)
    return lambda number: run_from(5 * FPS + number * FRAMES, FRAMES)
