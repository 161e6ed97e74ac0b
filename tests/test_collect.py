"""Photos of a person from a video: good, varied, and of one person."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from converter.collect import collect
from converter.people_folder import photos_by_person
from edge.capture.clip import VideoClip
from edge.faces.likeness import LikenessBar
from edge.models import card
from edge.records import Image
from support.converting import run
from support.portraits import BIDEN, HOPPER, OBAMA, OBAMA_2009, analyser, read_picture, save

CLIP = Path(edge.__file__).parent / "demo" / "clip.mp4"
CALIBRATION = card.read_card(card.find("mobilefacenet")).calibration
assert CALIBRATION is not None
BAR = LikenessBar(CALIBRATION)


def small(name: str, light: float = 1.0) -> Image:
    image = read_picture(name)
    scale = 500 / max(image.shape[:2])
    return cv2.convertScaleAbs(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), alpha=light)


def test_frames_that_show_one_good_face_of_the_person_are_chosen() -> None:
    wall = np.full((300, 300, 3), 120, np.uint8)
    both = np.hstack([cv2.resize(small(one), (400, 500)) for one in (OBAMA, BIDEN)])
    frames = [small(OBAMA), small(OBAMA), small(OBAMA_2009), small(OBAMA_2009, 0.8), wall, both, small(HOPPER)]

    found = collect(enumerate(map(np.asarray, frames)), analyser(), BAR, 5)

    assert [one.shot.source for one in found.photos] in (["0.0 s", "2.0 s"], ["0.0 s", "3.0 s"])
    assert (found.frames, found.refused["nobody is in view"], found.refused["several faces are in view"]) == (7, 1, 1)
    assert [verdict.fate.value for verdict in found.verdicts].count("set aside") == 1
    for photo in found.photos:
        (again,) = analyser().portraits(photo.picture)
        assert again.embedding is not None and float(again.embedding @ photo.shot.vector) > 0.9


@pytest.mark.slow
def test_a_video_becomes_a_folder_of_a_data_set(tmp_path: Path) -> None:
    clip, frames = VideoClip(CLIP), tmp_path / "frames"
    frames.mkdir()
    while (at_s := clip.grab()) is not None and at_s < 9:
        if at_s > 2:
            save(frames / f"{at_s:06.2f}.png", clip.picture())
    clip.close()
    arguments = ("--video", frames, "--person", "Barack", "-o", tmp_path / "set", "--count", "3", "--every", "0.5")

    code, printed, said = run("collect", *arguments)

    assert code == 0, said
    photos = photos_by_person(tmp_path / "set")
    names = [path.name for path in photos["Barack"]]
    assert names == [f"{n:04}.jpg" for n in range(1, len(names) + 1)] and 1 <= len(names) <= 3
    assert f"Barack: {len(names)} photos, 0001.jpg to" in printed
    assert cv2.imread(str(tmp_path / "set-Barack.png")) is not None
    assert run("collect", *arguments)[0] == 0
    assert len(photos_by_person(tmp_path / "set")["Barack"]) == 2 * len(names), "what is there stays"


def test_a_part_of_a_video(tmp_path: Path) -> None:
    part = ("--video", CLIP, "--start", "26", "--seconds", "2", "--every", "0.5", "--person", "Joe Biden")

    code, printed, said = run("collect", *part, "-o", tmp_path / "set")

    assert code == 0, said
    assert "from 5 frames" in printed, "at 26, 26.5, 27, 27.5 and 28 s"
    photos = photos_by_person(tmp_path / "set")["Joe Biden"]
    (face,) = analyser().portraits(read_picture(photos[0]))
    (portrait,) = analyser().portraits(read_picture(BIDEN))
    assert face.embedding is not None and portrait.embedding is not None
    assert float(face.embedding @ portrait.embedding) > 0.5, "he comes at 21.7 s"


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (("--person", "Ada"), 2, "neither or both of --camera and --video"),
        (("--person", "a/b", "--video", CLIP), 2, "allowed: what can be the name of a folder"),
        (("--person", " ", "--video", CLIP), 2, "cannot be a name"),
        (("--person", "Ada", "--camera", "nowhere:1"), 3, "nowhere"),
    ],
)
def test_bad_options(tmp_path: Path, options: tuple[str | Path, ...], code: int, error: str) -> None:
    found, _, said = run("collect", *options, "-o", tmp_path / "set")
    assert (found, error in said) == (code, True), said
    assert not (tmp_path / "set").exists()


def test_a_video_without_a_usable_face_says_why(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    save(tmp_path / "frames" / "1.png", np.full((300, 300, 3), 120, np.uint8))
    code, _, said = run("collect", "--video", tmp_path / "frames", "--person", "Ada", "-o", tmp_path / "set")
    assert (code, "no usable face in 1 frame (nobody is in view: 1)" in said) == (1, True), said
