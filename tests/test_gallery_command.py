"""`whosthere gallery`: list, show, remove, verify."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import EmbedderId, Gallery
from edge.galleries.history import History
from support.people import AT, gallery_of, somebody
from support.portraits import BIDEN, HOPPER, OBAMA, OBAMA_2009, OBAMA_2010, analyser, whosthere


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gallery") / "family.whg"
    for name, photos in {"Barack Obama": [OBAMA, OBAMA_2009], "Joe Biden": [BIDEN], "Grace Hopper": [HOPPER]}.items():
        assert whosthere("enroll", "--gallery", path, "--person", name, *photos).exit_code == 0
    return path


@pytest.fixture
def gallery(enrolled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(enrolled, tmp_path / "family.whg"))


def test_list_names_everybody(gallery: Path) -> None:
    listed = whosthere("gallery", "list", "--gallery", gallery)
    assert listed.exit_code == 0
    lines = listed.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == ["Barack Obama", "Grace Hopper", "Joe Biden"]
    assert "3 people, 4 templates; version 3 of " in lines[-1]
    assert lines[-1].endswith("made with mobilefacenet")
    report = json.loads(whosthere("gallery", "list", "--gallery", gallery, "--json").stdout)
    assert {p["id"]: p["templates"] for p in report["people"]} == {"barack-obama": 2, "joe-biden": 1, "grace-hopper": 1}
    assert report["embedder"]["sha256"] == analyser().embedder.sha256


def test_list_reads_a_gallery_of_any_embedder(tmp_path: Path) -> None:
    path = tmp_path / "other.whg"
    write_gallery(gallery_of(ada=somebody(1)), path)
    assert "made with vectors" in whosthere("gallery", "list", "--gallery", path).stdout


def test_show_tells_the_templates_and_the_nearest_other(gallery: Path) -> None:
    shown = whosthere("gallery", "show", "barack obama", "--gallery", gallery)
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Barack Obama (barack-obama), 2 templates")
    assert OBAMA_2009.name in shown.stdout
    assert "Looks most like Grace Hopper: 0." in shown.stdout
    report = json.loads(whosthere("gallery", "show", "barack-obama", "--gallery", gallery, "--json").stdout)
    assert [t["source"] for t in report["templates"]] == ["photo.jpg", OBAMA_2009.name]
    assert report["nearest"]["person_id"] == "grace-hopper"
    assert report["room"] == pytest.approx(report["threshold"] - report["nearest"]["similarity"])
    assert report["room"] > 0.2


def test_a_renamed_person_keeps_id_and_templates_and_the_gallery_before_is_kept(gallery: Path) -> None:
    before = open_gallery(gallery, None)
    done = whosthere("gallery", "rename", "--gallery", gallery, "barack obama", " Barry\u00a0 O. ")
    assert done.exit_code == 0, done.output
    assert f"Barack Obama (barack-obama) is now Barry O.; {gallery} is now version 4" in done.stdout
    after = open_gallery(gallery, None)
    assert [(p.id, p.templates) for p in after.people] == [(p.id, p.templates) for p in before.people]
    assert after.embeddings.tobytes() == before.embeddings.tobytes()
    assert after.named("Barry O.") == after.person("barack-obama")
    assert before.header.version in {open_gallery(kept, None).header.version for kept in History(gallery).kept()}


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("Joe Biden", "Grace Hopper", "'Grace Hopper' is already the name of grace-hopper"),
        ("Joe Biden", "\u202eJoe", "is not allowed as a name: it contains unprintable characters"),
        ("Nobody", "Somebody", "found nobody called 'Nobody'"),
    ],
)
def test_a_rename_that_cannot_be_changes_nothing(gallery: Path, old: str, new: str, complaint: str) -> None:
    before = gallery.read_bytes()
    done = whosthere("gallery", "rename", "--gallery", gallery, old, new)
    assert done.exit_code == 4 and complaint in done.stderr
    assert gallery.read_bytes() == before


def test_nobody_of_that_name(gallery: Path) -> None:
    for command in ("show", "remove"):
        done = whosthere("gallery", command, "Eve", "--gallery", gallery)
        assert done.exit_code == 4
        assert (
            "family.whg: found nobody called 'Eve'; in the gallery: Barack Obama, Joe Biden, Grace Hopper"
            in done.stderr
        )


def test_remove_asks_first(gallery: Path) -> None:
    before = gallery.read_bytes()
    kept = whosthere("gallery", "remove", "Joe Biden", "--gallery", gallery, typed="n\n")
    assert "Remove Joe Biden (joe-biden) and 1 template from" in kept.stderr
    assert kept.exit_code == 1
    assert gallery.read_bytes() == before
    gone = whosthere("gallery", "remove", "Joe Biden", "--gallery", gallery, typed="y\n")
    assert gone.exit_code == 0
    assert [p.name for p in open_gallery(gallery, None).people] == ["Barack Obama", "Grace Hopper"]
    assert open_gallery(gallery, None).header.version == 4


def test_everybody_can_be_removed(gallery: Path) -> None:
    for name in ("joe-biden", "grace-hopper", "barack-obama"):
        assert whosthere("gallery", "remove", name, "--yes", "--gallery", gallery).exit_code == 0
    verified = whosthere("gallery", "verify", "--gallery", gallery)
    assert verified.exit_code == 0
    assert "Nobody is in it" in verified.stdout


def test_verify_says_what_is_in_force(gallery: Path) -> None:
    verified = whosthere("gallery", "verify", "--gallery", gallery)
    assert verified.exit_code == 0
    assert "family.whg is in order: version 3, 3 people, 4 templates, made with mobilefacenet" in verified.stdout
    assert "for at most 0.10% of strangers to be called by a name" in verified.stdout
    report = json.loads(whosthere("gallery", "verify", "--gallery", gallery, "--json").stdout)
    assert (report["ok"], report["people"], report["target_met"], report["lookalikes"]) == (True, 3, True, [])
    assert 0.4 < report["threshold"] < 0.6


def test_verify_takes_the_config(gallery: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("gallery: {path: family.whg}\nmatch: {threshold: 0.1}\n")
    verified = whosthere("gallery", "verify", "--config", config)
    assert "Threshold in force: 0.100, as match.threshold in config.yaml sets it" in verified.stdout
    assert "Barack Obama and Grace Hopper look alike (0.1" in verified.stdout


def test_verify_names_who_is_enrolled_twice(gallery: Path) -> None:
    whosthere("enroll", "--gallery", gallery, "--person", "Barry", OBAMA_2009)
    verified = whosthere("gallery", "verify", "--gallery", gallery)
    assert verified.exit_code == 0
    assert "Barack Obama and Barry look alike (1.00): visits of either may come out as `uncertain`" in verified.stdout
    assert "  What would help: this is the same picture, or one person under two names" in verified.stdout


def test_verify_says_by_what_margin_look_alikes_differ_and_what_would_help(tmp_path: Path) -> None:
    """Photos of one man under two names: as alike as twins."""
    path = tmp_path / "twins.whg"
    for name, photos in {"Barack Obama": [OBAMA, OBAMA_2010], "Barry": [OBAMA_2009], "Grace Hopper": [HOPPER]}.items():
        assert whosthere("enroll", "--gallery", path, "--person", name, *photos).exit_code == 0
    report = json.loads(whosthere("gallery", "verify", "--gallery", path, "--json").stdout)
    [pair] = report["lookalikes"]
    assert pair["names"] == ["Barack Obama", "Barry"] and report["min_margin"] == 0.05
    assert 0.7 < pair["similarity"] < 0.9 and pair["false_match_rate"] < 1e-5
    assert pair["tried"] == 2 == pair["named"] + pair["uncertain"] + pair["wrong"]
    vectors = {p.id: open_gallery(path, None).vectors(p) for p in open_gallery(path, None).people}
    own, barry = vectors["barack-obama"], vectors["barry"]
    lead = float(own[0] @ own[1]) - float((own @ barry.T).max())
    assert pair["lead"] == pytest.approx(lead, abs=1e-4)
    assert pair["margin"] == (pytest.approx(pair["lead"], abs=1e-5) if lead > 0 else None)
    assert any("enrol more photos of Barry, who has 1 photo" in advice for advice in pair["advice"])


def of_another_embedder(path: Path) -> None:
    gallery = open_gallery(path, analyser().embedder.id)
    header = msgspec.structs.replace(gallery.header, embedder=EmbedderId("facenet", "f" * 64))
    write_gallery(Gallery(header, gallery.embeddings), path)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def with_a_flipped_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-500] ^= 1
    path.write_bytes(content)


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (of_another_embedder, "made with the embedder facenet (ffffffffffff...), but mobilefacenet"),
        (cut_short, "not a gallery, or damaged"),
        (with_a_flipped_bit, "damaged: its contents do not match their checksum"),
        (gone, "no such gallery; make one with `whosthere enroll"),
    ],
)
def test_what_the_daemon_would_refuse_is_refused_everywhere(gallery: Path, spoil: object, complaint: str) -> None:
    assert callable(spoil)
    spoil(gallery)
    for arguments in (["gallery", "verify"], ["gallery", "show", "joe-biden"], ["identify", str(BIDEN)]):
        done = whosthere(*arguments, "--gallery", gallery)
        assert done.exit_code == 4, arguments
        assert f"family.whg: {complaint}" in done.stderr
    report = whosthere("gallery", "verify", "--gallery", gallery, "--json")
    assert report.exit_code == 4
    assert json.loads(report.stdout)["ok"] is False
    assert complaint in json.loads(report.stdout)["error"]


def test_a_running_service_is_told_about(gallery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`systemctl` is a script of the test: these machines have no systemd to ask."""
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.parent.mkdir()
    monkeypatch.setenv("PATH", str(systemctl.parent), prepend=":")
    for active, told in (("active", True), ("inactive", False)):
        shown = f"LoadState=loaded\\nActiveState={active}\\nSubState=x\\nNRestarts=0\\nStatusText="
        systemctl.write_text(f'#!/bin/sh\n[ "$1 $2" = "show whosthere.service" ] || exit 9\necho "{shown}"\n')
        systemctl.chmod(0o755)
        whosthere("enroll", "--gallery", gallery, "--person", "Joe Biden", BIDEN)
        done = whosthere("gallery", "remove", "joe-biden", "--yes", "--gallery", gallery)
        assert ("The daemon loads it within a second" in done.stdout) is told


def test_the_dates_are_those_of_the_templates(tmp_path: Path) -> None:
    path = tmp_path / "dated.whg"
    write_gallery(gallery_of(ada=somebody(1)), path)
    person = json.loads(whosthere("gallery", "list", "--gallery", path, "--json").stdout)["people"][0]
    assert (person["first_added_at"], person["last_added_at"]) == (AT, AT)
