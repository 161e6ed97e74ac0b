"""People on real recordings: who is enrolled is named, nobody else is."""

import functools
from pathlib import Path

import numpy as np
import pytest

from edge.capture.clip import open_clip
from edge.config.loading import Config
from edge.config.visits import MatchSettings, VisitSettings
from edge.events import EventKind
from edge.galleries.gallery import Gallery, Template
from edge.inspection.identify_recording import FoundVisit, identify_video
from edge.records import Image
from edge.visits.matcher import Matcher
from edge.visits.thresholds import threshold_for
from support.data_sets import data_set
from support.portraits import analyser, read_picture

pytestmark = [pytest.mark.data, pytest.mark.slow]
AT = "2025-01-01T00:00:00Z"
TWICE = {"pwij3p", "id2_vcd_swwp2s"}
"""Two clips of GRID that look like one man."""


def matcher_of(**people: Image) -> Matcher:
    """One template per person, at the default false-alarm target."""
    embedder = analyser().embedder
    gallery = Gallery.empty(embedder.id, embedder.dimensions)
    for name, image in people.items():
        embedding = analyser().portraits(image)[0].embedding
        assert embedding is not None
        gallery = gallery.with_templates(name, [embedding], [Template(f"{name}.png", 1.0, AT)], AT)
    threshold = threshold_for(MatchSettings(), embedder.calibration, len(gallery.embeddings))
    assert threshold is not None
    return Matcher(gallery, threshold.similarity, 0.05, embedder.calibration)


def decisions(name: str, visits: list[FoundVisit]) -> list[str]:
    """Print and return `recognized lin`, one per visit."""
    lines = []
    for visit in visits:
        match = visit.decision.match
        best = f" {match.best.name} {match.best.similarity:.3f}/{match.threshold:.3f}" if match and match.best else ""
        print(f"  {name}: {visit.start_s:5.2f}-{visit.end_s:5.2f} s  {visit.decision.kind.value}{best}")
        person = f" {match.person.person_id}" if match and match.person else ""
        lines.append(visit.decision.kind.value + person)
    return lines


@pytest.mark.parametrize("gap_s", [2.0, 15.0])
def test_hamilton(gap_s: float) -> None:
    folder = data_set("video") / "hamilton"
    matcher = matcher_of(
        lin=read_picture(folder / "lin-manuel-miranda.png"), alex=read_picture(folder / "alex-lacamoire.png")
    )
    config = Config(visit=VisitSettings(gap_s=gap_s))
    found = identify_video(analyser(), matcher, config, folder / "short_hamilton_clip.mp4")
    lines = decisions("hamilton", found.visits)
    assert found.error is None
    assert "recognized lin" in lines
    assert set(lines) <= {"recognized lin", "recognized alex", "no_usable_face", "unknown", "uncertain"}
    assert lines.count("recognized lin") == (2 if gap_s == 2.0 else 1)


@functools.cache
def first_frame(path: Path) -> Image:
    clip = open_clip(path, 25)
    assert clip.grab() is not None
    image = np.array(clip.picture())
    clip.close()
    return image


@pytest.mark.slow(50)
def test_grid_knows_the_enrolled_one_and_nobody_else() -> None:
    clips = sorted((data_set("video") / "grid").glob("*.mpg"))
    assert len(clips) == 11
    strangers = 0
    for enrolled in clips:
        matcher = matcher_of(**{enrolled.stem: first_frame(enrolled)})
        for shown in clips if enrolled.stem in TWICE else [enrolled, *_others(clips, enrolled)]:
            lines = decisions(f"{enrolled.stem} enrolled, {shown.stem} shown", _visits(matcher, shown))
            if shown == enrolled or {shown.stem, enrolled.stem} == TWICE:
                assert lines == [f"recognized {enrolled.stem.replace('_', '-')}"]
            else:
                assert lines == [EventKind.UNKNOWN.value]
                strangers += 1
    print(f"grid: {strangers} strangers' visits, no wrong name")


def _others(clips: list[Path], enrolled: Path) -> list[Path]:
    """Two other clips: each pair of people in both directions would only take longer."""
    start = clips.index(enrolled)
    return [clips[(start + step) % len(clips)] for step in (2, 5)]


def _visits(matcher: Matcher, clip: Path) -> list[FoundVisit]:
    return identify_video(analyser(), matcher, Config(), clip).visits
