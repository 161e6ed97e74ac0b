"""Part f: searching 1,000 to 1,000,000 templates, beside others and beside reading them from memory."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge.config.sections import ModelSettings
from edge.faces.embed import TfliteEmbedder
from edge.faces.loading import load_embedder
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Gallery
from edge.visits.matcher import Matcher
from tools.bench.clips import THRESHOLD
from tools.bench.records import Figure, GallerySize, MatchingResult, Search
from tools.bench.rounds import rounded, slope, spread, timed, turned
from tools.bench.searches import EACH, OURS, Rows, Way, crowd, others, ours

SIZES = {1_000: 200, 10_000: 100, 100_000: 30, 1_000_000: 7}
"""Templates -> rounds."""
FILES_UP_TO = 100_000
"""Larger galleries are not written to a file: 256 MB are the most that a box accepts by default."""
OPENED = 5
NOISE = 0.5
"""Length of what is added to a template to make a probe of it."""
LINEAR_FROM = 10_000


def measure() -> MatchingResult:
    """All sizes, the smallest first."""
    embedder = load_embedder(ModelSettings(threads=1))
    sizes = [_size(embedder, templates, rounds) for templates, rounds in SIZES.items()]
    large = [size for size in sizes if size.templates >= LINEAR_FROM]
    times = [next(search.ms.median for search in size.searches if search.name == OURS) for size in large]
    return MatchingResult(embedder.dimensions, sizes, slope([size.templates for size in large], times))


def unit_rows(count: int, dimensions: int, seed: int) -> Rows:
    """Random unit vectors (count, dimensions)."""
    rows = np.random.default_rng(seed).standard_normal((count, dimensions), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _size(embedder: TfliteEmbedder, templates: int, rounds: int) -> GallerySize:
    rows = unit_rows(templates, embedder.dimensions, 1)
    gallery = crowd(embedder, rows)
    opening = _opening(gallery) if templates <= FILES_UP_TO else None
    making = [timed(lambda: Matcher(gallery, THRESHOLD, 0.05, embedder.calibration))[0].wall_s for _ in range(OPENED)]
    ways = [ours(embedder, gallery), *others(rows)]
    reading = fastest_reading(rows)
    searched = _search(rows, ways, reading, rounds)
    read_ms = [1000 * seconds for seconds in searched["reading"]]
    size_mb = rows.nbytes / 1e6
    return GallerySize(
        templates,
        len(gallery.people),
        round(size_mb, 2),
        spread(read_ms),
        rounded(size_mb / 1000 / (spread(read_ms).median / 1000)),
        [_summary(way, searched) for way in ways],
        opening,
        spread([1000 * seconds for seconds in making]),
    )


def fastest_reading(rows: Rows) -> Callable[[], float]:
    """The fastest of the ways in which numpy reads every float once."""
    flat = rows.reshape(-1)
    ways = (lambda: float(flat @ flat), lambda: float(flat.max()), lambda: float(flat.sum()))
    return min(ways, key=lambda way: min(timed(way)[0].wall_s for _ in range(3)))


def _search(rows: Rows, ways: list[Way], reading: Callable[[], float], rounds: int) -> dict[str, list[float]]:
    """In each round every way searches for the same probe. CPU seconds by name, and hits under `name hits`."""
    draw = np.random.default_rng(2)
    taken: dict[str, list[float]] = {"reading": []}
    for number in range(rounds):
        probe = rows[int(draw.integers(len(rows)))] + NOISE * unit_rows(1, rows.shape[1], 100 + number)[0]
        probe /= np.linalg.norm(probe)
        right = int(np.argmax(rows @ probe))
        taken["reading"].append(timed(reading)[0].cpu_s)
        for way in turned([way for way in ways if way.find], number):
            spent, found = timed(lambda way=way, probe=probe: way.find(probe))  # type: ignore[misc]
            hit = found // EACH == right // EACH if way.name == OURS else found == right
            taken.setdefault(way.name, []).append(spent.cpu_s)
            taken.setdefault(f"{way.name} hits", []).append(float(hit))
    return taken


def _summary(way: Way, taken: dict[str, list[float]]) -> Search:
    if way.find is None:
        nothing = Figure(0.0, 0.0, 0.0, 0)
        return Search(way.name, nothing, nothing, 0.0, way.why_not)
    seconds, hits = taken[way.name], taken[f"{way.name} hits"]
    ratios = [mine / read for mine, read in zip(seconds, taken["reading"], strict=True)]
    return Search(way.name, spread([1000 * s for s in seconds]), spread(ratios), round(sum(hits) / len(hits), 4))


def _opening(gallery: Gallery) -> Figure:
    with tempfile.TemporaryDirectory(prefix="whosthere-bench-") as name:
        path = Path(name) / "gallery.whg"
        write_gallery(gallery, path)
        times = []
        for _ in range(OPENED):
            began = time.perf_counter()
            open_gallery(path, gallery.header.embedder)
            times.append(1000 * (time.perf_counter() - began))
        return spread(times)
