"""`whosthere backup` and `restore`: all that a box has learned goes to a second one, and nothing else does."""

import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from click.testing import Result

from edge.backup.contents import CONFIG, CORRECTIONS, DIARY, GALLERY, MANIFEST, STRANGERS, BackupManifest, BackupPart
from edge.backup.making import make_backup
from edge.backup.restoring import restore_backup
from edge.config.loading import load_config
from edge.diary.diary_file import DiaryFile
from edge.diary.reader import DiaryReader
from edge.errors import WhosthereError
from edge.galleries.additions import additions_path
from edge.galleries.corrections import Anchor, Corrections, read_any, write_corrections
from edge.galleries.daemon_status import StatusFile
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Gallery, Template
from edge.visits.strangers_file import NAME, StrangersFile
from edge.web.password import read_password, set_password
from support.box import AT, Box, bundle, face, family
from support.diaries import contents, new
from support.networks import embedder
from support.portraits import whosthere
from support.sshd import new_key

CONFIG_TEXT = """\
# The box at the front door.
gallery:
  path: {gallery}   # where the people are
diary: {{path: diary.sqlite3, embeddings_days: 5}}
strangers: {{path: strangers, keep: 5, group: true}}
mqtt: {{outbox: {{path: outbox.sqlite3}}, username: ada, password_file: secret}}
web: {{path: web}}
"""


def make_box(folder: Path, gallery: str = "gallery.whg") -> Path:
    """An empty box; its config.yaml."""
    folder.mkdir(parents=True)
    config = folder / "config.yaml"
    config.write_text(CONFIG_TEXT.format(gallery=gallery))
    return config


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """The config of a box that has learned a lot."""
    config = make_box(tmp_path / "first", "people.whg")
    folder, known = config.parent, embedder()
    write_gallery(family(5), folder / "people.whg")
    additions = Gallery.empty(known.id, known.dimensions).with_templates(
        "ada", [face(80)], [Template("visit 1", 1, AT)], AT
    )
    write_gallery(additions, additions_path(folder / "people.whg"))
    anchor = Anchor("000001", "benny", "v1", AT, [], face(70).tobytes())
    write_corrections(Corrections(1, known.id, [anchor]), folder / "people.whg")
    diary = DiaryFile(folder / "diary.sqlite3", 10)
    for number in range(3):
        diary.add(new(number, vector=True, jpeg=b"jpeg" * 10))
    diary.close()
    (folder / "strangers").mkdir()
    with closing(StrangersFile(folder / "strangers" / NAME, replace=False)):
        pass
    (folder / "secret").write_text("hunter2\n")
    set_password(folder / "web", "correct horse")
    return config


def backed_up(config: Path, *options: str) -> Path:
    file = config.parent.parent / "box.whb"
    done = whosthere("backup", file, "--force", "--config", config, *options)
    assert done.exit_code == 0, done.output
    return file


def restore(file: Path, config: Path, *options: str) -> Result:
    return whosthere("restore", file, "--yes", "--config", config, *options)


def visits(config: Path) -> list[str]:
    with DiaryReader(config.parent / "diary.sqlite3") as reader:
        return [record.id for record in reader.visits(100)]


