"""Finds the fastest settings for this box, by recognising a face with each of them in turns."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace

from edge.config.loading import LoadedConfig
from edge.config.sections import ModelSettings
from edge.errors import GalleryError
from edge.faces.detect import squares
from edge.faces.loading import DETECTOR, EMBEDDER, LANDMARKS, NEAR_DETECTOR, load_networks
from edge.galleries.sealed import NoGallery
from edge.inspection.loading import configured_gallery
from edge.models.embedder_choice import choose_embedder, embedder_card
from edge.records import Image
from edge.terminal import plural

CPUS = Path("/sys/devices/system/cpu")
MOST_THREADS = 4
"""These networks are too small to gain from more."""
ENOUGH = 1.05
"""A setting that uses less of the box wins if it takes at most this many times as long as the fastest."""
WORTH_IT = 0.9
"""Another embedder replaces the configured one if it takes less than this part of the time."""
WARM_UPS, ROUNDS = 2, 3
SHARES = {"threads": 0.35, "kernels": 0.15, "cores": 0.15, "embedder": 0.2, "tiles": 0.15}
"""The part of the measuring time for each question."""
FRAME_SHARE = 0.7
"""The part of the time between two frames that the networks may take: what is done with the faces needs the rest."""


class Option(NamedTuple):
    """Settings to try."""

    name: str
    models: ModelSettings
    cores: frozenset[int] | None = None
    """The cores to run on; None: all."""
    squares: int = 1
    """How often the detector runs."""
    tiles: int = 0
    """How often the near detector runs."""


class Timing(msgspec.Struct, frozen=True):
    """The median time with an option: to recognise a face or, for tiles, of a frame that shows a new one."""

    option: str
    look_ms: float
    looks: int


class Choice(msgspec.Struct, frozen=True):
    """The fastest settings for this box."""

    threads: int
    xnnpack: bool
    embedder: str
    cores: list[int] | None
    """The fast cores, where keeping to them helps; None: use all."""
    tiles: int
    """As many tiles per frame as runtime.max_fps leaves time for; detect.tiles where that is less."""
    timings: dict[str, list[Timing]]
    """Question -> the timings of its options."""
    left_alone: list[str]
    """What would be faster but was not chosen, and why."""
    embedder_why: str = ""
    """What `auto` stands for on this box, and why; empty: the embedder has a name."""


class Rig:
    """The networks of an option, loaded and warmed up."""

    def __init__(self, option: Option, base: Path) -> None:
        self.name = option.name
        self._cores = option.cores
        with _on(self._cores):
            networks = load_networks(option.models, base)
        runs = {DETECTOR: option.squares, NEAR_DETECTOR: option.tiles, LANDMARKS: 1, EMBEDDER: 1}
        asked = [networks[role] for role, count in runs.items() for _ in range(count)]
        self._asked = [(network, _noise(network.card.input.shape)) for network in asked]
        for _ in range(WARM_UPS):
            self.look_s()

    def look_s(self) -> float:
        """Seconds to detect, measure and embed one face, and to search the option's tiles."""
        with _on(self._cores):
            began = time.perf_counter()
            for network, picture in self._asked:
                network.run([picture])
            return time.perf_counter() - began


