"""`whosthere enroll` on real faces: what goes in, what is refused and why, and what is reported."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.config import typed_yaml
from edge.galleries.file import open_gallery
from edge.records import Image
from support.portraits import (
    BIDEN,
    COLLINS,
    HOPPER,
    OBAMA,
    OBAMA_2009,
    OBAMA_2010,
    PORTRAITS,
    darkened,
    read_picture,
    save,
    side_by_side,
    whosthere,
)


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    return tmp_path / "family.whg"


def sources(gallery: Path) -> dict[str, list[str]]:
    return {p.name: [t.source for t in p.templates] for p in open_gallery(gallery, None).people}


def test_photos_and_folders_make_a_gallery(gallery: Path) -> None:
    done = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", OBAMA.parent, OBAMA_2009)
    assert done.exit_code == 0, done.output
    assert "Barack Obama (barack-obama): new, with 2 templates" in done.stdout
    more = whosthere("enroll", "--gallery", gallery, "--person", " Barack  Obama", OBAMA_2010)
    assert "Barack Obama (barack-obama): 1 new template, 3 in all" in more.stdout
    assert sources(gallery) == {"Barack Obama": ["photo.jpg", OBAMA_2009.name, OBAMA_2010.name]}
    assert open_gallery(gallery, None).header.version == 2


def test_the_template_of_a_grey_photo_is_marked_and_shown(gallery: Path, tmp_path: Path) -> None:
    colour = read_picture(OBAMA_2009)
    grey = save(tmp_path / "night.png", np.asarray(cv2.merge([cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY)] * 3), np.uint8))
    assert whosthere("enroll", "--gallery", gallery, "--person", "Ada", OBAMA, grey).exit_code == 0
    assert [t.infrared for t in open_gallery(gallery, None).people[0].templates] == [False, True]
    shown = whosthere("gallery", "show", "ada", "--gallery", gallery).stdout.splitlines()
    assert [line.split()[-1] == "infrared" for line in shown if ".jpg" in line or ".png" in line] == [False, True]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Nguyễn Văn Hùng", "Nguyễn Văn Hưng"),
        ("Barack Obama", "barack obama"),
        ("Ada \U0001f600", "Ada"),
        ("a-b", "a b"),
    ],
)
def test_a_similar_name_is_another_person_and_the_command_says_so(gallery: Path, first: str, second: str) -> None:
    assert whosthere("enroll", "--gallery", gallery, "--person", first, OBAMA).exit_code == 0
    done = whosthere("enroll", "--gallery", gallery, "--person", second, BIDEN)
    assert done.exit_code == 0, done.output
    one, other = open_gallery(gallery, None).people
    assert (one.name, other.name) == (first, second) and one.id != other.id
    assert f"{second} is not {first} ({one.id}), whose name is similar" in done.stdout
    show = whosthere("gallery", "show", "--gallery", gallery, one.id if one.id != second else first)
    assert show.exit_code == 0, show.output


def blurred(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 10), np.uint8)


def tiny(image: Image) -> Image:
    small = cv2.resize(image, None, fx=0.1, fy=0.1, interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(small, 40, 40, 60, 60, cv2.BORDER_REPLICATE).astype(np.uint8)


def upside_down(image: Image) -> Image:
    return np.ascontiguousarray(image[::-1, ::-1])


def on_its_side(image: Image) -> Image:
    return np.ascontiguousarray(np.rot90(image))


def half_a_face(image: Image) -> Image:
    return np.ascontiguousarray(image[:, : image.shape[1] * 60 // 100])


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (blurred, r"the face is too blurred: sharpness \d+\.\d, 2\.5 is needed; take a photo that is in focus"),
        (darkened, r"the face is too dark: brightness \d+ of 255, 25 is needed; take a photo with light on the face"),
        (tiny, r"the face is too small: \d+ pixels between the eyes, 12 are needed; take a larger photo"),
        (upside_down, "the photo is upside down; turn it upright"),
        (on_its_side, "the photo lies on its side; turn it upright"),
        (half_a_face, "the face is cut off at the edge of the picture; take one that shows the whole face"),
    ],
)
def test_an_unusable_face_is_refused_in_plain_words(
    gallery: Path, tmp_path: Path, spoil: Callable[[Image], Image], reason: str
) -> None:
    bad = save(tmp_path / "bad.png", spoil(read_picture(OBAMA)))
    done = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", bad, OBAMA)
    assert done.exit_code == 1
    assert any(line.startswith(f"{bad}: refused: ") for line in done.stdout.splitlines())
    assert re.search(reason, done.stdout), done.stdout
    assert "1 of 2 photos refused, 1 is in" in done.stderr
    assert sources(gallery) == {"Barack Obama": ["photo.jpg"]}


def test_each_photo_that_cannot_be_used_is_named_and_the_rest_go_in(gallery: Path, tmp_path: Path) -> None:
    group = save(tmp_path / "group.jpg", side_by_side(COLLINS, BIDEN))
    wall = save(tmp_path / "wall.jpg", np.full((400, 600, 3), (120, 160, 180), np.uint8))
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(OBAMA_2010.read_bytes()[:40_000])
    letter = tmp_path / "letter.jpg"
    letter.write_text("no photo")
    missing, empty = tmp_path / "missing.jpg", tmp_path / "empty"
    empty.mkdir()
    paths = [group, wall, cut, letter, missing, empty, OBAMA]
    done = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", "--json", *paths)
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    reasons = {photo["photo"]: photo["reason"] for photo in report["photos"]}
    assert reasons == {
        str(group): reasons[str(group)],
        str(wall): "no face found; take a photo that shows the whole face from the front",
        str(cut): "the image is cut off or damaged; copy it again",
        str(letter): "not an image in a supported format (JPEG, PNG, WebP, BMP, TIFF)",
        str(missing): "no such file",
        str(empty): "a folder without photos",
        str(OBAMA): None,
    }
    assert reasons[str(group)].startswith("2 faces in it, and none is like the other photos (similarity 0.")
    assert [photo["result"] for photo in report["photos"]] == ["refused"] * 6 + ["enrolled"]
    assert (report["written"], report["templates"], report["version"]) == (True, 1, 1)
    assert "6 of 7 photos refused, 1 is in" in done.stderr


def test_when_none_goes_in_nothing_is_written(gallery: Path, tmp_path: Path) -> None:
    wall = save(tmp_path / "wall.jpg", np.zeros((400, 600, 3), np.uint8))
    done = whosthere("enroll", "--gallery", gallery, "--person", "Ada", wall)
    assert done.exit_code == 4
    assert not gallery.exists()
    assert "1 of 1 photo refused" in done.stderr


def test_the_same_photo_is_taken_once(gallery: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.png"
    save(copy, read_picture(OBAMA))
    whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", OBAMA)
    before = gallery.read_bytes()
    again = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", OBAMA, copy)
    assert again.exit_code == 0
    assert f"{copy}: skipped: the same picture as photo.jpg" in again.stdout
    assert "nothing added" in again.stdout
    assert gallery.read_bytes() == before


def test_a_face_that_fills_its_picture_goes_in(gallery: Path, tmp_path: Path) -> None:
    left, top, side = 171, 139, 195
    close = save(tmp_path / "close.png", read_picture(HOPPER)[top : top + side, left : left + side])
    done = whosthere("enroll", "--gallery", gallery, "--person", "Grace Hopper", HOPPER, close)
    assert done.exit_code == 0, done.output
    assert len(sources(gallery)["Grace Hopper"]) == 2
    assert "looks unlike" not in done.stdout


def test_a_photo_of_somebody_else_is_set_aside_and_a_picked_face_is_warned_about(gallery: Path) -> None:
    whosthere("enroll", "--gallery", gallery, "--person", "Joe Biden", BIDEN)
    done = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", OBAMA, OBAMA_2009, COLLINS, BIDEN)
    assert done.exit_code == 1
    assert "2 of 4 photos set aside, 2 are in" in done.stderr
    aside = [line for line in done.stdout.splitlines() if "set aside: unlike the person's other photos" in line]
    assert [line.partition(":")[0] for line in aside] == [str(COLLINS), str(BIDEN)]
    assert "looks like" not in aside[0] and "; it looks like Joe Biden (similarity 1.00)" in aside[1]
    assert len(sources(gallery)["Barack Obama"]) == 2
    alone = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", COLLINS)
    assert alone.exit_code == 4 and "1 of 1 photo set aside" in alone.stderr
    picked = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", "--face", "1", COLLINS)
    assert picked.exit_code == 0
    odd = [line for line in picked.stdout.splitlines() if "looks unlike" in line]
    assert [line.partition(":")[0] for line in odd] == [COLLINS.name]
    assert "check who is in it" in odd[0]


def beside(person: Path, *bystanders: Path, shrink: float = 1.0) -> Image:
    """The person in the middle, bystanders to the right and left, each `shrink` times as high as the person."""
    middle = np.asarray(cv2.resize(read_picture(person), (500, 600)), np.uint8)
    canvas = np.full((600, 500 + 2 * 500, 3), 90, np.uint8)
    canvas[:, 500:1000] = middle
    for column, path in zip((1000, 0), bystanders, strict=False):
        small = cv2.resize(read_picture(path), (round(500 * shrink), round(600 * shrink)), interpolation=cv2.INTER_AREA)
        canvas[-small.shape[0] :, column : column + small.shape[1]] = small
    return canvas


def test_the_face_that_is_by_far_the_largest_and_central_is_taken_and_shown(gallery: Path, tmp_path: Path) -> None:
    photo = save(tmp_path / "garden.png", beside(OBAMA, BIDEN, HOPPER, shrink=0.3))
    done = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", "--json", photo)
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)["photos"]
    assert (told["face"], told["faces"], told["by_size"]) == (2, 3, True)
    assert re.fullmatch(
        r"face 2 of 3, \d+ px wide, at the top centre: by far the largest, and in the middle", told["choice"]
    )
    spoken = whosthere("enroll", "--gallery", tmp_path / "other.whg", "--person", "Barack Obama", photo)
    wrong = whosthere("enroll", "--gallery", tmp_path / "other.whg", "--person", "Joe Biden", photo)
    assert wrong.exit_code == 4 and "the largest is like somebody else in the gallery" in wrong.stdout
    assert "no other photo to compare it with: check that it is the right face" in spoken.stdout
    found = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", OBAMA_2009)
    assert found.exit_code == 0, "the face that was taken is his"


def test_a_face_among_several_is_chosen_by_likeness_to_the_other_photos(gallery: Path, tmp_path: Path) -> None:
    group = save(tmp_path / "group.jpg", side_by_side(BIDEN, OBAMA_2009, COLLINS))
    done = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", "--json", group, OBAMA)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)["photos"][0]
    assert (told["face"], told["faces"], told["by_size"]) == (2, 3, False)
    assert ": like the other photos (similarity 0." in told["choice"]
    later = whosthere("enroll", "--gallery", gallery, "--person", "Eileen Collins", COLLINS)
    assert later.exit_code == 0
    again = whosthere("enroll", "--gallery", gallery, "--person", "Eileen Collins", "--json", group)
    assert json.loads(again.stdout)["photos"][0]["reason"].startswith("the same picture as eileen-collins.jpg")


def test_faces_that_nobody_can_choose_from_are_listed_and_numbered_and_one_can_be_picked(
    gallery: Path, tmp_path: Path
) -> None:
    group = save(tmp_path / "group.png", side_by_side(BIDEN, OBAMA_2009))
    marked = tmp_path / "marked"
    done = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", "--annotate", marked, group)
    assert done.exit_code == 4
    listed = re.search(
        r"2 faces in it, none by far the largest and central: 1: \d+ px wide, at the top left; 2: \d+ px wide, "
        r"at the right; give this photo alone, with --face and the number of the right face from the left, or crop "
        r"the photo",
        done.stdout,
    )
    assert listed, done.stdout
    copy = read_picture(marked / "group.png")
    assert copy.shape == read_picture(group).shape
    assert (copy != read_picture(group)).any()
    wrong = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", "--face", "3", group)
    assert wrong.exit_code == 4
    assert "found no face 3 in it; allowed: 1 to 2; faces: 1: " in wrong.stdout
    picked = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", "--face", "2", group)
    assert picked.exit_code == 0
    assert "picked by number" in picked.stdout
    assert whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", OBAMA).exit_code == 0


def test_a_large_face_that_cannot_be_used_never_makes_room_for_a_bystander(gallery: Path, tmp_path: Path) -> None:
    photo = beside(OBAMA, BIDEN, shrink=0.4)
    photo[:, 500:1000] = cv2.GaussianBlur(photo[:, 500:1000], (0, 0), 9)
    done = whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", save(tmp_path / "soft.png", photo))
    assert done.exit_code == 4
    assert "soft.png: refused: the face is too blurred" in done.stdout


def test_a_photo_that_looks_like_another_person_is_reported(gallery: Path) -> None:
    whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", OBAMA)
    done = whosthere("enroll", "--gallery", gallery, "--person", "Barry", "--json", OBAMA_2009)
    alike = json.loads(done.stdout)["lookalikes"]
    assert [(a["photo"], a["person_name"], a["other"]) for a in alike] == [
        (OBAMA_2009.name, "Barack Obama", "photo.jpg")
    ]
    assert 0.7 < alike[0]["similarity"] < 0.9
    spoken = whosthere("enroll", "--gallery", gallery, "--person", "Barry", OBAMA_2010).stdout
    assert "looks like Barack Obama in photo.jpg (similarity 0.8" in spoken
    assert "may come out as `uncertain`" in spoken
    twice = whosthere("enroll", "--gallery", gallery, "--person", "Bo", OBAMA).stdout
    assert "the same picture, or one person under two names" in twice


def test_a_dry_run_writes_nothing(gallery: Path) -> None:
    done = whosthere("enroll", "--gallery", gallery, "--person", "Ada", "--dry-run", OBAMA)
    assert done.exit_code == 0
    assert "would be enrolled" in done.stdout
    assert not gallery.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["--person", "Ada"], 2, "found neither or both"),
        (["--person", "Ada", "--camera", "x.jpg"], 2, "found neither or both"),
        (["--person", "Ada", "--camera", "--face", "1"], 2, "--face and --annotate are for photos"),
        (["--person", "Ada", "--face", "0", "x.jpg"], 2, "--face"),
        (["--person", "Ada", "--face", "1", "x.jpg", "y.jpg"], 2, "--face: found 2 photos; allowed: one"),
        (["--person", " ", "x.jpg"], 2, "it is empty"),
        (["--person", "a\nb", "x.jpg"], 2, "unprintable"),
        (["x.jpg"], 2, "--person"),
    ],
)
def test_wrong_usage(gallery: Path, arguments: list[str], code: int, complaint: str) -> None:
    done = whosthere("enroll", "--gallery", gallery, *arguments)
    assert done.exit_code == code
    assert complaint in done.stderr


def test_a_folder_that_is_not_there_is_said_before_any_work(tmp_path: Path) -> None:
    done = whosthere("enroll", "--gallery", tmp_path / "no" / "family.whg", "--person", "Ada", OBAMA)
    assert done.exit_code == 4
    assert "no/family.whg: its folder cannot be used: No such file or directory" in done.stderr


def test_a_damaged_gallery_is_not_overwritten(gallery: Path) -> None:
    gallery.write_bytes(b"something else")
    done = whosthere("enroll", "--gallery", gallery, "--person", "Ada", OBAMA)
    assert done.exit_code == 4
    assert "family.whg: not a gallery, or damaged" in done.stderr
    assert gallery.read_bytes() == b"something else"


def before_camera(tmp_path: Path, pictures: list[Image]) -> Path:
    """A config whose camera shows these pictures, a second each at four frames a second."""
    recording = tmp_path / "door"
    recording.mkdir()
    for i, image in enumerate(pictures):
        small = np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        for j in range(4):
            save(recording / f"{i * 4 + j}.jpg", small)
    config = tmp_path / "config.yaml"
    config.write_text(typed_yaml.dump({"camera": {"source": str(recording), "fps": 4.0, "realtime": False}}))
    return config


def test_the_camera_counts_down_and_takes_what_is_good_and_new(gallery: Path, tmp_path: Path) -> None:
    dark, crowd = darkened(read_picture(OBAMA)), side_by_side(OBAMA, BIDEN)
    shown = [read_picture(OBAMA)] * 4 + [
        dark,
        crowd,
        read_picture(OBAMA_2009),
        read_picture(COLLINS),
        read_picture(OBAMA_2010),
    ]
    config = before_camera(tmp_path, shown)
    arguments = ("--gallery", gallery, "--config", config, "--person", "Barack Obama", "--camera")
    done = whosthere("enroll", *arguments, "--count", "3")
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines() == [
        "3... look into the camera",
        "2... look into the camera",
        "1... look into the camera",
        "1 of 3: taken",
        "1 of 3: turn your head a little, or smile",
        "1 of 3: more light on your face, please",
        "1 of 3: 2 faces are in view; one person at a time, please",
        "2 of 3: taken",
        "2 of 3: turn your head a little, or smile",
        "2 of 3: that looks like somebody else; only one person, please",
        "3 of 3: taken",
    ]
    assert sources(gallery) == {"Barack Obama": ["camera"] * 3}
    assert whosthere("gallery", "verify", "--gallery", gallery).stdout.count("\n") == 2


def test_the_camera_takes_nobody_else_for_somebody_who_is_enrolled(gallery: Path, tmp_path: Path) -> None:
    assert whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", OBAMA).exit_code == 0
    config = before_camera(tmp_path, [read_picture(BIDEN)] * 5 + [read_picture(OBAMA_2009)])
    arguments = ("--gallery", gallery, "--config", config, "--person", "Barack Obama", "--camera")
    done = whosthere("enroll", *arguments, "--count", "1")
    assert done.exit_code == 0, done.output
    assert "0 of 1: that looks like somebody else; only one person, please" in done.stderr
    assert "looks unlike" not in done.stdout


def test_a_small_picture_on_the_wall_does_not_stop_the_camera_and_is_reported(gallery: Path, tmp_path: Path) -> None:
    config = before_camera(tmp_path, [beside(OBAMA, BIDEN, shrink=0.4)] * 5)
    arguments = ("--gallery", gallery, "--config", config, "--person", "Barack Obama", "--camera")
    done = whosthere("enroll", *arguments, "--count", "1", "--json")
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)["photos"]
    assert (told["face"], told["faces"], told["by_size"]) == (1, 2, True)
    assert "by far the largest, and in the middle" in told["choice"]
    assert whosthere("enroll", "--gallery", gallery, "--person", "Barack Obama", OBAMA_2009).exit_code == 0


def test_too_little_time_before_the_camera(gallery: Path, tmp_path: Path) -> None:
    config = before_camera(tmp_path, [read_picture(OBAMA)] * 7)
    arguments = ("--gallery", gallery, "--config", config, "--person", "Barack Obama", "--camera")
    done = whosthere("enroll", *arguments, "--timeout", "5")
    assert done.exit_code == 1
    assert "only 1 of 5 portraits" in done.stderr
    assert "most often: turn your head a little, or smile" in done.stderr
    assert sources(gallery) == {"Barack Obama": ["camera"]}


def test_a_crowd_before_the_camera_is_nobody(gallery: Path, tmp_path: Path) -> None:
    config = before_camera(tmp_path, [side_by_side(OBAMA, BIDEN)] * 5)
    done = whosthere("enroll", "--gallery", gallery, "--config", config, "--person", "Ada", "--camera")
    assert done.exit_code == 4
    assert "only 0 of 5 portraits" in done.stderr
    assert not gallery.exists()


def test_a_camera_that_is_not_there(gallery: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("camera: {source: nowhere.mp4}\n")
    done = whosthere("enroll", "--gallery", gallery, "--config", config, "--person", "Ada", "--camera")
    assert done.exit_code == 5
    assert "nowhere.mp4" in done.stderr


def test_the_portraits_of_the_demo_are_told_apart(gallery: Path) -> None:
    for folder in sorted((PORTRAITS / "enroll").iterdir()):
        done = whosthere("enroll", "--gallery", gallery, "--person", folder.name, "--json", folder)
        report = json.loads(done.stdout)
        assert (report["lookalikes"], report["outliers"]) == ([], [])