def test_a_second_box_knows_all_that_the_first_one_knew(first: Path, tmp_path: Path) -> None:
    file = backed_up(first)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    second = make_box(tmp_path / "second")
    done = restore(file, second)
    assert done.exit_code == 0, done.output
    assert "2 people, 3 visits" in done.stdout and f"{first.parent}/secret: a secret" in done.stdout
    folder = second.parent
    loaded = load_config(second)
    # The second box keeps its own places, and the comments of the first.
    assert loaded.gallery_path == folder / "gallery.whg"
    assert "# The box at the front door." in second.read_text() and "# where the people are" in second.read_text()
    assert open_gallery(loaded.gallery_path, None).people == open_gallery(first.parent / "people.whg", None).people
    assert additions_path(loaded.gallery_path).read_bytes() == additions_path(first.parent / "people.whg").read_bytes()
    said = read_any(loaded.gallery_path)
    assert said is not None and [one.person_id for one in said.anchors] == ["benny"]
    assert visits(second) == visits(first) and len(visits(first)) == 3
    with DiaryReader(folder / "diary.sqlite3") as reader:
        assert reader.picture(visits(first)[0]) == b"jpeg" * 10
    kept = read_password(folder / "web")
    assert kept is not None and kept.is_for("correct horse")
    assert (folder / "strangers" / NAME).exists()
    assert not (folder / "secret").exists()
    assert stat.S_IMODE((folder / "web" / "password").stat().st_mode) == 0o600
    assert whosthere("gallery", "list", "--config", second).exit_code == 0


