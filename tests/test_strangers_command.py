"""`whosthere strangers`: list, show, name and discard, on a box's own file with pictures of real people."""

import json
import time
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.config import typed_yaml
from edge.config.loading import load_config
from edge.events import GoodFace
from edge.galleries.file import open_gallery
from edge.people.forgetting import forget_elsewhere
from edge.visits.good_faces import GoodFaces
from edge.visits.strangers_file import NAME, StrangersFile
from support.kept_strangers import NOW, keep, seen_as
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, OBAMA_2009, OBAMA_2010, whosthere
from support.sshd import new_key
from test_signature import allowing


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    write_config(path)
    return path


def write_config(path: Path, **gallery: str) -> None:
    strangers = {"group": True, "keep": 9, "keep_hours": 2160, "path": "kept"}
    document = {
        "gallery": {"path": "family.whg", **gallery},
        "strangers": strangers,
        "diary": {"path": "diary.sqlite3"},
    }
    path.write_text(typed_yaml.dump(document))


@pytest.fixture(autouse=True)
def at_that_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW + 3600)


def kept(config: Path) -> list[int]:
    with closing(StrangersFile(config.parent / "kept" / NAME)) as file:
        return sorted({visit.stranger for visit in file.visits()})


def test_they_are_listed_with_how_often_and_when_they_came(config: Path) -> None:
    keep(config, 1, seen_as(OBAMA_2009), seen_as(OBAMA_2010))
    keep(config, 2, seen_as(COLLINS))

    shown = whosthere("strangers", "list", "--config", config)
    listed = json.loads(whosthere("strangers", "list", "--json", "--config", config).stdout)

    assert shown.stdout.splitlines() == [
        "stranger    came   first seen        last seen         pictures",
        "stranger-1  twice  2025-06-15 15:06  2025-06-15 15:08         2",
        "stranger-2  once   2025-06-15 15:06  2025-06-15 15:07         1",
    ]
    assert listed[0] == {
        "id": "stranger-1",
        "times": 2,
        "first_seen": "2025-06-15T15:06:40+00:00",
        "last_seen": "2025-06-15T15:08:40+00:00",
        "pictures": 2,
    }


def test_they_are_listed_in_local_time(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(config, 1, seen_as(COLLINS))
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "Pacific/Kiritimati")
        time.tzset()
        shown = whosthere("strangers", "list", "--config", config)
    time.tzset()

    assert shown.stdout.splitlines()[1] == "stranger-1  once  2025-06-16 05:06  2025-06-16 05:07         1"


def test_their_pictures_can_be_looked_at(config: Path, tmp_path: Path) -> None:
    keep(config, 1, seen_as(OBAMA_2009), seen_as(OBAMA_2010))

    drawn = whosthere("strangers", "show", "1", "--config", config)
    written = whosthere("strangers", "show", "stranger-1", "--output", tmp_path / "out", "--config", config)

    assert drawn.stdout.startswith("stranger-1 came twice") and drawn.stdout.count("\N{UPPER HALF BLOCK}") > 400
    assert written.exit_code == 0, written.output
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [
        "stranger-1-20250615T150601-000001-1.jpg",
        "stranger-1-20250615T150601-000002-1.jpg",
    ]
    assert all(cv2.imread(str(file)) is not None for file in files)


def test_a_stranger_is_named_with_all_pictures_and_is_none_any_more(config: Path) -> None:
    keep(config, 1, seen_as(OBAMA_2009), seen_as(OBAMA_2010))
    keep(config, 2, seen_as(COLLINS))

    done = whosthere("strangers", "name", "stranger-1", "--person", "Eve", "--config", config)

    assert done.exit_code == 0, done.output
    assert "Eve (eve): new, with 2 templates" in done.stdout
    gallery = open_gallery(config.parent / "family.whg", None)
    assert [(p.name, len(p.templates)) for p in gallery.people] == [("Eve", 2)]
    assert gallery.people[0].templates[0].source.startswith("stranger-1-20250615T1506")
    assert kept(config) == [2]
    assert b"stranger" not in (config.parent / "kept" / NAME).read_bytes().replace(b"stranger INTEGER", b"")


def test_a_stranger_may_be_somebody_in_the_gallery(config: Path) -> None:
    whosthere("enroll", "--gallery", config.parent / "family.whg", "--person", "Barack Obama", OBAMA)
    keep(config, 1, seen_as(OBAMA_2009), seen_as(OBAMA_2010))

    done = whosthere("strangers", "name", "1", "--person", "Barack Obama", "--config", config)

    assert done.exit_code == 0, done.output
    assert "2 new templates, 3 in all" in done.stdout


def test_somebody_elses_picture_among_theirs_is_set_aside(config: Path) -> None:
    """Two people were taken for one: only the one with more pictures is enrolled."""
    keep(config, 1, seen_as(OBAMA_2009), seen_as(OBAMA_2010), seen_as(COLLINS))

    done = whosthere("strangers", "name", "1", "--person", "Eve", "--config", config)

    assert done.exit_code == 1, done.output
    assert "-000003-1.jpg: set aside: " in done.output
    assert len(open_gallery(config.parent / "family.whg", None).embeddings) == 2
    assert kept(config) == [], "they have a name now"


