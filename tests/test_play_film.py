"""A recording with a truth written by hand, and the two commands that play."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from converter.commands import play_options
from converter.visit_player.film import FilmTake, Place, read_places
from converter.visit_player.playing import NamingEngine, Played, Take, play
from edge.errors import WhosthereError
from edge.records import Box
from support.converting import run as whosthere_converter
from support.portraits import BIDEN, COLLINS, OBAMA, OBAMA_2009, read_picture

TRUTH = "first,last,left,top,right,bottom,person\n"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Obama for two seconds and then, with a hard cut, a stranger."""
    path = tmp_path_factory.mktemp("film") / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (480, 640))
    for photo in (OBAMA_2009, COLLINS):
        picture = cv2.resize(read_picture(photo), (480, 640))
        for n in range(20):
            writer.write(np.roll(picture, n % 3, axis=1))
    writer.release()
    (path.parent / "truth.csv").write_text(TRUTH + "0,19,0,0,1,1,Obama\n20,39,0,0,1,1,somebody\n")
    return path


def test_a_film_with_a_cut_is_played_and_scored(film: Path, tmp_path: Path) -> None:
    arguments = (
        "play-film", film, "--truth", film.with_name("truth.csv"), "--person", "Obama", OBAMA, "--no-cache", "--json",
        "--without", "swap", "--baseline", "naive", "-o", tmp_path / "page",
    )  # fmt: skip
    code, out, err = whosthere_converter(*arguments)
    assert code == 0, err
    document = json.loads(out)
    box, naive, without = (row for row in document["rows"] if row["kind"] == "all")
    assert [box["engine"], naive["engine"], without["engine"]] == ["whosthere", "naive", "without swap"]
    assert (box["named"], box["wrong_names"], box["visits"], box["rightly_unknown"]) == (1, 0, 2, 1)
    assert naive["named"] == 1
    assert without["usable"] == box["usable"]
    assert document["schema_faults"] == []
    assert document["events"] >= 8
    assert "swap" in document["rules"]
    assert "without swap" in (tmp_path / "page" / "visits.html").read_text()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0,9,0,0,1,1,", "line 2"),
        ("9,0,0,0,1,1,ada", "line 2"),
        ("0,9,0,0,1.5,1,ada", "line 2"),
        ("0,x,0,0,1,1,ada", "line 2"),
        ("0,9,0", "line 2"),
        ("", "found no line"),
    ],
)
def test_a_truth_with_a_mistake_is_refused_by_its_line(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "truth.csv").write_text(f"{TRUTH}{line}\n")
    with pytest.raises(WhosthereError, match=said):
        read_places(tmp_path / "truth.csv")


def test_where_places_overlap_the_first_counts(film: Path) -> None:
    places = [Place(0, 5, 0.0, 0.0, 0.5, 1.0, "left"), Place(0, 9, 0.0, 0.0, 1.0, 1.0, "right")]
    take = FilmTake(film, places, {})
    found = []
    for number, (at, image) in enumerate(take.frames()):
        box = Box(0, 0, image.shape[1] / 2, image.shape[0])
        actor = take.actor_at(at, box)
        found += [actor.person if actor else None] if number in (0, 5, 6, 9, 10) else []
        assert take.actor_at(at, None) is None
    assert found == ["left", "left", "right", "right", None]


def test_somebody_enrolled_whom_the_truth_does_not_name_is_refused(film: Path) -> None:
    truth = film.with_name("truth.csv")
    code, _, err = whosthere_converter("play-film", film, "--truth", truth, "--person", "Biden", BIDEN)
    assert code == 1
    assert "found nobody called 'Biden' in the truth; in it: Obama, somebody" in err


def test_ctrl_c_reports_what_was_played_until_then(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(take: Take, engines: list[NamingEngine]) -> list[Played]:
        calls.append(take)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return play(take, engines)

    def twice(takes: list[Take], name: str, choice: play_options.PlayChoice) -> None:
        run(takes * 2, name, choice)

    calls: list[Take] = []
    run = play_options.run
    monkeypatch.setattr(play_options, "play", interrupted)
    monkeypatch.setattr(play_options, "run", twice)
    code, out, err = whosthere_converter(
        "play-film", film, "--truth", film.with_name("truth.csv"), "--person", "Obama", OBAMA, "--cache", tmp_path
    )
    assert code == 130
    assert "1 of 2 scenes" in out
    assert "interrupted after 1 of 2 scenes; what the networks answered is kept" in err
    assert list(tmp_path.glob("*.msgpack"))
