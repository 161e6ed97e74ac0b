"""Is it the person whom they say they are: the command as it is typed, on real faces."""

import json
from datetime import UTC, datetime
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge.__main__ import main
from edge.commands.verify_window import drawn
from edge.config.loading import LoadedConfig, load_config_or_defaults
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Gallery
from edge.inspection.identity_check import IdentityCheck, only
from edge.models.card import Card
from edge.visits.matcher import load_matcher
from edge.visits.thresholds import linking_thresholds
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, OBAMA_2009, OBAMA_2010, analyser, read_picture, save

CLIP = Path(__file__).parents[1] / "edge" / "demo" / "clip.mp4"


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    gallery = tmp_path_factory.mktemp("verify") / "family.whg"
    for name, photo in (("Barack Obama", OBAMA), ("Joe Biden", BIDEN), ("Grace Hopper", HOPPER)):
        done = CliRunner().invoke(main, ["enroll", "--gallery", str(gallery), "--person", name, str(photo)])
        assert done.exit_code == 0, done.output
    return gallery


def verify(family: Path, person: str, *rest: str | Path) -> Result:
    return CliRunner().invoke(main, ["verify", "--gallery", str(family), "--person", person, *map(str, rest)])


@pytest.mark.parametrize(
    ("person", "photo", "code"),
    [
        ("Barack Obama", OBAMA_2009, 0),
        ("barack-obama", OBAMA_2010, 0),
        ("Joe Biden", OBAMA_2009, 1),
        ("Barack Obama", COLLINS, 1),
    ],
)
def test_a_photo(family: Path, person: str, photo: Path, code: int) -> None:
    result = verify(family, person, photo, "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == code
    assert (report["verified"], report["usable_faces"], report["seconds"]) == (code == 0, 1, None)
    assert (report["similarity"] >= report["threshold"]) == (code == 0)
    # Nobody else counts: a lower threshold than against the whole family.
    assert report["threshold"] < load_matcher(*_loaded(family)).threshold
    said = verify(family, person, photo).stdout
    assert said.startswith(f"{report['person_name']}: " if code == 0 else f"not {report['person_name']}: ")


def _loaded(family: Path) -> tuple[LoadedConfig, Card, Gallery]:
    embedder = analyser().embedder
    return load_config_or_defaults(None), embedder.card, open_gallery(family, embedder.id)


@pytest.mark.slow
def test_a_recording_is_watched_until_it_is_clear(family: Path) -> None:
    first = verify(family, "Barack Obama", CLIP, "--json", "--timeout", "30")

    assert first.exit_code == 0, first.output
    report = json.loads(first.stdout)
    assert report["usable_faces"] >= 3
    assert report["seconds"] < 10
    # The first visitor is somebody else, who must not help or harm.
    later = json.loads(verify(family, "Joe Biden", CLIP, "--json", "--timeout", "60").stdout)
    assert later["verified"]
    assert later["seconds"] > report["seconds"] + 10
    early = verify(family, "Joe Biden", CLIP, "--json", "--timeout", "12")
    assert early.exit_code == 1
    assert not json.loads(early.stdout)["verified"]


def test_nobody_is_verified_by_the_faces_of_somebody_else(family: Path) -> None:
    loaded, card, gallery = _loaded(family)
    person = gallery.person("Barack Obama")
    assert person is not None
    matcher = load_matcher(loaded, card, only(gallery, person))
    check = IdentityCheck(analyser(), matcher, linking_thresholds(analyser().embedder.calibration), min_faces=3)

    for at, photo in enumerate((OBAMA_2009, OBAMA_2010, BIDEN, OBAMA_2009, OBAMA_2010)):
        look = check.look(read_picture(photo), at)
        assert look.face is not None
        assert not check.verified, photo
    check.look(read_picture(OBAMA_2009), 5)

    assert check.verified
    assert check.faces.count == 3
    marked = drawn(read_picture(OBAMA_2009), look, check, "Barack Obama")
    assert (marked != read_picture(OBAMA_2009)).any(2).sum() > 400
    far = np.asarray(cv2.resize(read_picture(OBAMA_2009), None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA), np.uint8)
    look = check.look(far, 6)
    assert look.face is not None
    (x, y), half = look.face.face.box.centre, look.face.face.box.width / 3
    inside = np.s_[round(y - half) : round(y + half), round(x - half) : round(x + half)]
    changed = (drawn(far, look, check, "Barack Obama") != far).any(2)[inside]
    assert 0.002 < changed.mean() < 0.2, "a small face is still seen"


def test_the_reasons_why_nobody_is_verified(family: Path, tmp_path: Path) -> None:
    wall = save(tmp_path / "wall.png", np.full((300, 300, 3), 120, np.uint8))
    dark = save(tmp_path / "dark.png", (read_picture(OBAMA_2009) * 0.03).astype(np.uint8))

    nobody, unusable = verify(family, "Barack Obama", wall), verify(family, "Barack Obama", dark, "--json")

    assert (nobody.exit_code, nobody.stdout) == (1, "not Barack Obama: no usable face; nobody was seen\n")
    assert unusable.exit_code == 1
    report = json.loads(unusable.stdout)
    assert (report["verified"], report["usable_faces"]) == (False, 0)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["--person", "Eve", str(OBAMA)],
            4,
            "found nobody called 'Eve'; in the gallery: Barack Obama, Joe Biden, Grace Hopper",
        ),
        (["--person", "Barack Obama"], 2, "found neither or both of FILE and --camera"),
        (["--person", "Barack Obama", "--camera", str(OBAMA)], 2, "found neither or both of FILE and --camera"),
        (["--person", "Barack Obama", "missing.jpg"], 5, "missing.jpg: "),
        (["--person", "Barack Obama", "--window", str(CLIP)], 2, "--window: "),
        ([str(OBAMA)], 2, "--person"),
    ],
)
def test_bad_input_is_one_clear_error(
    family: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    for display in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(display, raising=False)

    result = CliRunner().invoke(main, ["verify", "--gallery", str(family), *arguments])

    assert result.exit_code == code, result.output
    assert said in result.output


def test_expired_people_are_not_verified(family: Path) -> None:
    gallery, expired = open_gallery(family, None), family.with_name("expired.whg")
    first, *others = gallery.people
    gone = msgspec.structs.replace(first, expires_at=datetime(2020, 1, 2, tzinfo=UTC))
    header = msgspec.structs.replace(gallery.header, people=[gone, *others])
    write_gallery(Gallery(header, gallery.embeddings), expired)

    result = verify(expired, first.name, BIDEN)

    assert result.exit_code == 4
    assert "expired on 2020-01-02" in result.output


def test_the_camera_of_the_config_is_watched(family: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"camera: {{source: {CLIP}, realtime: false}}\n", encoding="utf-8")

    result = verify(family, "Barack Obama", "--camera", "--config", config, "--json")

    assert result.exit_code == 0, result.output
    assert "similarity" in result.stderr