class Tuner:
    """Answers one question after another, each with the earlier answers applied."""

    def __init__(self, loaded: LoadedConfig, seconds: float, rig: Callable[[Option, Path], Rig] = Rig) -> None:
        """`rig` prepares the networks of an option for looking."""
        self._loaded = loaded
        self._seconds = seconds
        self._rig = rig
        self._timings: dict[str, list[Timing]] = {}

    def choose(self, embedders: Sequence[str]) -> Choice:
        """Measure and choose. `embedders` are names or paths of cards besides the configured one. Raises ModelError."""
        models = self._loaded.config.models
        threads = self._threads(models)
        models = replace(models, threads=threads)
        models = replace(models, xnnpack=self._kernels(models))
        cores = self._cores(models)
        embedder, left_alone = self._embedder(models, cores, embedders)
        tiles = self._tiles(replace(models, embedder=embedder), cores)
        kept = sorted(cores) if cores else None
        why = choose_embedder(replace(models, embedder=embedder), self._loaded.base).why
        return Choice(threads, models.xnnpack, embedder, kept, tiles, self._timings, left_alone, why)

    def _threads(self, models: ModelSettings) -> int:
        counts = range(1, min(MOST_THREADS, len(os.sched_getaffinity(0))) + 1)
        options = [Option(f"{n} threads" if n > 1 else "1 thread", replace(models, threads=n)) for n in counts]
        looks = self._measure("threads", options)
        return next(n for n, look in zip(counts, looks, strict=True) if look <= ENOUGH * min(looks))

    def _kernels(self, models: ModelSettings) -> bool:
        options = [Option("xnnpack" if on else "plain", replace(models, xnnpack=on)) for on in (True, False)]
        with_it, without = self._measure("kernels", options)
        return with_it <= ENOUGH * without

    def _cores(self, models: ModelSettings) -> frozenset[int] | None:
        fast = fast_cores(os.sched_getaffinity(0))
        if fast is None:
            return None
        anywhere, on_fast = self._measure("cores", [Option("all", models), Option("the fast ones", models, fast)])
        return fast if on_fast * ENOUGH < anywhere else None

    def _embedder(
        self, models: ModelSettings, cores: frozenset[int] | None, embedders: Sequence[str]
    ) -> tuple[str, list[str]]:
        own = self._network(models)
        others = (name for name in dict.fromkeys(embedders) if self._network(replace(models, embedder=name)) != own)
        names = [models.embedder, *others]
        known = {name: embedder_card(replace(models, embedder=name), self._loaded.base) for name in names}
        left_alone = [f"{name}: its card has no calibration" for name in names[1:] if known[name].calibration is None]
        names = [name for name in names if name == models.embedder or known[name].calibration is not None]
        if len(names) == 1:
            return models.embedder, left_alone
        options = [Option(name, replace(models, embedder=name), cores) for name in names]
        looks = dict(zip(names, self._measure("embedder", options), strict=True))
        best = min(looks, key=lambda name: looks[name])
        if looks[best] > WORTH_IT * looks[models.embedder]:
            return models.embedder, left_alone
        if tie := tied_to(self._loaded, known[best].sha256):
            part = 100 * (1 - looks[best] / looks[models.embedder])
            left_alone.append(f"{best}: {part:.0f} % faster, but {tie}")
            return models.embedder, left_alone
        return best, left_alone

    def _network(self, models: ModelSettings) -> Path:
        """The file that the settings run. A network beside itself would only show how busy the box is."""
        choice = choose_embedder(models, self._loaded.base)
        return choice.path.with_name(choice.card.file)

    def _tiles(self, models: ModelSettings, cores: frozenset[int] | None) -> int:
        """Far faces are worth what time is left, but no frame: on a slow box they would cost it frames."""
        config = self._loaded.config
        most, camera = config.detect.tiles, config.camera
        if not most:
            return 0
        height = round(camera.preview_width * camera.height / camera.width)
        spans = len(squares(camera.preview_width, height)) if config.detect.squares else 1
        options = [
            Option(f"{n} tiles" if n != 1 else "1 tile", models, cores, spans, n)
            for n in sorted({0, 1, min(2, most), most})
        ]
        looks = self._measure("tiles", options)
        allowed_s = FRAME_SHARE / config.runtime.max_fps
        return max(o.tiles for o, look in zip(options, looks, strict=True) if look <= allowed_s or not o.tiles)

    def _measure(self, question: str, options: Sequence[Option]) -> list[float]:
        """The median seconds per look with each option."""
        rigs = [self._rig(option, self._loaded.base) for option in options]
        looks: list[list[float]] = [[] for _ in rigs]
        until = time.monotonic() + SHARES[question] * self._seconds
        while len(looks[0]) < ROUNDS or time.monotonic() < until:
            for rig, taken in zip(rigs, looks, strict=True):
                taken.append(rig.look_s())
        medians = [median(taken) for taken in looks]
        self._timings[question] = [
            Timing(rig.name, round(1000 * seconds, 3), len(taken))
            for rig, seconds, taken in zip(rigs, medians, looks, strict=True)
        ]
        return medians


def tied_to(loaded: LoadedConfig, sha256: str) -> str | None:
    """Why the gallery does not allow this embedder, and what to do; None: it does."""
    path = loaded.gallery_path
    try:
        gallery = configured_gallery(loaded, None)
    except NoGallery:
        return None
    except GalleryError as error:
        return f"the gallery cannot be read: {error}"
    if not gallery.people or gallery.header.embedder.sha256 == sha256:
        return None
    return (
        f"{path} was made with {gallery.header.embedder.name}: set models.embedder yourself, and enrol all "
        f"{plural(len(gallery.people), 'person', 'people')} again"
    )


def fast_cores(usable: set[int], cpus: Path = CPUS) -> frozenset[int] | None:
    """The cores with the highest clock; None where all have the same, or the system does not say."""
    clocks: dict[int, int] = {}
    for core in usable:
        try:
            clocks[core] = int((cpus / f"cpu{core}/cpufreq/cpuinfo_max_freq").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
    fast = frozenset(core for core, clock in clocks.items() if clock == max(clocks.values()))
    return fast if len(fast) < len(usable) else None


@contextmanager
def _on(cores: frozenset[int] | None) -> Iterator[None]:
    """Keep this thread, and those that it starts, on some cores while the body runs."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _noise(shape: tuple[int, int, int, int]) -> Image:
    return np.random.default_rng(1).integers(0, 255, (shape[1], shape[2], 3), np.uint8)
