"""`whosthere identify` on real faces: images, groups, videos; the table, CSV, JSON and the copies."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.commands.identify_rows import COLUMNS
from edge.records import Image, Outcome
from edge.visits.decision import match_all
from edge.visits.matcher import Matcher
from support.people import alike, gallery_of, somebody
from support.portraits import (
    BIDEN,
    COLLINS,
    HOPPER,
    OBAMA_2009,
    OBAMA_2010,
    read_picture,
    save,
    side_by_side,
    whosthere,
)


def rows(gallery: Path, *arguments: str | Path) -> list[dict[str, object]]:
    done = whosthere("identify", "--gallery", gallery, "--json", *arguments)
    assert done.exit_code == 0, done.output
    found: list[dict[str, object]] = json.loads(done.stdout)["rows"]
    return found


def test_another_photo_gets_the_name_and_a_stranger_none(demo_gallery: Path) -> None:
    found = rows(demo_gallery, OBAMA_2009, OBAMA_2010, COLLINS)
    assert [(row["outcome"], row["person_id"]) for row in found] == [
        ("recognized", "barack-obama"),
        ("recognized", "barack-obama"),
        ("unknown", None),
    ]
    first = found[0]
    assert first["person_name"] == first["nearest_name"] == "Barack Obama"
    assert float(str(first["similarity"])) > 0.7
    assert float(str(first["margin"])) > 0.4
    assert 0 < float(str(first["false_match_rate"])) < 1e-3
    assert float(str(first["quality"])) > 0.9
    assert found[2]["nearest_name"] is not None


def test_every_face_of_a_group_from_left_to_right(demo_gallery: Path, tmp_path: Path) -> None:
    group = save(tmp_path / "group.png", side_by_side(COLLINS, OBAMA_2010, HOPPER))
    found = rows(demo_gallery, group)
    assert [row["face"] for row in found] == [1, 2, 3]
    assert [row["person_name"] for row in found] == [None, "Barack Obama", "Grace Hopper"]
    lefts = [int(str(row["left_px"])) for row in found]
    assert lefts == sorted(lefts)


def test_two_faces_of_one_picture_never_share_a_name(demo_gallery: Path, tmp_path: Path) -> None:
    twice = save(tmp_path / "twice.png", side_by_side(OBAMA_2009, OBAMA_2010))
    found = rows(demo_gallery, twice)
    assert sorted(str(row["outcome"]) for row in found) == ["recognized", "uncertain"]
    surer = max(found, key=lambda row: float(str(row["similarity"])))
    assert surer["outcome"] == "recognized"


def test_the_surest_face_gets_the_name_whatever_the_order() -> None:
    ada = somebody(1)
    matcher = Matcher(gallery_of(ada=ada, ben=somebody(2)), 0.5, 0.05, None)
    probes = [alike(ada, 0.7), None, alike(ada, 0.9), alike(ada, 0.6), somebody(3)]
    outcomes = [match and match.outcome for match in match_all(matcher, probes)]
    assert outcomes == [Outcome.UNCERTAIN, None, Outcome.RECOGNIZED, Outcome.UNCERTAIN, Outcome.UNKNOWN]


def test_the_table_on_the_screen(demo_gallery: Path, tmp_path: Path) -> None:
    wall = save(tmp_path / "wall.jpg", np.full((300, 400, 3), 128, np.uint8))
    blurred = save(tmp_path / "blurred.jpg", np.asarray(cv2.GaussianBlur(read_picture(BIDEN), (0, 0), 7), np.uint8))
    done = whosthere("identify", "--gallery", demo_gallery, OBAMA_2009, COLLINS, wall, blurred)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert " ".join(lines[0].split()) == "file face who similarity threshold margin false match quality box"
    assert "Barack Obama" in lines[1]
    assert "  unknown  " in lines[2]
    assert lines[3].endswith("no face")
    assert "not usable: too blurred" in lines[4]


def test_a_file_that_cannot_be_read_is_named_and_the_others_go_on(demo_gallery: Path, tmp_path: Path) -> None:
    letter, cut, missing = tmp_path / "letter.jpg", tmp_path / "cut.avi", tmp_path / "missing.mp4"
    letter.write_text("no picture")
    cut.write_bytes(b"RIFF\0\0\0\0AVI LIST")
    table = tmp_path / "out.csv"
    done = whosthere("identify", "--gallery", demo_gallery, "--csv", table, letter, cut, missing, OBAMA_2009)
    assert done.exit_code == 1
    assert "Barack Obama" in done.stdout
    assert "3 of 4 files could not be read:" in done.stderr
    assert f"{letter}: not an image in a supported format" in done.stderr
    assert f"{missing}: no such file" in done.stderr
    with table.open(encoding="utf-8", newline="") as file:
        outcomes = {Path(row["file"]).name: row["outcome"] for row in csv.DictReader(file)}
    assert outcomes == {
        "letter.jpg": "unreadable",
        "cut.avi": "unreadable",
        "missing.mp4": "unreadable",
        OBAMA_2009.name: "recognized",
    }


def test_csv_is_fit_for_a_data_frame(demo_gallery: Path, tmp_path: Path) -> None:
    folder = tmp_path / 'in, with "signs"'
    folder.mkdir()
    shutil.copy(OBAMA_2009, folder / "10.jpg")
    shutil.copy(COLLINS, folder / "9.jpg")
    save(folder / "11.png", np.zeros((200, 200, 3), np.uint8))
    table = tmp_path / "out.csv"
    assert whosthere("identify", "--gallery", demo_gallery, "--csv", table, folder).exit_code == 0
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames or ()) == COLUMNS
        found = list(reader)
    assert [(Path(r["file"]).name, r["outcome"]) for r in found] == [
        ("9.jpg", "unknown"),
        ("10.jpg", "recognized"),
        ("11.png", "no_face"),
    ]
    assert float(found[1]["similarity"]) > float(found[1]["threshold"])
    assert found[2]["similarity"] == ""


def test_a_table_that_cannot_be_written_is_said_before_any_work(demo_gallery: Path, tmp_path: Path) -> None:
    done = whosthere("identify", "--gallery", demo_gallery, "--csv", tmp_path / "no" / "out.csv", OBAMA_2009)
    assert done.exit_code == 2
    assert "no/out.csv: cannot be written: No such file or directory" in done.stderr


def test_a_full_disk_is_named(demo_gallery: Path) -> None:
    done = whosthere("identify", "--gallery", demo_gallery, "--csv", "/dev/full", OBAMA_2009)
    assert done.exit_code == 1
    assert "/dev/full: cannot be written: No space left on device" in done.stderr


def test_copies_are_marked_and_never_lie_over_anything(demo_gallery: Path, tmp_path: Path) -> None:
    for folder, photo in (("a", OBAMA_2009), ("b", COLLINS)):
        (tmp_path / folder).mkdir()
        shutil.copy(photo, tmp_path / folder / "door.jpg")
    (tmp_path / "a" / "deep").mkdir()
    shutil.copy(HOPPER, tmp_path / "a" / "deep" / "door.jpg")
    out = tmp_path / "a" / "out"
    done = whosthere("identify", "--gallery", demo_gallery, "--annotate", out, tmp_path / "a", tmp_path / "b")
    assert done.exit_code == 0
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.jpg")) == ["deep/door.jpg", "door-2.jpg", "door.jpg"]
    original, copy = read_picture(tmp_path / "a" / "door.jpg"), read_picture(out / "door.jpg")
    assert copy.shape == original.shape
    changed = np.abs(copy.astype(int) - original).max(axis=2) > 60
    assert 0.002 < changed.mean() < 0.2
    again = whosthere("identify", "--gallery", demo_gallery, "--annotate", out, tmp_path / "a")
    assert str(out) not in again.stdout
    whosthere("identify", "--gallery", demo_gallery, "--annotate", tmp_path / "b", tmp_path / "b" / "door.jpg")
    assert (tmp_path / "b" / "door.jpg").read_bytes() == COLLINS.read_bytes()


def film(path: Path, pictures: list[Image], code: str = "MJPG") -> Path:
    """A video at 10 frames a second, 480 x 560."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), 10.0, (480, 560))
    for image in pictures:
        writer.write(cv2.resize(image, (480, 560)))
    writer.release()
    return path


