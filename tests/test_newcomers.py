"""`visit name --new`: an unknown visitor becomes a person, if the visit is good and like nobody in the gallery."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.config.loading import load_config
from edge.faces.loading import load_embedder
from edge.galleries.gallery import EmbedderId
from edge.records import Outcome
from support.household import GOOD, PERSON, Household
from support.sshd import new_key
from test_signature import allowing


@pytest.fixture
def box(tmp_path: Path, demo_gallery: Path) -> Household:
    return Household(tmp_path, demo_gallery)


@pytest.mark.slow
def test_a_visitor_becomes_a_person_whom_a_running_daemon_knows_until_it_is_undone(box: Household) -> None:
    daemon, face = box.manager(), box.looks_like(0.0, seed=77)
    came = box.came(face, None)
    assert daemon.matcher.match(face).outcome is Outcome.UNKNOWN

    done = box.run("visit", "name", came, "Eve", "--new")

    assert done.exit_code == 0, done.output
    assert f"{came} was Eve, who is enrolled with it" in done.stdout
    assert "Price: 1 in " in done.stdout and " strangers will be called Eve" in done.stdout
    eve = box.gallery.named("Eve")
    assert eve is not None and [one.source for one in eve.templates] == [f"visit {came}"]
    assert daemon.changed()
    assert daemon.reload(load_config(box.config), datetime.now(UTC)).match(face).outcome is Outcome.RECOGNIZED
    again = box.run("visit", "name", came, "Eva", "--new")
    assert again.exit_code == 2 and "found a similarity of 1.00 to Eve" in again.output
    undo = next(line for line in done.stdout.splitlines() if "gallery undo" in line).split("`")[1].split()[1:]
    assert box.run(*undo).exit_code == 0
    assert box.gallery.named("Eve") is None
    daemon.close()


@pytest.mark.parametrize(
    ("name", "similarity", "good", "said"),
    [
        ("Barack Obama", 0.1, True, "Barack Obama: found in the gallery already"),
        ("  barack-obama ", 0.1, True, "is enrolled"),
        ("Eve", 0.46, True, "found a similarity of 0.46 to Barack Obama; allowed for somebody new: less than 0.45"),
        ("Eve", 0.44, True, "is enrolled"),
        ("Eve", 0.1, False, "even its best face cannot be a template"),
        ("E\u202eve", 0.1, True, "is not allowed as a name"),
        (" ", 0.1, True, "is not allowed as a name"),
    ],
)
def test_who_is_known_and_what_is_bad_is_refused_with_the_reason(
    box: Household, name: str, similarity: float, good: bool, said: str
) -> None:
    before = len(box.gallery.people)
    came = box.came(box.looks_like(similarity), None, best=GOOD if good else replace(GOOD, sharpness=1.0))
    done = box.run("visit", "name", came, name, "--new")
    assert said in done.output
    assert len(box.gallery.people) - before == (done.exit_code == 0)
    assert done.exit_code == (0 if "is enrolled" in said else 2)


def test_a_few_usable_faces_are_too_few(box: Household) -> None:
    done = box.run("visit", "name", box.came(box.looks_like(0.0, seed=77), None, usable=1), "Eve", "--new")
    assert done.exit_code == 2 and "found 1 usable faces; allowed: at least 3" in done.output


def test_the_first_person_of_a_box_can_be_a_visitor(box: Household) -> None:
    came = box.came(box.looks_like(0.0, seed=77), None)
    box.path.unlink()
    assert box.run("visit", "name", came, "Eve", "--new").exit_code == 0
    loaded = load_config(box.config)
    embedder: EmbedderId = load_embedder(loaded.config.models, loaded.base).id
    assert [one.name for one in box.gallery.people] == ["Eve"] and box.gallery.header.embedder == embedder


def test_where_galleries_are_signed_it_is_signed_or_refused(tmp_path: Path, demo_gallery: Path) -> None:
    key = new_key(tmp_path / "box")
    allowing(key, tmp_path)
    allowed = str(tmp_path / "allowed_signers")
    folder = tmp_path / "box-folder"
    folder.mkdir()
    refused = Household(folder, demo_gallery, allowed_signers=allowed)
    came = refused.came(refused.looks_like(0.0, seed=77), None)
    done = refused.run("visit", "name", came, "Eve", "--new")
    assert done.exit_code == 4 and "gallery.signing_key" in done.output
    assert refused.gallery.person(PERSON) is not None and refused.gallery.named("Eve") is None
