"""`whosthere verify` with what it should refuse: each time one clear error, its exit code, and never a yes."""

import gzip
import json
import os
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.__main__ import main
from support.portraits import HOPPER, OBAMA, OBAMA_2009

PERSON = "Barack Obama"
CLIP = Path(__file__).parents[1] / "edge" / "demo" / "clip.mp4"
ANSWER, REFUSED = {0, 1}, {2, 3, 4, 5}
NOISE = np.random.default_rng(0).bytes(4000)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a gallery of two."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, photo in ((PERSON, OBAMA), ("Grace Hopper", HOPPER)):
        asked = ["enroll", "--gallery", str(folder / "family.whg"), "--person", name, str(photo)]
        assert CliRunner().invoke(main, asked).exit_code == 0
    return folder


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for display in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(display, raising=False)


def verify(box: Path, *rest: str | Path) -> Result:
    """Run it. Whatever it is asked, it ends on its own, and says why on standard error when it has no answer."""
    result = CliRunner().invoke(main, ["verify", "--gallery", str(box / "family.whg"), *map(str, rest)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    if result.stdout:
        assert result.exit_code in ANSWER, result.output
        assert result.stdout.startswith("not ") == (result.exit_code == 1) or "--json" in rest, result.output
    else:
        assert result.exit_code in REFUSED, result.output
        assert result.stderr.strip()
    return result


def picture(height: int, width: int, kind: str = ".png") -> bytes:
    return cv2.imencode(kind, np.full((height, width, 3), 90, np.uint8))[1].tobytes()


PHOTO, VIDEO = OBAMA_2009.read_bytes(), CLIP.read_bytes()
NO_PICTURES: dict[str, bytes] = {
    "empty.jpg": b"",
    "empty.mp4": b"",
    "noise.jpg": NOISE,
    "noise.mp4": NOISE,
    "noise": NOISE,
    "cut.jpg": PHOTO[: len(PHOTO) // 2],
    "head.jpg": PHOTO[:300],
    "cut.mp4": VIDEO[:200_000],
    "no-head.mp4": VIDEO[5000:300_000],
    "video.jpg": VIDEO[:200_000],
    "words.txt": b"Barack Obama\n",
    "photo.jpg.gz": gzip.compress(PHOTO),
    "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "huge.gif": b"GIF89a" + b"\xff" * 200,
    "huge.webp": b"RIFF\0\0\0\0WEBPVP8 " + NOISE[:200],
    "none.heic": b"\0\0\0\x18ftypheic" + NOISE[:200],
    "none.avi": b"RIFF\0\0\0\0AVI " + NOISE[:300],
    "narrow.png": picture(3000, 10),
    "two\nlines.jpg": NOISE,
    "caf\udce9.jpg": NOISE,
}


@pytest.mark.parametrize(("name", "content"), NO_PICTURES.items(), ids=map(ascii, NO_PICTURES))
def test_a_file_that_is_no_picture_is_named(name: str, content: bytes, box: Path, tmp_path: Path) -> None:
    """5, and not 1: that is an answer."""
    (tmp_path / name).write_bytes(content)

    result = verify(box, "--person", PERSON, tmp_path / name)

    assert result.exit_code == 5, result.output
    assert result.stdout == ""
    assert name.encode("unicode_escape").decode() in result.stderr
    assert len(result.stderr.splitlines()) == 1


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as one, pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        one.bind(path.name)


NO_FILES: dict[str, Callable[[Path], None]] = {
    "nothing": lambda _: None,
    "pipe": make_pipe,
    "socket": make_socket,
    "broken link": lambda path: path.symlink_to(path.with_name("nowhere")),
    "link to itself": lambda path: path.symlink_to(path),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "no permission": lambda path: (path.write_bytes(PHOTO), path.chmod(0))[1],
}


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_cannot_be_read_is_named_and_not_waited_for(kind: str, box: Path, tmp_path: Path) -> None:
    if kind == "no permission" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    NO_FILES[kind](tmp_path / "face.jpg")

    result = verify(box, "--person", PERSON, tmp_path / "face.jpg")

    assert (result.exit_code, "face.jpg: " in result.stderr) == (5, True), result.output


def test_a_folder_is_a_video_or_has_no_pictures(box: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number in range(4):
        (tmp_path / "frames" / f"{number}.jpg").write_bytes(PHOTO)
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "a.txt").write_text("Barack Obama")

    seen, empty = (verify(box, "--person", PERSON, tmp_path / name) for name in ("frames", "words"))

    assert seen.exit_code == 0, seen.output
    assert "3 usable faces" in seen.stdout
    assert (empty.exit_code, "words: " in empty.stderr) == (5, True), empty.output


@pytest.mark.parametrize("image", [picture(1, 1), picture(40, 40), picture(300, 300, ".bmp")])
def test_a_picture_of_nobody_is_a_no(image: bytes, box: Path, tmp_path: Path) -> None:
    (tmp_path / "wall.png").write_bytes(image)

    result = verify(box, "--person", PERSON, "--json", tmp_path / "wall.png")

    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (report["verified"], report["similarity"], report["usable_faces"]) == (False, None, 0)


def test_a_file_is_not_turned_as_the_camera_s_pictures_are(box: Path, tmp_path: Path) -> None:
    """Nor is it played over and over: without that, four pictures are no ten seconds."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.jpg").write_bytes(PHOTO)
    config = tmp_path / "config.yaml"
    config.write_text("camera: {source: 'v4l2:0', rotation: 180, loop: true, fps: 4}\n", encoding="utf-8")

    result = verify(box, "--config", config, "--json", "--person", "Grace Hopper", folder)

    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (report["usable_faces"], report["seconds"]) == (4, 0.75)


TIMEOUTS = st.one_of(
    st.sampled_from(["nan", "-nan", "inf", "-inf", "-1", "0", "0.99", "3600.01", "1e999", "1,5", "0x10", "1e3", "٣"]),
    st.floats().map(repr),
    st.integers().map(str),
)
NAMES = st.one_of(
    st.sampled_from(
        ["BARACK  OBAMA", "barack-obama", " ", "\u200b", "../..", "\x1b[31m", "%s", "-x", "--json", "\udce9"]
    ),
    st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=200),
)
FLAGS = st.lists(st.sampled_from(["--json", "--camera", "--window", "--no-window"]), unique=True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TIMEOUTS, NAMES, FLAGS, st.integers(0, 2))
@example("1", PERSON, ["--window"], 1)
@example("1", PERSON, ["--json", "--no-window"], 1)
@example("1", PERSON, ["--camera"], 1)
@example("1", PERSON, [], 2)
@example("1", PERSON, [], 0)
@example("1", "Nobody" * 10_000, [], 1)
def test_no_option_makes_a_yes_or_a_traceback(box: Path, timeout: str, name: str, flags: list[str], files: int) -> None:
    """The photo shows Obama: the answer is yes only where all else is in order."""
    result = verify(box, f"--timeout={timeout}", f"--person={name}", *flags, *[OBAMA_2009] * files)

    if result.exit_code == 0:
        assert " ".join(name.replace("-", " ").split()).casefold() == PERSON.casefold()
        assert (files, {"--camera", "--window"} & set(flags)) == (1, set())
        assert 1 <= float(timeout) <= 3600
    if "--json" in flags and result.stdout:
        assert json.loads(result.stdout)["verified"] == (result.exit_code == 0)


@pytest.mark.parametrize("content", [None, b"", NOISE, PHOTO])
def test_a_gallery_that_is_none_is_named(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "family.whg").write_bytes(content)

    result = verify(tmp_path, "--person", PERSON, OBAMA_2009)

    assert (result.exit_code, "family.whg: " in result.stderr) == (4, True), result.output


def test_a_display_that_cannot_be_used_leaves_the_terminal(
    box: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if "GUI:                           NONE" not in cv2.getBuildInformation():
        pytest.skip("this OpenCV opens windows; Qt ends the process where it cannot")
    monkeypatch.setenv("DISPLAY", ":77")

    asked, left = (verify(box, "--person", PERSON, *how, CLIP) for how in (["--window"], []))

    assert (asked.exit_code, "cannot open windows" in asked.stderr) == (2, True)
    assert (left.exit_code, "similarity" in left.stderr) == (0, True), left.output
