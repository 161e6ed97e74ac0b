"""What the box is compared with answers by its own rule, on the same frames."""

import sys
from pathlib import Path

import numpy as np
import pytest

from converter.visit_player.answers import KeptAnswers
from converter.visit_player.baselines import FaceRecognition, FaceRecognitionNames, FrameByFrame
from converter.visit_player.frigate import Attempts, FrigateRun, blur_cost, confidence, mean_of
from edge.config.visits import TrackSettings
from edge.errors import WhosthereError
from edge.frame import Frame
from edge.records import Box, Image
from edge.visits.tracker import Tracker
from support.portraits import BIDEN, OBAMA, OBAMA_2009, analyser, read_picture

PICTURE: Image = np.zeros((40, 40, 3), np.uint8)


class Script:
    """Names what it is given, one list per frame."""

    def __init__(self, *frames: list[tuple[Box, str | None]]) -> None:
        self._frames = list(frames)

    def names(self, image: Image) -> list[tuple[Box, str | None]]:
        return self._frames.pop(0)


def test_frame_by_frame_counts_an_answer_once_until_it_changes() -> None:
    left, right = Box(0, 0, 10, 10), Box(20, 20, 30, 30)
    frames: list[list[tuple[Box, str | None]]] = [
        [(left, "ada")],
        [(left.moved(1, 1), "ada"), (right, None)],
        [],
        [(left, "ada"), (right, None)],
        [(left, "eve"), (right, None)],
    ]
    run = FrameByFrame(Script(*frames))
    told = [run.frame(Frame(PICTURE, PICTURE, float(at))) for at in range(5)]
    assert [[said.name for said in one.said] for one in told] == [["ada"], [None], [], [], ["eve"]]
    assert [len(one.labels) for one in told] == [1, 2, 0, 2, 2]
    assert run.end(5.0) == []


def test_frigates_confidence_is_the_published_one() -> None:
    assert confidence(0.3) == pytest.approx(0.5)
    assert confidence(0.41) == pytest.approx(0.9, abs=0.002)
    assert confidence(0.37) == pytest.approx(0.8, abs=0.005)


def test_frigates_mean_is_weighted_by_area_and_by_confidence() -> None:
    held = Attempts([("ada", 0.85, 1000.0), ("ada", 0.95, 9000.0)])
    # Weights 1000 * 0.5 and, as the area counts up to 4000, 4000 * 1.5.
    name, sure = held.weighted() or ("", 0.0)
    assert name == "ada"
    assert sure == pytest.approx((0.85 * 500 + 0.95 * 6000) / 6500)


def test_frigate_names_nobody_while_two_names_are_equally_frequent() -> None:
    assert Attempts().weighted() is None
    assert Attempts([("ada", 0.95, 900.0), ("eve", 0.9, 900.0)]).weighted() is None
    assert (Attempts([("ada", 0.95, 900.0), ("eve", 0.9, 900.0), ("ada", 0.9, 900.0)]).weighted() or ("", 0))[
        0
    ] == "ada"


def test_a_blurred_face_costs_confidence() -> None:
    sharp = np.random.default_rng(0).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    assert blur_cost(sharp, Box(0, 0, 40, 40)) == 0
    assert blur_cost(PICTURE, Box(-5, -5, 60, 60)) == 0.05


def test_frigate_names_somebody_and_stops_looking() -> None:
    [face] = analyser().portraits(read_picture(OBAMA))
    assert face.embedding is not None
    picture = read_picture(OBAMA_2009)
    run = FrigateRun(analyser(), Tracker(TrackSettings(confirm_hits=2)), {"Barack Obama": mean_of([face.embedding])})
    told = [run.frame(Frame(picture, picture, at / 10)) for at in range(40)]
    named = [said for one in told for said in one.said if said.name]
    assert [said.name for said in named] == ["Barack Obama"]
    assert sum(one.looks for one in told) == 6, "no more than six looks at somebody who has a name"
    assert not told[1].labels, "every second frame, as it detects five times a second"


def test_face_recognition_names_within_its_tolerance_only() -> None:
    known = [("ada", np.zeros(128)), ("eve", np.full(128, 0.04))]

    class Library(FaceRecognition):
        def __init__(self) -> None: ...

        def faces(self, image: Image) -> np.ndarray:
            return np.array([[1, 2, 3, 4, *np.full(128, level)] for level in (0.01, 0.03, 0.2)])

    found = FaceRecognitionNames(Library(), known).names(PICTURE)
    assert [name for _, name in found] == ["ada", "eve", None]
    assert found[0][0] == Box(1, 2, 3, 4)
    assert FaceRecognitionNames(Library(), []).names(PICTURE)[0][1] is None


def test_without_face_recognition_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "face_recognition", None)
    with pytest.raises(WhosthereError, match="pip install --no-deps face_recognition"):
        FaceRecognition(KeptAnswers(None))


def test_face_recognition_itself(tmp_path: Path) -> None:
    pytest.importorskip("face_recognition", exc_type=ImportError)
    answers = KeptAnswers(None)
    run = FaceRecognition(answers).start({"Barack Obama": [OBAMA], "Joe Biden": [BIDEN]})
    told = run.frame(Frame(read_picture(OBAMA_2009), PICTURE, 0.0))
    assert [name for _, name in told.labels] == ["Barack Obama"]
    run.frame(Frame(read_picture(OBAMA_2009), PICTURE, 1.0))
    assert (answers.asked, answers.computed) == (4, 3)
