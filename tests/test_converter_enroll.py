"""`whosthere-converter enroll` on real photos: what goes in, what does not and why, and the same bytes every time."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import pytest
from click.testing import CliRunner, Result

from converter.__main__ import main
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Consent
from support.album import VISITS, brighter, make_album
from support.portraits import BIDEN, COLLINS, OBAMA_2009, save, side_by_side


def enroll(folder: Path, output: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["enroll", str(folder), "-o", str(output), *options])


def report(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_folder_of_people_becomes_a_gallery(tmp_path: Path) -> None:
    people = make_album(tmp_path / "people")
    obama = people / "obama"
    brighter(obama / "barack-obama-photo.jpg", obama / "again.png")
    shutil.copy(people / "Joe Biden" / "joe-biden-photo.jpg", obama / "stray.jpg")
    (people / "Joe Biden" / "torn.jpg").write_bytes((obama / "stray.jpg").read_bytes()[:3000])
    output = tmp_path / "family.whg"
    told = report(enroll(people, output, "--json"))
    fates = {(p["person"], p["picture"]): (p["fate"], p["reason"]) for p in told["pictures"]}
    twins = {fates["Barack Obama", name][0] for name in ("again.png", "barack-obama-photo.jpg")}
    assert twins == {"in", "near-duplicate"}
    assert fates["Barack Obama", "stray.jpg"][0] == "set aside"
    reason = fates["Barack Obama", "stray.jpg"][1]
    assert reason.startswith("unlike the person's other photos: similarity 0.")
    assert reason.endswith("; it looks like Joe Biden (similarity 1.00)")
    assert fates["Joe Biden", "torn.jpg"] == ("refused", "the image is cut off or damaged; copy it again")
    gallery = open_gallery(output, None)
    assert {p.id: len(p.templates) for p in gallery.people} == {
        "grace-hopper": 1,
        "joe-biden": 1,
        "barack-obama": 3,
    }
    known = gallery.person("barack-obama")
    assert known and known.notes == "a neighbour"
    assert isinstance(known.consent, Consent) and known.consent.purpose == "the front door"
    assert known.expires_at == datetime(2099, 2, 1, tzinfo=UTC)
    assert "Joe Biden: person.yaml states no consent" in told["warnings"]
    sheet = cv2.imread(told["sheet"])
    assert sheet is not None and sheet.shape[0] > 3 * 112


def test_the_same_photos_give_the_same_bytes_and_a_changed_one_the_next_version(tmp_path: Path) -> None:
    people, output = make_album(tmp_path / "people"), tmp_path / "family.whg"
    assert enroll(people, output).exit_code == 0
    first = output.read_bytes(), output.with_suffix(".png").read_bytes()
    copy, elsewhere = tmp_path / "copy", tmp_path / "elsewhere.whg"
    shutil.copytree(people, copy, copy_function=shutil.copyfile)
    os.utime(copy / "obama" / "person.yaml", (1, 1))
    assert enroll(copy, elsewhere).exit_code == 0
    assert (elsewhere.read_bytes(), elsewhere.with_suffix(".png").read_bytes()) == first
    assert enroll(people, output).exit_code == 0
    assert output.read_bytes() == first[0]
    shutil.copy(VISITS / "eileen-collins.jpg", people / "Grace Hopper")
    (people / "Grace Hopper").rename(people / "Eileen Collins")
    told = report(enroll(people, output, "--json"))
    assert (told["version"], told["people"]) == (2, 3)
    assert report(enroll(people, output, "--version", "7", "--json"))["version"] == 7


def test_look_alikes_are_told_with_what_is_left(tmp_path: Path) -> None:
    people = make_album(tmp_path / "people")
    (people / "Barry").mkdir()
    shutil.move(next((people / "obama").glob("visit-*2009.jpg")), people / "Barry")
    told = report(enroll(people, tmp_path / "family.whg", "--json"))
    [pair] = told["lookalikes"]
    assert set(pair["names"]) == {"Barry", "Barack Obama"}
    assert pair["margin"] < 0
    assert pair["margin"] == pytest.approx(told["threshold"] - pair["similarity"], abs=1e-3)


def test_whose_time_has_run_out_is_left_out(tmp_path: Path) -> None:
    people = make_album(tmp_path / "people")
    (people / "Joe Biden" / "person.yaml").write_text("expires: 2020-05-01\n")
    told = report(enroll(people, tmp_path / "family.whg", "--json"))
    assert "Joe Biden: left out: person.yaml allows recognition only before 2020-05-02" in told["warnings"]
    assert open_gallery(tmp_path / "family.whg", None).person("Joe Biden") is None


def test_frames_of_a_video_count_when_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "people" / "Barack Obama"
    folder.mkdir(parents=True)
    portrait = cv2.imread(str(VISITS / "barack-obama-2009.jpg"))
    assert portrait is not None
    video = cv2.VideoWriter(str(folder / "door.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 4, portrait.shape[1::-1])
    for _ in range(8):
        video.write(portrait)
    video.release()
    refused = enroll(folder.parent, tmp_path / "family.whg")
    assert refused.exit_code == 4 and "none of the photos can be used" in refused.output
    told = report(enroll(folder.parent, tmp_path / "family.whg", "--from-video", "--json"))
    assert sorted(p["fate"] for p in told["pictures"]) == ["in", *["near-duplicate"] * 3]
    assert told["pictures"][1]["picture"] == "door.avi@0.5s"


def test_a_face_among_several_is_chosen_or_picked_in_person_yaml(tmp_path: Path) -> None:
    people = make_album(tmp_path / "people")
    ben = people / "Joe Biden"
    save(ben / "party.png", side_by_side(COLLINS, BIDEN))
    save(people / "Grace Hopper" / "party.png", side_by_side(COLLINS, OBAMA_2009))
    told = report(enroll(people, tmp_path / "family.whg", "--json"))
    found = {(p["person"], p["picture"]): (p["fate"], p["reason"]) for p in told["pictures"]}
    assert "near-duplicate" in {found["Joe Biden", name][0] for name in ("party.png", "joe-biden-photo.jpg")}
    fate, reason = found["Grace Hopper", "party.png"]
    assert fate == "refused"
    assert reason.startswith("2 faces in it, and none is like the other photos (similarity 0.")
    assert reason.endswith(
        "; write the number of the right face from the left in person.yaml, as `faces: {photo: number}`, or crop the "
        "photo"
    )
    (ben / "joe-biden-photo.jpg").unlink()
    (ben / "person.yaml").write_text("faces: {party.png: 2}\n")
    told = report(enroll(people, tmp_path / "family.whg", "--json"))
    [party] = [p for p in told["pictures"] if p["person"] == "Joe Biden"]
    assert party["fate"] == "in" and "face 2 of 2" in party["reason"] and "picked by number" in party["reason"]
    (ben / "person.yaml").write_text("faces: {wedding.png: 2}\n")
    wrong = enroll(people, tmp_path / "family.whg")
    assert wrong.exit_code == 1
    assert "person.yaml: faces: found 'wedding.png', which is no photo in the folder" in wrong.output