def test_a_picture_that_nearly_repeats_another_adds_no_template(config: Path) -> None:
    keep(config, 1, seen_as(OBAMA_2009), seen_as(OBAMA_2009))

    done = whosthere("strangers", "name", "1", "--person", "Eve", "--config", config)

    assert "skipped: nearly the same as one that is in (similarity 1.00)" in done.stdout
    assert len(open_gallery(config.parent / "family.whg", None).embeddings) == 1


def test_pictures_that_cannot_be_enrolled_leave_everything_as_it_was(config: Path) -> None:
    blank = GoodFaces()
    good = seen_as(COLLINS)
    blank.absorb(good)
    blank.kept = [GoodFace(np.full((200, 200, 3), 90, np.uint8), 0.9, good.kept[0].embedding, 0.9)]
    keep(config, 1, blank)

    done = whosthere("strangers", "name", "1", "--person", "Eve", "--config", config)

    assert done.exit_code == 4, done.output
    assert not (config.parent / "family.whg").exists() and kept(config) == [1]


def test_a_dry_run_changes_nothing(config: Path) -> None:
    keep(config, 1, seen_as(COLLINS))

    done = whosthere("strangers", "name", "1", "--person", "Eve", "--dry-run", "--config", config)

    assert done.exit_code == 0 and "dry run: nothing was written" in done.stdout
    assert not (config.parent / "family.whg").exists() and kept(config) == [1]


def test_naming_keeps_to_the_rules_of_signatures(config: Path, tmp_path: Path) -> None:
    """Where only signed galleries count, the box signs with its own key, or nothing is written."""
    key = new_key(tmp_path / "key")
    allowed = str(allowing(key, tmp_path).allowed_signers)
    keep(config, 1, seen_as(COLLINS))
    write_config(config, allowed_signers=allowed)
    refused = whosthere("strangers", "name", "1", "--person", "Eve", "--config", config)
    assert refused.exit_code == 4 and "gallery.signing_key" in refused.output
    assert kept(config) == [1]

    write_config(config, allowed_signers=allowed, signing_key=str(key))
    done = whosthere("strangers", "name", "1", "--person", "Eve", "--config", config)

    assert done.exit_code == 0, done.output
    assert open_gallery(config.parent / "family.whg", None, load_config(config).gallery_keys).signer is not None
    assert kept(config) == []


def test_discarded_ones_are_gone(config: Path) -> None:
    for number, photo in ((1, COLLINS), (2, BIDEN), (3, HOPPER)):
        keep(config, number, seen_as(photo))

    one = whosthere("strangers", "discard", "stranger-2", "--config", config)
    assert one.stdout == "1 stranger forgotten\n" and kept(config) == [1, 3]
    everybody = whosthere("strangers", "discard", "--all", "--config", config)
    assert everybody.stdout == "2 strangers forgotten\n" and kept(config) == []
    assert whosthere("strangers", "list", "--config", config).stdout == "no strangers are kept now\n"


def test_whose_time_is_over_is_not_shown(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(config, 1, seen_as(COLLINS))
    monkeypatch.setattr("time.time", lambda: NOW + 2161 * 3600)
    assert whosthere("strangers", "list", "--config", config).stdout == "no strangers are kept now\n"
    assert kept(config) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "stranger-9"], 1, "found no stranger-9; kept on this box: stranger-1"),
        (["name", "9", "--person", "Eve"], 1, "found no stranger-9; kept on this box: stranger-1"),
        (["discard", "1", "9"], 1, "found no stranger-9; kept on this box: stranger-1"),
        (["discard"], 2, "found neither or both of STRANGERS and --all"),
        (["discard", "1", "--all"], 2, "found neither or both of STRANGERS and --all"),
        (["show", "eve"], 1, "found 'eve'; allowed: a stranger such as stranger-3"),
        (["name", "1", "--person", "\x1b"], 2, "unprintable"),
    ],
)
def test_mistakes_are_explained_and_change_nothing(config: Path, arguments: list[str], code: int, message: str) -> None:
    keep(config, 1, seen_as(COLLINS))
    done = whosthere("strangers", *arguments, "--config", config)
    assert done.exit_code == code, done.output
    assert message in done.output
    assert kept(config) == [1]


def test_a_box_that_does_not_group_strangers_says_so(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("strangers: {keep: 3}\n")
    done = whosthere("strangers", "list", "--config", config)
    assert done.exit_code == 3 and "strangers.group in its config.yaml is false" in done.output


def test_a_damaged_file_is_left_to_the_daemon(config: Path) -> None:
    keep(config, 1, seen_as(COLLINS))
    (config.parent / "kept" / NAME).write_bytes(b"garbage" * 999)
    done = whosthere("strangers", "list", "--config", config)
    assert done.exit_code == 1 and "the daemon sets it aside" in done.output
    assert len(list((config.parent / "kept").iterdir())) == 1


def test_forgetting_a_person_forgets_every_stranger(config: Path) -> None:
    """One of them may be that person."""
    keep(config, 1, seen_as(COLLINS))
    assert str(config.parent / "kept" / NAME) in forget_elsewhere(load_config(config), "eve")
    assert kept(config) == []
