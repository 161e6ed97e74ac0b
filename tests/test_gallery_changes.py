"""`whosthere gallery undo`, `changes`, `merge` and `consent`: every change can be taken back for a week."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.diary.diary_file import DiaryFile
from edge.diary.reader import DiaryReader
from edge.errors import GalleryError
from edge.galleries.additions import additions_path
from edge.galleries.changes import KEEP, change_files, changes_folder, drop_old, read_change
from edge.galleries.corrections import Anchor, Corrections, read_any, vector_of, write_corrections
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Gallery, Template, end_of
from edge.galleries.signature import SignatureError
from support.box import AT, Box, bundle, face, family
from support.diaries import contents, new
from support.networks import embedder
from support.portraits import BIDEN, HOPPER, OBAMA, OBAMA_2009, whosthere
from support.sshd import new_key


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A box on which ada, benny and chris were pushed; nothing is signed."""
    (tmp_path / "config.yaml").write_text("gallery: {path: family.whg}\ndiary: {path: diary.sqlite3}\n")
    box = Box(tmp_path)
    write_gallery(family(5, "ada", "benny", "chris-x"), box.gallery)
    return box


def run(box: Box, *arguments: str) -> str:
    done = whosthere("gallery", *arguments, "--config", box.config)
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(box: Box, *arguments: str) -> str:
    done = whosthere("gallery", *arguments, "--config", box.config)
    assert done.exit_code != 0, done.output
    return done.stderr


def contained(box: Box) -> dict[str, list[bytes]]:
    """Name -> templates, of everybody."""
    gallery = open_gallery(box.gallery, None)
    return {person.name: [v.tobytes() for v in vectors] for person, vectors in gallery.known()}


def changes(box: Box) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run(box, "changes", "--json"))
    return found


def test_a_removed_person_comes_back_whole(box: Box) -> None:
    before = open_gallery(box.gallery, None)
    run(box, "remove", "ada", "--yes")
    assert "Ada" not in contained(box)
    listed = changes(box)
    assert [(one["action"], one["people"]) for one in listed] == [("removed", ["Ada"])]
    assert f"change {listed[0]['id']} is undone (removed: Ada)" in run(box, "undo")
    after = open_gallery(box.gallery, None)
    assert sorted(after.people, key=lambda p: p.id) == sorted(before.people, key=lambda p: p.id)
    assert contained(box)["Ada"] == [face(len("ada")).tobytes()]
    assert after.header.version == 7


def test_one_photo_is_removed_and_comes_back(box: Box) -> None:
    grown = open_gallery(box.gallery, None)
    for number, source in enumerate(("party.jpg", "camera", "camera"), 60):
        grown = grown.with_templates("Ada", [face(number)], [Template(source, 1, AT)], AT)
    write_gallery(grown, box.gallery)
    before = contained(box)["Ada"]
    assert "no photo 'camera', or several; allowed: 1 " in refused(box, "remove", "ada", "--photo", "camera")
    assert "no photo '5', or several" in refused(box, "remove", "ada", "--photo", "5")
    assert "no photo '3 party.jpg'" in refused(box, "remove", "ada", "--photo", "3 party.jpg")
    assert "found --photo with --forget" in refused(box, "remove", "ada", "--photo", "2", "--forget")
    assert contained(box)["Ada"] == before
    for photo, left in (("party.jpg", [0, 2, 3]), ("3", [0, 2]), ("2 camera", [0])):
        assert f"{photo} of Ada removed" in run(box, "remove", "ada", "--photo", photo)
        assert contained(box)["Ada"] == [before[place] for place in left]
    assert "with none, nobody is recognised" in refused(box, "remove", "ada", "--photo", "1")
    assert [one["action"] for one in changes(box)] == ["photo_removed"] * 3
    for _ in range(3):
        run(box, "undo")
    assert sorted(contained(box)["Ada"]) == sorted(before)


