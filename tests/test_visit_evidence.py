"""What looks leave behind in a visit besides its name: liveness, and the good faces of a stranger."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from edge.config.faces import QualitySettings
from edge.config.visits import VisitSettings
from edge.events import Event, EventKind
from edge.records import Image, Problem, Quality
from edge.sightings import LivenessLook, Sighting
from edge.visits.good_faces import NEEDED
from edge.visits.liveness import LivenessEvidence
from edge.visits.manager import VisitManager
from edge.visits.matcher import Matcher
from edge.visits.thresholds import LinkingThresholds
from support.heads import turned_head
from support.people import PLACE, gallery_of, quality, somebody

IMAGE: Image = np.zeros((200, 200, 3), np.uint8)
ADA, STRANGER = somebody(1), somebody(2)
PATIENCE = 2
LIMITS = QualitySettings()
FAR = replace(quality(), eye_distance_px=LIMITS.min_eye_distance_px - 1)
"""Usable, but too small to link visits."""


def manager(good_faces: QualitySettings | None = LIMITS) -> VisitManager:
    ids = (f"v{n}" for n in itertools.count(1))
    settings = VisitSettings(gap_s=5, min_faces=3, patience_s=1, patience_faces=PATIENCE)
    linking = LinkingThresholds(same=0.5, different=0.25, doubtful=0.25)
    matcher = Matcher(gallery_of(ada=ADA), 0.9, 0.05, None)
    return VisitManager(settings, linking, matcher, lambda: next(ids), pictures=False, good_faces=good_faces)


def shown(visits: VisitManager, *sightings: Sighting) -> list[Event]:
    return [event for one in sightings for event in visits.update([one], {1}, one.at, IMAGE)]


def stranger(at: float, seen: Quality) -> Sighting:
    return Sighting(1, at, PLACE, 0.0, seen, STRANGER)


def ended(visits: VisitManager) -> Event:
    [event] = [event for event in visits.flush(9) if event.kind is EventKind.ENDED]
    return event


def test_liveness_of_every_look_counts_for_its_visit() -> None:
    visits, alone = manager(), LivenessEvidence()
    head = turned_head(0)
    for at, border in ((0.0, 0), (0.5, 1), (1.0, 3)):
        seen = LivenessLook(at, head.mesh, head.pose, 0.3, border=border)
        alone.add(seen)
        shown(visits, Sighting(1, at, PLACE, 0.0, quality(), ADA, liveness=seen))
    assert alone.score() is not None
    assert ended(visits).liveness == alone.score()


def test_a_stranger_is_known_again_by_good_faces_before_and_after_the_decision() -> None:
    visits = manager()
    said = shown(visits, stranger(0, quality()), stranger(1, quality(score=0.7)))
    assert [event.kind for event in said] == [EventKind.STARTED, EventKind.UNKNOWN]
    assert said[-1].probe is None, f"{NEEDED} good faces are needed"
    shown(visits, stranger(2, quality(score=0.9)))
    last = ended(visits)
    assert last.probe == pytest.approx(STRANGER, abs=1e-6)
    assert [face.quality for face in last.good_faces] == [0.9]


@pytest.mark.parametrize(
    ("limits", "seen"),
    [(LIMITS, FAR), (LIMITS, quality(problem=Problem.TOO_BLURRED)), (None, quality())],
    ids=["far", "unusable", "strangers are not grouped"],
)
def test_other_faces_do_not_link_visits(limits: QualitySettings | None, seen: Quality) -> None:
    visits = manager(limits)
    shown(visits, *(stranger(float(at), seen) for at in range(NEEDED + 2)))
    last = ended(visits)
    assert (last.probe, last.good_faces) == (None, ())
