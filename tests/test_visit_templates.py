"""`visit confirm` and `visit name`: a visit becomes a template only if it is good, new, and like enrolled photos."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge.config.faces import ENROLMENT_LIMITS, QualitySettings
from edge.config.loading import load_config
from edge.faces.shortfall import shortfall
from edge.galleries.additions import MAX_ADDED, additions_path
from edge.galleries.file import write_gallery
from edge.galleries.gallery import Template
from edge.records import Outcome, Pose, Problem, Quality
from support.diaries import contents
from support.household import GOOD, PERSON, Household
from support.people import AT
from support.sshd import new_key


@pytest.fixture
def box(tmp_path: Path, demo_gallery: Path) -> Household:
    return Household(tmp_path, demo_gallery)


def test_a_named_visit_becomes_a_template_that_a_running_daemon_uses_until_it_is_undone(box: Household) -> None:
    daemon = box.manager()
    far = box.looks_like(0.47)
    assert daemon.matcher.match(far).outcome is Outcome.UNKNOWN
    came = box.came(far, None)
    done = box.run("visit", "name", came, "Barack Obama")
    assert done.exit_code == 0, done.output
    assert "its faces are a template now (1 of 5)" in done.stdout

    def matcher_now() -> Outcome:
        assert daemon.changed()
        found = daemon.reload(load_config(box.config), datetime.now(UTC)).match(far)
        assert not daemon.changed()
        assert found.best is not None and found.best.person_id == PERSON
        return found.outcome

    assert matcher_now() is Outcome.RECOGNIZED
    pushed = box.gallery
    known = pushed.person(PERSON)
    assert known is not None
    write_gallery(pushed.renamed(known, "Barry", AT), box.path)
    assert matcher_now() is Outcome.RECOGNIZED, "a push from the desktop leaves it alone, and so does a new name"
    [line] = json.loads(box.run("visit", "corrections", "--json").stdout)
    assert (line["kind"], line["person_name"], line["visit_id"]) == ("template", "Barry", came)
    assert "was Barry" in box.run("visit", "corrections").stdout
    undone = box.run("visit", "undo", came)
    assert undone.exit_code == 0 and "is removed" in undone.stdout, undone.output
    assert not additions_path(box.path).exists()
    assert matcher_now() is Outcome.UNKNOWN
    daemon.close()


def test_right_adds_a_template_if_it_is_something_new_and_says_so_if_not(box: Household) -> None:
    assert "a template now" in box.run("visit", "confirm", box.came(box.looks_like(0.6))).stdout
    assert box.templates() == 4
    again = box.run("visit", "confirm", box.came(box.looks_like(0.6)))
    assert again.exit_code == 0 and "nothing is added: found a template" in again.stdout
    copy = box.run("visit", "confirm", box.came(box.looks_like(0.97, 5)))
    assert copy.exit_code == 0 and "as good as the same (similarity 0.97)" in copy.stdout
    assert box.templates() == 4
    nobody = box.run("visit", "confirm", box.came(box.looks_like(0.6), None))
    assert nobody.exit_code == 2 and "was not named" in nobody.output


def test_templates_do_not_drift_from_what_was_enrolled_by_hand(box: Household) -> None:
    """Each visit resembles the one before well, and the photo less and less."""
    step, added = box.looks_like(0.6, 1), 0
    for seed in range(2, 8):
        done = box.run("visit", "name", box.came(step), PERSON)
        if done.exit_code:
            assert "to the enrolled photos of Barack Obama; allowed: at least 0.4" in done.output
            break
        added += 1
        other = np.random.default_rng(seed).normal(size=len(step))
        other -= step * float(other @ step)
        step = (0.8 * step + 0.6 * other / np.linalg.norm(other)).astype(np.float32)
    assert 1 <= added < 4


def test_a_visit_at_night_makes_an_infrared_template_and_needs_the_likeness_of_one(box: Household) -> None:
    night = replace(GOOD, infrared=True)
    by_day, at_night = box.looks_like(0.5, 1), box.looks_like(0.5, 2)
    assert box.run("visit", "name", box.came(by_day, PERSON), PERSON).exit_code == 0
    assert box.run("visit", "name", box.came(at_night, PERSON, night), PERSON).exit_code == 0, "the photo is by day"
    assert [template.infrared for template in box.added()] == [False, True]
    assert box.added()[1].brightness == GOOD.brightness
    photo = box.looks_like(1.0)
    infrared = Template("night.jpg", 0.9, AT, infrared=True)
    write_gallery(box.gallery.without(PERSON, AT).with_templates("Barack Obama", [photo], [infrared], AT), box.path)
    done = box.run("visit", "name", box.came(box.looks_like(0.5, 3), PERSON, night), PERSON)
    assert done.exit_code == 2 and "to the enrolled photos of Barack Obama; allowed: at least 0.4" in done.output
    assert box.run("visit", "name", box.came(box.looks_like(0.5, 4), PERSON), PERSON).exit_code == 0


def test_a_visit_that_is_as_much_like_somebody_else_is_no_template(box: Household) -> None:
    both = box.template() + box.template("joe-biden")
    done = box.run("visit", "name", box.came(both / np.linalg.norm(both)), PERSON)
    assert (
        done.exit_code == 2
        and "and 0." in done.output
        and "to Joe Biden; allowed: a lead of at least 0.05" in done.output
    )


@pytest.mark.parametrize(
    ("best", "usable", "said"),
    [
        (None, 20, "found 20 usable faces; allowed: at least 3"),
        (GOOD, 2, "found 2 usable faces; allowed: at least 3"),
        (replace(GOOD, eye_distance_px=8.0), 20, "8 pixels between the eyes, 12 are needed"),
        (replace(GOOD, sharpness=1.0), 20, "too blurred"),
        (replace(GOOD, brightness=12.0), 20, "too dark"),
        (replace(GOOD, pose=Pose(60, 0, 0)), 20, "turned away by 60 degrees"),
    ],
)
def test_only_faces_that_could_be_enrolled_become_templates(
    box: Household, best: Quality | None, usable: int, said: str
) -> None:
    done = box.run("visit", "name", box.came(box.looks_like(0.6), PERSON, best, usable), PERSON)
    assert done.exit_code == 2 and said in done.output, done.output
    assert not additions_path(box.path).exists()


def test_there_are_at_most_five_per_person_and_a_rejected_visit_is_none(box: Household) -> None:
    for seed in range(MAX_ADDED):
        assert box.run("visit", "name", box.came(box.looks_like(0.7, seed)), PERSON).exit_code == 0
    done = box.run("visit", "name", box.came(box.looks_like(0.7, 99)), PERSON)
    assert done.exit_code == 2 and "found 5 templates from visits; allowed: 5; undo one first" in done.output
    came = box.came(box.looks_like(0.6, 50))
    assert box.run("visit", "reject", came, PERSON).exit_code == 0
    refused = box.run("visit", "name", came, PERSON)
    assert refused.exit_code == 2 and "was rejected for Barack Obama" in refused.output


def test_somebody_forgotten_has_no_template_left(box: Household) -> None:
    probe = box.looks_like(0.6)
    assert box.run("visit", "name", box.came(probe), PERSON).exit_code == 0
    assert probe.tobytes()[:64] in contents(box.folder)
    done = box.run("gallery", "remove", PERSON, "--yes", "--forget")
    assert done.exit_code == 0, done.output
    assert probe.tobytes()[:64] not in contents(box.folder) and f'"{PERSON}"'.encode() not in contents(box.folder)
    assert not additions_path(box.path).exists()


def test_where_galleries_must_be_signed_the_templates_must_be_too(
    tmp_path: Path, demo_gallery: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = new_key(tmp_path / "box_key")
    allowed = tmp_path / "allowed_signers"
    allowed.write_text(f'box@example namespaces="whosthere-gallery" {key.with_suffix(".pub").read_text()}')
    unsigned = Household(tmp_path, demo_gallery)
    came = unsigned.came(unsigned.looks_like(0.6))
    assert unsigned.run("visit", "name", came, PERSON).exit_code == 0
    kept = additions_path(unsigned.path).read_bytes()
    signed = Household(tmp_path, demo_gallery, allowed_signers=str(allowed), signing_key=str(key))
    write_gallery(signed.gallery, signed.path, key)
    assert signed.run("visit", "undo", came).exit_code == 4, "what is not signed is not read"
    daemon = signed.manager()
    assert len(daemon.matcher.gallery.embeddings) == 3
    assert "not signed, but gallery.allowed_signers is set" in caplog.text
    additions_path(signed.path).unlink()
    assert signed.run("visit", "name", came, PERSON).exit_code == 0
    assert additions_path(signed.path).read_bytes() != kept
    assert len(daemon.reload(load_config(signed.config), datetime.now(UTC)).gallery.embeddings) == 4
    daemon.close()


def test_the_threshold_that_doctor_reports_counts_them_and_check_reports_damage(box: Household) -> None:
    def threshold() -> float:
        found: float = json.loads(box.run("doctor", "--json").stdout)["deciding"]["threshold"]
        return found

    before = threshold()
    assert box.run("visit", "name", box.came(box.looks_like(0.6)), PERSON).exit_code == 0
    daemon = box.manager()
    assert threshold() == pytest.approx(daemon.matcher.threshold, abs=1e-4)
    assert threshold() > before, "more templates give a stranger more chances"
    daemon.close()
    additions_path(box.path).write_bytes(b"rubbish")
    findings = json.loads(box.run("check", "--json", "--skip", "camera").stdout)["checks"]
    [finding] = [one for one in findings if one["check"] == "corrections"]
    assert str(additions_path(box.path)) in finding["found"] and "does without them" in finding["advice"]


def test_limits_are_those_of_quality() -> None:
    assert shortfall(GOOD, ENROLMENT_LIMITS) is None
    assert shortfall(replace(GOOD, presence=0.1, brightness=1.0), QualitySettings()) is Problem.NOT_A_FACE
    assert shortfall(replace(GOOD, brightness=250.0), QualitySettings()) is Problem.TOO_BRIGHT