def test_one_change_is_undone_and_a_later_push_stays(box: Box) -> None:
    run(box, "rename", "ada", "Ada Lovelace")
    run(box, "remove", "benny", "--yes")
    pushed = open_gallery(box.gallery, None).with_templates("Dora", [face(50)], [Template("d.jpg", 1, AT)], AT)
    write_gallery(pushed, box.gallery)
    renamed = next(one["id"] for one in changes(box) if one["action"] == "renamed")
    run(box, "undo", str(renamed))
    assert sorted(contained(box)) == ["Ada", "Chris-X", "Dora"]
    run(box, "undo")
    assert sorted(contained(box)) == ["Ada", "Benny", "Chris-X", "Dora"]
    assert "found no change ; of the last 7 days: " in refused(box, "undo")


def test_somebody_who_was_removed_and_enrolled_again_gets_the_former_photos_too(box: Box) -> None:
    run(box, "remove", "ada", "--yes")
    again = open_gallery(box.gallery, None).with_templates("Ada", [face(60)], [Template("new.jpg", 1, AT)], AT)
    write_gallery(again, box.gallery)
    run(box, "undo")
    assert sorted(contained(box)["Ada"]) == sorted([face(3).tobytes(), face(60).tobytes()])


def test_enrolling_is_undone_photo_by_photo(tmp_path: Path) -> None:
    path = tmp_path / "family.whg"
    for photo in (OBAMA, OBAMA_2009):
        assert whosthere("enroll", "--gallery", path, "--person", "Barry", photo).exit_code == 0
    listed = json.loads(whosthere("gallery", "changes", "--gallery", path, "--json").stdout)
    assert [one["action"] for one in listed] == ["enrolled", "enrolled"]
    assert whosthere("gallery", "undo", str(listed[1]["id"]), "--gallery", path).exit_code == 0
    (barry,) = open_gallery(path, None).people
    assert [template.source for template in barry.templates] == [OBAMA_2009.name]
    assert whosthere("gallery", "undo", str(listed[0]["id"]), "--gallery", path).exit_code == 0
    assert open_gallery(path, None).people == []


def test_a_change_that_was_overtaken_is_not_undone(box: Box) -> None:
    run(box, "rename", "ada", "Ada Byron")
    first = str(changes(box)[0]["id"])
    run(box, "rename", "ada", "Ada Lovelace")
    assert "name of Ada Lovelace has been changed again since; undo that first" in refused(box, "undo", first)
    run(box, "remove", "ada", "--yes")
    assert "has been removed since" in refused(box, "undo", first)
    assert "Ada Lovelace" not in contained(box)


def test_two_people_never_get_one_name(box: Box) -> None:
    run(box, "rename", "ada", "Countess")
    run(box, "rename", "benny", "Ada")
    assert "Ada is the name of" in refused(box, "undo", str(changes(box)[1]["id"]))
    assert sorted(contained(box)) == ["Ada", "Chris-X", "Countess"]


def test_forgetting_is_final(box: Box) -> None:
    run(box, "rename", "ada", "Ada Lovelace")
    run(box, "rename", "benny", "Ben")
    run(box, "remove", "ada", "--yes")
    run(box, "undo")
    assert b"Lovelace" in contents(changes_folder(box.gallery))
    gone = run(box, "remove", "ada", "--yes", "--forget")
    assert "nothing about them is left on this box" in gone
    left = contents(box.folder)
    for mark in (b'"Ada', b"Lovelace", b'"ada"', face(3).tobytes()[:64]):
        assert mark not in left
    assert [one["people"] for one in changes(box)] == [["Benny"]]