def test_a_video_is_a_row_a_visit(demo_gallery: Path, tmp_path: Path) -> None:
    nobody = np.full((560, 480, 3), 128, np.uint8)
    video = film(tmp_path / "door.avi", [nobody] * 10 + [read_picture(HOPPER)] * 20 + [nobody] * 10)
    out = tmp_path / "out"
    found = rows(demo_gallery, video, "--annotate", out)
    assert [(row["visit"], row["face"], row["outcome"], row["person_name"]) for row in found] == [
        (1, None, "recognized", "Grace Hopper")
    ]
    assert (found[0]["start_s"], found[0]["end_s"]) == (1.0, 2.9)
    assert int(str(found[0]["usable_faces"])) >= 3
    copy = cv2.VideoCapture(str(out / "door.mp4"))
    shape = [copy.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS)]
    assert shape == [480, 560, 10]
    assert copy.get(cv2.CAP_PROP_FRAME_COUNT) == 40
    spoken = whosthere("identify", "--gallery", demo_gallery, video).stdout
    assert "visit 1, 1.0-2.9 s" in spoken


def test_a_video_of_nobody_and_one_cut_off(demo_gallery: Path, tmp_path: Path) -> None:
    empty = film(tmp_path / "empty.avi", [np.full((560, 480, 3), 128, np.uint8)] * 5)
    assert [row["outcome"] for row in rows(demo_gallery, empty)] == ["no_face"]
    cut = film(tmp_path / "cut.avi", [read_picture(HOPPER)] * 30)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    done = whosthere("identify", "--gallery", demo_gallery, "--json", cut)
    assert done.exit_code == 1
    assert [row["outcome"] for row in json.loads(done.stdout)["rows"]] == ["recognized", "unreadable"]
    assert "cut.avi: only 1" in done.stderr


def test_a_threshold_of_ones_own_is_in_force(demo_gallery: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"gallery: {{path: {demo_gallery}}}\nmatch: {{threshold: 0.95}}\n")
    done = whosthere("identify", "--config", config, "--json", OBAMA_2009)
    report = json.loads(done.stdout)
    assert (report["threshold"], report["rows"][0]["outcome"]) == (0.95, "unknown")


@pytest.mark.parametrize("arguments", [[], ["--annotate", "/dev/null", "x.jpg"]])
def test_wrong_usage(demo_gallery: Path, arguments: list[str]) -> None:
    assert whosthere("identify", "--gallery", demo_gallery, *arguments).exit_code == 2


def test_stills_and_short_clips_are_answered_like_photos(demo_gallery: Path, tmp_path: Path) -> None:
    portrait = read_picture(OBAMA_2009)
    (tmp_path / "photo.mp4").write_bytes(OBAMA_2009.read_bytes())
    small = np.asarray(cv2.resize(portrait, (480, 560)), np.uint8)
    writer = cv2.VideoWriter(str(tmp_path / "two.avi"), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 10, (480, 560))
    writer.write(small)
    writer.write(small)
    writer.release()
    found = rows(demo_gallery, tmp_path / "photo.mp4", tmp_path / "two.avi")
    assert [row["person_name"] for row in found] == ["Barack Obama"] * 2
