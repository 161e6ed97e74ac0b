"""The diary of the real daemon, and the commands that read it and forget people."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge.__main__ import main
from edge.diary.diary_file import DiaryFile
from edge.galleries.file import open_gallery
from support.broker import Broker, Listener, running_broker
from support.daemon import TOPIC, decoded, running, visits, write_config
from support.diaries import contents, new

PERSON = "barack-obama"


def whosthere(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


def listed(config: Path, *options: str) -> list[dict[str, Any]]:
    done = whosthere("visits", "--json", "--config", str(config), *options)
    assert done.exit_code == 0, done.output
    lines: list[dict[str, Any]] = json.loads(done.stdout)
    return lines


@pytest.mark.slow
def test_the_diary_says_what_the_daemon_published_and_forgets_who_is_forgotten(
    tmp_path: Path, demo_gallery: Path
) -> None:
    box = tmp_path / "box"
    box.mkdir()
    gallery = Path(shutil.copy(demo_gallery, box / "gallery.whg"))
    vector = open_gallery(gallery, None).vectors(open_gallery(gallery, None).people[0])[0].tobytes()[:64]
    with running_broker(tmp_path) as broker, Listener(broker) as listener:
        kept = {"pictures_days": 1, "embeddings_days": 1}
        config = write_config(box, broker, gallery, diary=kept)
        with running(config) as daemon:
            assert daemon.wait() == 0
        listener.wait(lambda: len([m for m in visits(listener) if m["event_type"] == "ended"]) >= 3)
        published = visits(listener)
        health = decoded(listener.on(f"{TOPIC}/health")[-1])
    lines = listed(config)
    ended = [one for one in published if one["event_type"] == "ended"]
    assert [line["visit_id"] for line in lines] == [one["visit_id"] for one in ended]
    assert [line["person_id"] for line in lines] == [one["person_id"] for one in ended]
    for line in lines:
        last = [one for one in published if one["visit_id"] == line["visit_id"]][-2]
        assert (line["decision"], line["best"]["similarity"]) == (last["event_type"], last["similarity"])
        assert line["threshold"] == last["threshold"] and line["faces"] >= line["usable_faces"] > 0
    assert health["diary"] is not None and health["diary"]["on_disk"] is True
    table = whosthere("visits", "--config", str(config)).stdout
    assert "Barack Obama" in table and "unknown" in table
    renamed = whosthere("gallery", "rename", "Barack Obama", "Barry", "--config", str(config))
    assert renamed.exit_code == 0, renamed.output
    assert "Barry" in whosthere("visits", "--person", "Barry", "--config", str(config)).stdout
    before = listed(config, "--person", PERSON)
    assert before and vector in contents(box)
    gone = whosthere("gallery", "remove", PERSON, "--yes", "--forget", "--config", str(config))
    assert gone.exit_code == 0, gone.output
    assert "diary.sqlite3: " in gone.stdout and "nothing about them is left on this box" in gone.stdout
    left = contents(box)
    assert f'"{PERSON}"'.encode() not in left and vector not in left
    assert listed(config, "--person", PERSON) == []
    assert len(listed(config)) == len(lines) - len(before)


@pytest.fixture
def config(tmp_path: Path, demo_gallery: Path) -> Path:
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    return write_config(tmp_path, Broker(tmp_path, port=9), gallery)


def fill(config: Path) -> None:
    diary = DiaryFile(config.parent / "diary.sqlite3", 10)
    for n in range(0, 6000, 300):
        diary.add(new(n, [PERSON, None, "eve"][n // 300 % 3], best=PERSON))
    diary.close()


def test_visits_are_listed_by_day_and_person(config: Path) -> None:
    fill(config)
    assert len(listed(config)) == 20
    day = listed(config, "--day", "2025-06-16")
    assert {line["started_at"][:10] for line in day} == {"2025-06-16"}
    assert len(day) == 5
    assert {line["person_name"] for line in listed(config, "--person", "barack obama")} == {"Barack Obama"}
    assert {line["person_name"] for line in listed(config, "--person", "eve")} == {"eve"}, "she has left the gallery"
    assert {line["decision"] for line in listed(config, "--unknown")} == {"unknown"}
    assert len(listed(config, "-n", "3")) == 3
    assert listed(config, "--day", "today") == []
    assert "no visit" in whosthere("visits", "--day", "yesterday", "--config", str(config)).stdout
    table = whosthere("visits", "-n", "1", "--config", str(config)).stdout
    assert table.splitlines()[1].split()[-5:] == ["of", "23", "rang;", "3", "turned_away"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--day", "tomorrow"], 2, "--day: found 'tomorrow'; allowed: today, yesterday, or a date such as 2025-06-01"),
        (["--day", "9999-12-31"], 2, "--day: found '9999-12-31'"),
        (["--person", "ada", "--unknown"], 2, "--person and --unknown exclude each other"),
        ([], 1, "diary.path: "),
        (["-n", "0"], 2, "0 is not in the range"),
    ],
)
def test_what_cannot_be_listed_is_refused_with_the_reason(
    config: Path, arguments: list[str], code: int, said: str
) -> None:
    done = whosthere("visits", *arguments, "--config", str(config))
    assert (done.exit_code, said in done.output) == (code, True), done.output


def test_without_a_diary_the_command_says_so(tmp_path: Path, demo_gallery: Path) -> None:
    off = write_config(tmp_path, Broker(tmp_path, port=9), demo_gallery, diary={"keep_days": 0})
    done = whosthere("visits", "--config", str(off))
    assert done.exit_code == 3 and "diary.keep_days is 0" in done.output


@pytest.mark.parametrize("key", ["pictures_days", "embeddings_days"])
def test_nothing_can_be_kept_for_longer_than_its_visit(tmp_path: Path, demo_gallery: Path, key: str) -> None:
    wrong = write_config(tmp_path, Broker(tmp_path, port=9), demo_gallery, diary={key: 31})
    done = whosthere("visits", "--config", str(wrong))
    assert done.exit_code == 3
    assert f"{key}: found 31; allowed: at most diary.keep_days, which is 30" in done.output


def test_a_forgetting_that_leaves_something_fails_and_says_where(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.galleries.forget.SEARCH_S", 0.0)
    fill(config)
    (config.parent / "note").write_text("Barack Obama was here")
    done = whosthere("gallery", "remove", PERSON, "--yes", "--forget", "--config", str(config))
    assert done.exit_code == 1
    assert "something about them is still held" in done.output and str(config.parent / "note") in done.output
    assert f'"{PERSON}"'.encode() not in contents(config.parent)


@pytest.mark.slow
def test_a_running_daemon_keeps_nothing_of_somebody_forgotten(tmp_path: Path, demo_gallery: Path) -> None:
    """Their visit is open while they are forgotten, and ends afterwards."""
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    config = write_config(
        tmp_path, Broker(tmp_path, port=9), gallery, camera={"realtime": True, "loop": True}, visit={"gap_s": 1.0}
    )
    with running(config) as daemon:
        daemon.wait_for_log("recognized Barack Obama")
        done = whosthere("gallery", "remove", PERSON, "--yes", "--forget", "--config", str(config))
        assert done.exit_code == 0, done.output
        daemon.wait_for_log(": ended", 3)
        daemon.send(signal.SIGTERM)
        assert daemon.wait() == 0
    assert f'"{PERSON}"'.encode() not in contents(tmp_path)
    assert listed(config)