def test_after_a_week_nothing_can_be_undone_and_nothing_is_kept(box: Box) -> None:
    run(box, "remove", "ada", "--yes")
    (file,) = change_files(box.gallery)
    assert file.stat().st_mode & 0o777 & ~0o640 == 0 and changes_folder(box.gallery).stat().st_mode & 0o777 == 0o700
    now = datetime.now(UTC)
    assert drop_old(box.gallery, now + KEEP - timedelta(minutes=1)) == []
    assert drop_old(box.gallery, now + KEEP + timedelta(minutes=1)) == [file]
    assert "found no change" in refused(box, "undo")


def test_a_damaged_change_is_reported_and_the_others_can_be_undone(box: Box) -> None:
    run(box, "rename", "ada", "Ada Lovelace")
    (file,) = change_files(box.gallery)
    run(box, "rename", "benny", "Ben")
    file.write_bytes(file.read_bytes()[:-20])
    listed = whosthere("gallery", "changes", "--config", box.config)
    assert "damaged" in listed.stderr and "Benny" in listed.stdout
    run(box, "undo")
    assert sorted(contained(box)) == ["Ada Lovelace", "Benny", "Chris-X"]


def test_a_failed_write_leaves_no_change_behind(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise GalleryError("no space left on device")

    monkeypatch.setattr("edge.people.editing.replace_gallery", full)
    assert "no space left" in refused(box, "rename", "ada", "Ada Lovelace")
    assert change_files(box.gallery) == []


def test_where_galleries_are_signed_so_is_what_can_be_undone(tmp_path: Path) -> None:
    key = new_key(tmp_path / "key")
    box = Box.make(tmp_path / "box", key, signing_key=str(key))
    bundle(box.gallery, 5, key=key)
    run(box, "remove", "ada", "--yes")
    (file,) = change_files(box.gallery)
    assert read_change(file, box.loaded.gallery_keys).names == ["Ada"]
    forged = json.loads(file.read_text())
    forged["change"] = forged["change"].replace('"Ada"', '"Eve"')
    file.write_text(json.dumps(forged))
    with pytest.raises(SignatureError, match="does not match"):
        read_change(file, box.loaded.gallery_keys)
    assert "found no change" in refused(box, "undo")
    forged["signature"] = None
    file.write_text(json.dumps(forged))
    assert "not signed, but gallery.allowed_signers is set" in refused(box, "undo")


def test_an_end_date_is_set_and_undone(box: Box) -> None:
    before = datetime.now(UTC).date()
    until = before + timedelta(days=30)
    said = run(box, "consent", "ada", "--until", str(until), "--purpose", "the garden gate")
    days = {before, datetime.now(UTC).date()}
    assert any(f"Ada: ada agreed on {day}, until {until}, for: the garden gate" in said for day in days)
    ada = open_gallery(box.gallery, None).person("ada")
    assert ada is not None and ada.consent is not None
    assert (ada.expires_at, ada.consent.until, ada.consent.purpose) == (end_of(until), until, "the garden gate")
    run(box, "consent", "ada", "--none")
    run(box, "undo")
    assert open_gallery(box.gallery, None).person("ada") == ada
    assert run(box, "consent", "ada").startswith("Ada: ada agreed on")
    again = open_gallery(box.gallery, None).person("ada")
    assert again is not None and again.expires_at is None


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--until", "tomorrow"], "found 'tomorrow'; allowed: a date such as 2027-01-31"),
        (["--until", "2020-01-01"], "found 2020-01-01 as the last day, before the consent is given on"),
        (["--purpose", "\u202e"], "allowed: 1 to 500 printable characters"),
        (["--purpose", " "], "allowed: 1 to 500 printable characters"),
        (["--until", "2030-01-01", "--none"], "found both of --until and --none"),
    ],
)
def test_a_consent_that_makes_no_sense_changes_nothing(box: Box, options: list[str], complaint: str) -> None:
    before = box.gallery.read_bytes()
    assert complaint in " ".join(refused(box, "consent", "ada", *options).split())
    assert box.gallery.read_bytes() == before


