"""`whosthere-converter evaluate-liveness`: what it counts."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from converter.__main__ import main
from converter.liveness_fakes import held_print
from converter.liveness_visits import ScoredVisit, summary, trades, upper_bound
from edge.capture.video_io import open_writer
from edge.sightings import LivenessScore
from support.portraits import HOPPER, PORTRAITS, read_picture


def test_a_visit_without_a_sign_counts_as_one_half() -> None:
    seen = [
        ScoredVisit("a", 5, None),
        ScoredVisit("b", 5, LivenessScore(0.5, {"border": 0.0})),
        ScoredVisit("c", 5, LivenessScore(0.1, {"border": -1.0, "depth": 0.2})),
    ]
    row = summary("living", 3, seen)
    assert (row.visits, row.measured, row.spoof, row.scores) == (3, 1, 1, [0.5, 0.5, 0.1])
    assert row.cues == {"border": (1, 0), "depth": (0, 1)}


def test_each_limit_is_shown_with_what_it_refuses_on_both_sides() -> None:
    found = trades(living=[0.5, 0.9, 0.2], fakes=[0.1, 0.28, 0.95])
    assert [(trade.living_refused, trade.fakes_noticed) for trade in found] == [(0, 1), (1, 2), (1, 2)]
    assert found[1].below == pytest.approx(0.28, abs=0.01)


@pytest.mark.parametrize(
    ("hits", "trials", "share"), [(0, 22, 0.154), (0, 299, 0.0123), (1, 10, 0.445), (3, 3, 1), (0, 0, 1)]
)
def test_the_interval_is_that_of_clopper_and_pearson(hits: int, trials: int, share: float) -> None:
    assert upper_bound(hits, trials) == pytest.approx(share, abs=0.001)


@pytest.mark.slow
def test_clips_are_scored_through_the_loop(tmp_path: Path) -> None:
    frames = [image for _, image in held_print(read_picture(HOPPER), np.random.default_rng(0))]
    clip = tmp_path / "fake" / "print.avi"
    clip.parent.mkdir()
    writer = open_writer(clip, "MJPG", 10.0, (640, 480))
    for frame in frames:
        writer.write(frame)
    writer.release()
    living = tmp_path / "still.jpg"
    cv2.imwrite(str(living), read_picture(HOPPER))
    arguments = ["evaluate-liveness", "--living", str(living), "--fake", str(clip.parent), "--json"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    kinds = {row["kind"]: row for row in json.loads(result.stdout)["kinds"]}
    assert kinds["fake"]["clips"] == kinds["fake"]["visits"] == kinds["fake"]["spoof"] == 1
    assert kinds["living"]["spoof"] == 0


@pytest.mark.slow
def test_artificial_prints_need_photos(tmp_path: Path) -> None:
    arguments = ["evaluate-liveness", "--living", str(HOPPER), "--artificial", "1"]
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 2
    assert "--artificial: found no --photos" in refused.output
    made = CliRunner().invoke(main, [*arguments, "--photos", str(PORTRAITS / "enroll")], catch_exceptions=False)
    assert "artificial print" in made.output
