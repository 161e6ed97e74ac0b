"""People made of vectors, for tests of decisions that need no picture."""

import itertools
from dataclasses import dataclass, field

import numpy as np

from edge.config.visits import VisitSettings
from edge.events import Event
from edge.galleries.gallery import EmbedderId, Gallery, Template
from edge.records import Box, Pose, Problem, Quality, Vector
from edge.sightings import Sighting
from edge.visits.manager import VisitManager
from edge.visits.matcher import Matcher
from edge.visits.thresholds import LinkingThresholds

DIMENSIONS = 512
AT = "2025-01-01T00:00:00Z"
PLACE = Box(100, 100, 180, 180)


def somebody(seed: int) -> Vector:
    """The same unit vector for the same seed; different ones are nearly orthogonal."""
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def alike(vector: Vector, similarity: float, seed: int = 99) -> Vector:
    """A unit vector of that cosine similarity to `vector`."""
    other = somebody(seed)
    other = other - vector * float(other @ vector)
    other /= np.linalg.norm(other)
    return (similarity * vector + np.sqrt(1 - similarity**2) * other).astype(np.float32)


def gallery_of(**people: Vector) -> Gallery:
    gallery = Gallery.empty(EmbedderId("vectors", "0" * 64), DIMENSIONS)
    for name, vector in people.items():
        gallery = gallery.with_templates(name, [vector], [Template("test", 1.0, AT)], AT)
    return gallery


def quality(score: float = 0.8, problem: Problem | None = None) -> Quality:
    return Quality(score, 40, 200, 120, Pose(0, 0, 0), 1.0, problem)


@dataclass
class Door:
    """Feeds sightings to a VisitManager at ten frames per second and collects the events."""

    gallery: Gallery
    settings: VisitSettings = field(default_factory=lambda: VisitSettings(gap_s=5))
    threshold: float = 0.5
    now: float = 0.0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        ids = (f"visit{n}" for n in itertools.count(1))
        matcher = Matcher(self.gallery, self.threshold, 0.05, None)
        self.visits = VisitManager(
            self.settings, LinkingThresholds(0.45, 0.15, 0.3), matcher, lambda: next(ids), pictures=False
        )
        self.since: dict[int, float] = {}

    def show(self, seconds: float, **tracks: Vector | Problem | None) -> None:
        """Keep tracks (`t1=embedding`, a Problem, or None for not analysed) in view for so long."""
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            sightings = [self._sighting(int(name[1:]), what) for name, what in tracks.items()]
            self.events += self.visits.update(sightings, {s.track_id for s in sightings}, self.now)

    def leave_empty(self, seconds: float) -> None:
        self.show(seconds)

    def announced(self) -> list[str]:
        """`visit1 recognized ada`, one per event."""
        return [" ".join([e.visit_id, e.kind.value, *self._name(e)]) for e in self.events]

    def _name(self, event: Event) -> list[str]:
        person = event.match.person if event.match and event.kind.value == "recognized" else None
        return (
            ([person.person_id] if person else [])
            + (["provisional"] if event.provisional else [])
            + (["corrected"] if event.corrects is not None else [])
        )

    def _sighting(self, track_id: int, what: Vector | Problem | None) -> Sighting:
        since = self.since.setdefault(track_id, self.now)
        if what is None:
            return Sighting(track_id, self.now, PLACE, since)
        if isinstance(what, Problem):
            return Sighting(track_id, self.now, PLACE, since, quality(0.1, what))
        return Sighting(track_id, self.now, PLACE, since, quality(), what)
