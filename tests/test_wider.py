"""Detection on WIDER: scoring on boxes whose answers are known, then the bundled detector with floors by size."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from converter.__main__ import main
from converter.datasets import DatasetError
from converter.detection import AnnotatedPicture, BandResult, average_precision, by_size, read_wider
from edge.records import Box, Face
from support.data_sets import data_set, full_run
from support.networks import detector
from support.portraits import read_picture

NOWHERE = Path("none.jpg")
FLOORS = {(16, 0.5): (0.08, 0.45), (16, 0.6): (0.03, 0.55), (24, 0.5): (0.38, 0.42), (24, 0.6): (0.28, 0.62)}
FLOORS |= {(32, 0.5): (0.42, 0.52), (48, 0.5): (0.75, 0.80), (80, 0.5): (0.89, 0.92)}
FLOORS |= {(32, 0.6): (0.36, 0.63), (48, 0.6): (0.72, 0.87), (80, 0.6): (0.86, 0.94)}
"""(smallest short side, score) -> recall and precision: three to ten points under what docs/50-accuracy.md tells."""


def square(left: float, top: float, side: float) -> Box:
    return Box(left, top, left + side, top + side)


def face(box: Box, score: float) -> Face:
    return Face(box, score, np.zeros((6, 2), np.float32))


def one_band(annotated: AnnotatedPicture, found: list[Face], band: tuple[float, float] = (30, 60)) -> BandResult:
    (result,) = by_size([annotated], [found], min_score=0.5, bands=[band])
    return result


def test_right_missed_and_false_are_counted() -> None:
    annotated = AnnotatedPicture(NOWHERE, [square(0, 0, 40), square(100, 0, 40), square(200, 0, 40)], [])
    found = [face(square(2, 2, 40), 0.9), face(square(100, 0, 40), 0.6), face(square(200, 0, 40), 0.4)]

    result = one_band(annotated, [*found, face(square(300, 0, 40), 0.8)])

    assert (result.faces, result.found, result.false) == (3, 2, 1)
    assert (result.recall, result.precision) == (2 / 3, 2 / 3)


def test_a_face_is_found_once() -> None:
    result = one_band(
        AnnotatedPicture(NOWHERE, [square(0, 0, 40)], []), [face(square(0, 0, 40), s) for s in (0.9, 0.8)]
    )

    assert (result.found, result.false) == (1, 1)


def test_what_is_ignored_or_of_another_size_is_neither_right_nor_wrong() -> None:
    annotated = AnnotatedPicture(NOWHERE, [square(0, 0, 20), square(100, 0, 80)], [square(300, 0, 50)])
    found = [face(square(0, 0, 31), 0.9), face(square(108, 4, 58), 0.9), face(square(310, 0, 40), 0.9)]

    result = one_band(annotated, found)

    assert (result.faces, result.found, result.false) == (0, 0, 0)


def test_average_precision_of_known_rankings() -> None:
    assert average_precision([(0.9, True), (0.8, True)], 2) == 1
    assert average_precision([(0.9, False), (0.8, True)], 1) == 0.5
    assert average_precision([(0.9, True)], 4) == 0.25
    assert average_precision([(0.9, True), (0.8, False), (0.7, True)], 2) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision([], 3) == 0


TEXT = """a/1.jpg
2
10 20 30 40 0 0 0 0 0 0
50 20 30 40 2 0 0 0 0 0
a/2.jpg
0
0 0 0 0 0 0 0 0 0 0
a/3.jpg
1
1 2 3 4 0 0 0 1 0 0
"""


def test_annotations_in_the_official_form(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text(TEXT, encoding="utf-8")

    first, second, third = read_wider(tmp_path / "gt.txt", Path("images"))

    assert first == AnnotatedPicture(Path("images/a/1.jpg"), [Box(10, 20, 40, 60)], [Box(50, 20, 80, 60)])
    assert (second.faces, second.ignored) == ([], [])
    assert (third.faces, third.ignored) == ([], [Box(1, 2, 4, 6)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.jpg\n", "at its end: the number of faces"),
        ("a.jpg\nb.jpg\n", "line 2.*b.jpg"),
        ("a.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n", "at its end: x, y"),
        ("a.jpg\n1\n1 2 3 x 0 0 0 0 0 0\n", "line 3.*1 2 3 x"),
    ],
)
def test_annotations_of_another_form_are_refused_with_their_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "gt.txt").write_text(text, encoding="utf-8")

    with pytest.raises(DatasetError, match=rf"gt\.txt: {said}"):
        read_wider(tmp_path / "gt.txt", tmp_path)


def test_the_command_says_which_pictures_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text(TEXT, encoding="utf-8")
    arguments = ["evaluate-detection", "--truth", str(tmp_path / "gt.txt"), "--images", str(tmp_path)]

    result = CliRunner().invoke(main, arguments)

    assert result.exit_code == 1
    assert "3 of the pictures listed do not exist" in result.output


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("squares", [True, False] if full_run() else [True], ids=lambda s: "squares" if s else "whole")
def test_recall_and_precision_by_size(squares: bool, capsys: pytest.CaptureFixture[str]) -> None:
    folder = data_set("wider-dev")
    annotated = read_wider(folder / "gt.txt", folder / "images")
    blaze = detector("blazeface-back", squares=squares, min_score=0.3)
    found = [blaze.detect(read_picture(a.picture)) for a in annotated]

    for score in (0.5, 0.6):
        for band in by_size(annotated, found, score):
            with capsys.disabled():
                size = f"{band.smallest:g}-{band.below or 'more'} px"
                print(
                    f"\nwider-dev, {'squares' if squares else 'whole picture'}, score {score}, {size}: "
                    f"recall {band.recall:.1%} ({band.found} of {band.faces}), "
                    f"precision {band.precision:.1%} ({band.false} false), AP {band.average_precision:.3f}",
                    end="",
                )
            if squares:
                recall, precision = FLOORS[band.smallest, score]
                assert band.recall >= recall
                assert band.precision >= precision
