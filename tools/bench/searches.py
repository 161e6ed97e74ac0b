"""Ways to find the most similar of many templates, each on one thread."""

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.faces.embed import TfliteEmbedder
from edge.galleries.gallery import Gallery, Header, Person, Template
from edge.records import read_only
from edge.visits.matcher import Matcher
from tools.bench.clips import AT, THRESHOLD

Rows = NDArray[np.float32]
EACH = 5
"""Templates per person."""
RESCORED = 16
"""So many candidates of a coarse search are compared again in float32."""
OURS = "whosthere"
INT8 = 127.0


class Way(NamedTuple):
    """One way to search, ready; or why it cannot take part."""

    name: str
    find: Callable[[Rows], int] | None
    """Takes a probe (d,) and returns the number of the template."""
    why_not: str = ""


def crowd(embedder: TfliteEmbedder, rows: Rows) -> Gallery:
    """A gallery of made-up people, `EACH` templates each."""
    template = Template("photo.jpg", 0.8, AT)
    counts = [min(EACH, len(rows) - start) for start in range(0, len(rows), EACH)]
    people = [Person(f"person-{n}", f"Person {n}", [template] * count) for n, count in enumerate(counts)]
    return Gallery(Header(2, 1, AT, embedder.id, people), read_only(rows))


def ours(embedder: TfliteEmbedder, gallery: Gallery) -> Way:
    """The daemon's matcher: the two most similar people, their lead and the false-match rate."""
    matcher = Matcher(gallery, THRESHOLD, 0.05, embedder.calibration)
    ids = {person.id: n * EACH for n, person in enumerate(gallery.people)}

    def find(probe: Rows) -> int:
        best = matcher.match(probe).best
        return ids[best.person_id] if best else -1

    return Way(OURS, find)


def others(rows: Rows) -> list[Way]:
    """numpy, faiss and usearch on the same vectors."""
    return [
        Way("numpy, float32", lambda probe: int(np.argmax(rows @ probe))),
        _faiss_flat(rows),
        _usearch(rows),
        _usearch_int8(rows),
    ]


def _faiss_flat(rows: Rows) -> Way:
    name = "faiss-cpu, flat"
    faiss = _module("faiss")
    if faiss is None:
        return Way(name, None, "not installed: `make bench` installs it")
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return Way(name, lambda probe: int(index.search(probe[None], 1)[1][0, 0]))


def _usearch(rows: Rows) -> Way:
    name = "usearch, exact"
    usearch = _module("usearch.index")
    if usearch is None:
        return Way(name, None, "not installed: `make bench` installs it")

    def find(probe: Rows) -> int:
        return int(usearch.search(rows, probe, 1, usearch.MetricKind.IP, exact=True, threads=1).keys[0])

    return Way(name, find)


def _usearch_int8(rows: Rows) -> Way:
    """Coarse in int8, then the best candidates again in float32."""
    name = f"usearch, int8, {RESCORED} rescored"
    usearch = _module("usearch.index")
    if usearch is None:
        return Way(name, None, "not installed: `make bench` installs it")
    scale = INT8 / float(np.abs(rows[:10_000]).max())
    coarse = _int8(rows, scale)

    def find(probe: Rows) -> int:
        asked = _int8(probe[None], scale)[0]
        keys = usearch.search(coarse, asked, RESCORED, usearch.MetricKind.IP, exact=True, threads=1).keys
        return int(keys[int(np.argmax(rows[keys] @ probe))])

    return Way(name, find)


def _int8(rows: Rows, scale: float) -> NDArray[np.int8]:
    quantised = np.empty(rows.shape, np.int8)
    for start in range(0, len(rows), 100_000):
        part = rows[start : start + 100_000] * scale
        quantised[start : start + 100_000] = np.clip(np.round(part), -INT8, INT8)
    return quantised


def _module(name: str) -> Any:
    """A library of others, kept on one thread; None: not installed."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        return import_module(name)
    except ImportError:
        return None