def test_a_box_without_config_gets_that_of_the_backup(first: Path, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    content, _ = make_backup(load_config(first), first)
    target = tmp_path / "second" / "config.yaml"
    report = restore_backup(content, "it", target, keep_config=False, dry_run=True)
    assert str(target) in report.restored
    # It writes where an installed box does, and nowhere that the backup names.
    assert "/var/lib/whosthere/gallery.whg" in report.restored
    assert not target.exists()


@pytest.mark.slow
def test_secrets_are_in_encrypted_backups_only(first: Path, tmp_path: Path) -> None:
    word = tmp_path / "word"
    word.write_text("open sesame\n")
    file = backed_up(first, "--passphrase-file", str(word))
    assert b"hunter2" not in file.read_bytes() and file.read_bytes().startswith(b"age-encryption.org/v1")
    second = make_box(tmp_path / "second")
    assert "encrypted; give its passphrase" in restore(file, second).stderr
    other = tmp_path / "other"
    other.write_text("open barley\n")
    wrong = restore(file, second, "--passphrase-file", str(other))
    assert wrong.exit_code == 4 and "a wrong passphrase, or it is damaged" in wrong.stderr
    assert not (second.parent / "gallery.whg").exists()
    assert restore(file, second, "--passphrase-file", str(word)).exit_code == 0
    assert (second.parent / "secret").read_text() == "hunter2\n"
    assert stat.S_IMODE((second.parent / "secret").stat().st_mode) == 0o600
    (second.parent / "secret").write_text("its own\n")
    assert "this box has its own" in restore(file, second, "--passphrase-file", str(word)).stdout
    assert (second.parent / "secret").read_text() == "its own\n"


def test_the_config_can_be_kept_and_a_dry_run_changes_nothing(first: Path, tmp_path: Path) -> None:
    file, second = backed_up(first), make_box(tmp_path / "second")
    second.write_text(second.read_text() + "match: {min_margin: 0.07}\n")
    before = contents(second.parent)
    shown = restore(file, second, "--dry-run")
    assert shown.exit_code == 0 and "would be restored: " in shown.stdout
    assert contents(second.parent) == before
    assert restore(file, second, "--keep-config").exit_code == 0
    assert load_config(second).config.match.min_margin == 0.07
    assert len(visits(second)) == 3


def test_a_running_daemon_keeps_its_strangers(first: Path, tmp_path: Path) -> None:
    file, second = backed_up(first), make_box(tmp_path / "second")
    diary = DiaryFile(second.parent / "diary.sqlite3", 10)
    diary.add(new(50))
    status = StatusFile(second.parent / "gallery.whg")
    try:
        done = restore(file, second)
        assert done.exit_code == 0, done.output
        assert "the daemon has strangers in memory" in done.stdout
        assert "Restart the service" in done.stdout
        diary.add(new(51))
    finally:
        status.close()
        diary.close()
    assert not (second.parent / "strangers").exists()
    assert len(visits(second)) == 4 and visits(second)[:3] == visits(first)


def test_a_gallery_must_be_signed_as_the_second_box_requires(tmp_path: Path) -> None:
    key, stranger = new_key(tmp_path / "key"), new_key(tmp_path / "stranger")
    boxes = [Box.make(tmp_path / name, key) for name in ("one", "two")]
    for box in boxes:
        box.config.write_text(
            box.config.read_text() + "diary: {path: d.sqlite3}\nstrangers: {path: s}\nweb: {path: w}\n"
        )
    bundle(boxes[0].gallery, 3, key=stranger)
    file = backed_up(boxes[0].config)
    refused = restore(file, boxes[1].config)
    assert refused.exit_code == 4 and "gallery.whg: " in refused.stderr and not boxes[1].gallery.exists()
    bundle(boxes[0].gallery, 3, key=key)
    assert restore(backed_up(boxes[0].config), boxes[1].config).exit_code == 0
    assert boxes[1].gallery.read_bytes() == boxes[0].gallery.read_bytes()


def test_a_failure_halfway_puts_back_what_was_there(
    first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, second = backed_up(first), make_box(tmp_path / "second")
    write_gallery(family(9, "eve"), second.parent / "gallery.whg")
    before = second.read_bytes(), (second.parent / "gallery.whg").read_bytes()

    def full(*_: object) -> None:
        raise WhosthereError("no space left on device")

    monkeypatch.setattr("edge.backup.restoring.replace_rows", full)
    done = restore(file, second)
    assert done.exit_code == 1 and "no space left on device" in done.stderr
    assert (second.read_bytes(), (second.parent / "gallery.whg").read_bytes()) == before
    assert not (second.parent / "gallery.whg.corrections.json").exists()
    assert not (second.parent / "web" / "password").exists()


def rebuilt(
    file: Path, change: dict[str, bytes], *, relist: bool = True, extra: zipfile.ZipInfo | None = None
) -> bytes:
    """The backup with other members; unless `relist` is false, its manifest fits them."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= change
    if relist:
        manifest = msgspec.json.decode(members.pop(MANIFEST), type=BackupManifest)
        parts = [BackupPart(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in members.items()]
        members[MANIFEST] = msgspec.json.encode(msgspec.structs.replace(manifest, parts=parts))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        if extra is not None:
            archive.writestr(extra, b"/etc/passwd")
    return stream.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def flipped(whole: bytes) -> bytes:
    """One bit of the gallery changed."""
    middle = whole.index(b"gallery.whg") + 200
    return whole[:middle] + bytes([whole[middle] ^ 8]) + whole[middle + 1 :]


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "not a zip": lambda _: b"\x89PNG" + os.urandom(2000),
    "empty": lambda _: b"",
    "cut off": lambda file: file.read_bytes()[: file.stat().st_size // 2],
    "a bit changed": lambda file: flipped(file.read_bytes()),
    "a path upwards": lambda file: rebuilt(file, {"../../evil": b"x"}),
    "an absolute path": lambda file: rebuilt(file, {"/etc/cron.d/evil": b"x"}),
    "a link": lambda file: rebuilt(file, {}, extra=link("link")),
    "a member twice": lambda file: rebuilt(file, {}, extra=link(GALLERY)),
    "a bomb": lambda file: rebuilt(file, {CORRECTIONS: bytes(300_000_000)}),
    "a bomb that lies": lambda file: rebuilt(file, {CORRECTIONS: bytes(15_000_000)}, relist=False),
    "another manifest": lambda file: rebuilt(file, {MANIFEST: b'{"schema_version": 2}'}, relist=False),
    "a huge manifest": lambda file: rebuilt(file, {MANIFEST: b" " * 1_000_000}, relist=False),
    "a deep manifest": lambda file: rebuilt(file, {MANIFEST: b"[" * 50_000}, relist=False),
    "no gallery": lambda file: rebuilt(file, {GALLERY: b"nonsense"}),
    "no diary": lambda file: rebuilt(file, {DIARY: b"SQLite format 3\0" + bytes(5000)}),
    "strangers in the diary": lambda file: rebuilt(file, {DIARY: zipfile.ZipFile(file).read(STRANGERS)}),
    "wrong corrections": lambda file: rebuilt(file, {CORRECTIONS: b'{"schema_version": 1}'}),
    "a config with mistakes": lambda file: rebuilt(file, {CONFIG: b"match: {min_margin: often}\n"}),
    "a config that is no text": lambda file: rebuilt(file, {CONFIG: b"\xff\xfe\x00"}),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_files_are_refused_and_nothing_changes(first: Path, tmp_path: Path, name: str) -> None:
    bad, second = tmp_path / "bad.whb", make_box(tmp_path / "second")
    bad.write_bytes(HOSTILE[name](backed_up(first)))
    before = contents(second.parent)
    done = restore(bad, second)
    assert done.exit_code in (1, 3, 4), done.output
    assert done.stderr.startswith("whosthere: ") and "Traceback" not in done.output
    assert contents(second.parent) == before
    assert sorted(path.name for path in second.parent.iterdir()) == ["config.yaml"]


def test_what_does_not_match_the_manifest_is_refused(first: Path, tmp_path: Path) -> None:
    """The ZIP file's own checksums are right: they are made by the same hand."""
    file, second = backed_up(first), make_box(tmp_path / "second")
    with zipfile.ZipFile(file) as archive:
        password = archive.read("web-password")
    for content, complaint in (
        (password[:-1] + b" ", "web-password does not match its digest"),
        (password + bytes(900_000), "web-password is larger than the"),
    ):
        with pytest.raises(WhosthereError, match=complaint):
            restore_backup(rebuilt(file, {"web-password": content}, relist=False), "it", second)
        assert sorted(path.name for path in second.parent.iterdir()) == ["config.yaml"]


def test_a_backup_names_no_place_to_write_to(first: Path, tmp_path: Path) -> None:
    evil = tmp_path / "evil.whg"
    text = f"gallery: {{path: {evil}}}\ndiary: {{path: {tmp_path}/evil.sqlite3}}\nweb: {{path: {tmp_path}/evil}}\n"
    second = make_box(tmp_path / "second")
    report = restore_backup(rebuilt(backed_up(first), {CONFIG: text.encode()}), "it", second)
    assert not list(tmp_path.glob("evil*")) and str(evil) not in report.restored
    assert load_config(second).gallery_path == second.parent / "gallery.whg"


def test_a_file_that_is_there_is_not_overwritten(first: Path, tmp_path: Path) -> None:
    (tmp_path / "box.whb").write_text("holiday")
    done = whosthere("backup", tmp_path / "box.whb", "--config", first)
    assert done.exit_code == 2 and "is there already" in done.stderr
    assert (tmp_path / "box.whb").read_text() == "holiday"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_restores_as_the_user_of_the_service(first: Path, tmp_path: Path) -> None:
    file = backed_up(first)
    second = make_box(tmp_path / "second")
    state = tmp_path / "state"
    state.mkdir()
    text = f"gallery: {{path: {state}/g.whg}}\ndiary: {{path: {state}/d.sqlite3}}\nstrangers: {{path: {state}/s}}\n"
    second.write_text(f"{text}web: {{path: {state}/w}}\nmqtt: {{outbox: {{path: {state}/o}}}}\n")
    for path in [tmp_path, *tmp_path.parents]:
        if path.stat().st_mode & 0o005 != 0o005:
            path.chmod(0o755)
    os.chown(state, 12345, 12345)
    done = restore(file, second)
    assert done.exit_code == 0, done.output
    assert {path.stat().st_uid for path in state.rglob("*")} == {12345}
    assert json.loads(whosthere("backup", tmp_path / "2.whb", "--json", "--config", second).stdout)["visits"] == 3