def anchor(number: int, person: str, seed: int, alike: list[str]) -> Anchor:
    return Anchor(f"{number:06x}", person, f"v{number}", AT, alike, face(seed).tobytes())


def test_two_entries_become_one_with_all_that_is_kept_about_them_and_back(box: Box) -> None:
    known = embedder()
    corrections = Corrections(
        1,
        known.id,
        [
            anchor(1, "ada", 70, []),
            anchor(2, "benny", 71, []),
            anchor(3, "ada", 72, ["benny"]),
            anchor(4, "chris-x", 73, ["ada"]),
        ],
    )
    write_corrections(corrections, box.gallery)
    additions = Gallery.empty(known.id, known.dimensions)
    for name, seed in (("ada", 80), ("benny", 81)):
        additions = additions.with_templates(name, [face(seed)], [Template(f"visit {seed}", 0.8, AT)], AT)
    write_gallery(additions, additions_path(box.gallery))
    diary = DiaryFile(box.folder / "diary.sqlite3", 10)
    for number, (named, second) in enumerate([("ada", "chris-x"), ("benny", "chris-x"), ("benny", "ada")]):
        diary.add(new(number, named, second=second))
    diary.close()

    def state() -> tuple[object, ...]:
        kept = read_any(box.gallery)
        assert kept is not None
        extra = open_gallery(additions_path(box.gallery), None)
        with DiaryReader(box.folder / "diary.sqlite3") as reader:
            visits = sorted((record.id, record.person_id) for record in reader.visits(10))
        return (
            sorted((a.id, a.person_id, vector_of(a).tobytes()) for a in kept.anchors),
            sorted((p.id, sorted(v.tobytes() for v in vectors)) for p, vectors in extra.known()),
            visits,
        )

    before = state()
    said = run(box, "merge", "ada", "benny")
    assert "Benny (benny) is now Ada (ada), with 2 templates" in said
    assert contained(box)["Ada"] == [face(3).tobytes(), face(5).tobytes()] and "Benny" not in contained(box)
    anchors, extra, visits = state()
    assert [a[:2] for a in anchors] == [("000001", "ada"), ("000002", "ada"), ("000004", "chris-x")]  # type: ignore[attr-defined]
    assert extra == [("ada", sorted([face(80).tobytes(), face(81).tobytes()]))]
    assert {who for _, who in visits} == {"ada"}  # type: ignore[attr-defined]
    run(box, "undo")
    anchors, extra, visits = state()
    assert (anchors, extra) == before[:2]
    assert [who for _, who in visits] == ["ada", "benny", "ada"]  # type: ignore[attr-defined]
    assert sorted(contained(box)) == ["Ada", "Benny", "Chris-X"]


def test_nobody_is_merged_with_themselves(box: Box) -> None:
    assert "found Ada twice; allowed: two entries of the gallery" in refused(box, "merge", "ada", "Ada")
    assert "found nobody called 'eve'" in refused(box, "merge", "ada", "eve")


def test_a_merged_person_is_recognised_by_both(tmp_path: Path) -> None:
    path = tmp_path / "family.whg"
    for name, photo in (("Barry", OBAMA), ("Obama", OBAMA_2009), ("Joe", BIDEN), ("Grace", HOPPER)):
        assert whosthere("enroll", "--gallery", path, "--person", name, photo).exit_code == 0
    assert whosthere("gallery", "merge", "Barry", "Obama", "--gallery", path).exit_code == 0
    found = json.loads(whosthere("gallery", "show", "Barry", "--gallery", path, "--json").stdout)
    assert [one["source"] for one in found["templates"]] == ["photo.jpg", OBAMA_2009.name]
    assert whosthere("gallery", "verify", "--gallery", path).exit_code == 0


def test_the_files_are_readable_for_nobody_else(box: Box) -> None:
    os.umask(0o022)
    run(box, "rename", "ada", "Ada Lovelace")
    assert changes_folder(box.gallery).stat().st_mode & 0o077 == 0
