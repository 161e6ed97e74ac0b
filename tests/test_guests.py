"""Guests: known until a day, and then deleted from everything, by the daemon or when they ask for it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.config.loading import load_config
from edge.diary.diary_file import DiaryFile
from edge.errors import GalleryError
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Template, end_of
from edge.people.guests import delete_guests, guests_over
from support.box import AT, Box, face, family
from support.broker import Broker
from support.daemon import running, write_config
from support.diaries import contents, new
from support.portraits import COLLINS, HOPPER, OBAMA, OBAMA_2009, whosthere
from support.sshd import new_key

LAST_DAY = datetime.now(UTC).date() + timedelta(days=1)
"""It does not end while the tests run."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A box with Ada, and Eve, who is a guest until tomorrow."""
    (tmp_path / "config.yaml").write_text(
        "gallery: {path: family.whg}\ndiary: {path: diary.sqlite3}\nstrangers: {path: strangers}\n"
        "mqtt: {outbox: {path: outbox.sqlite3}}\n"
    )
    gallery = family(5, "ada").with_templates("Eve", [face(50)], [Template("eve.jpg", 1, AT)], AT)
    eve = gallery.named("Eve")
    assert eve is not None
    write_gallery(gallery.with_about(eve, AT, expires_at=end_of(LAST_DAY), guest=True), tmp_path / "family.whg")
    diary = DiaryFile(tmp_path / "diary.sqlite3", 10)
    for number, named in enumerate(["ada", "eve"]):
        diary.add(new(number, named, jpeg=b"jpeg", vector=True))
    diary.close()
    return tmp_path / "config.yaml"


def test_after_the_last_day_everything_about_a_guest_is_deleted(config: Path) -> None:
    loaded = load_config(config)
    # A change that can be undone mentions her; she must not come back by it.
    assert whosthere("gallery", "rename", "eve", "Eve P.", "--config", config).exit_code == 0
    last_moment, after = end_of(LAST_DAY) - timedelta(seconds=1), end_of(LAST_DAY)
    assert delete_guests(loaded, last_moment) is None
    assert b'"Eve' in contents(config.parent)
    departure = delete_guests(loaded, after)
    assert departure is not None
    (gone,) = departure.finish()
    assert (gone.person, gone.still_held) == ("eve", [])
    left = contents(config.parent)
    assert b'"Eve' not in left and b'"eve"' not in left and face(50).tobytes()[:64] not in left
    assert [one.name for one in open_gallery(loaded.gallery_path, None).people] == ["Ada"]
    assert b'"ada"' in left
    assert delete_guests(loaded, after) is None


def test_somebody_whose_consent_runs_out_is_no_guest(config: Path) -> None:
    gallery = open_gallery(config.parent / "family.whg", None)
    ada = gallery.with_about(gallery.people[0], AT, expires_at=end_of(LAST_DAY))
    assert guests_over(ada, end_of(LAST_DAY)) == ["eve"]


def test_what_cannot_be_deleted_now_is_deleted_another_time(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load_config(config)

    def busy(*_: object) -> list[str]:
        raise GalleryError("another program is reading it")

    with monkeypatch.context() as patched:
        patched.setattr("edge.people.guests.forget_elsewhere", busy)
        with pytest.raises(GalleryError):
            delete_guests(loaded, end_of(LAST_DAY))
    assert len(open_gallery(loaded.gallery_path, None).people) == 2
    assert delete_guests(loaded, end_of(LAST_DAY)) is not None


def test_the_daemon_deletes_guests_whose_time_is_over(tmp_path: Path, demo_gallery: Path) -> None:
    key = new_key(tmp_path / "key")
    state = tmp_path / "box"
    box = Box.make(state, key)
    write_config(
        state, Broker(tmp_path, port=9), box.gallery, camera={"realtime": True, "loop": True},
        gallery={"allowed_signers": "allowed_signers", "signing_key": str(key)},
    )  # fmt: skip
    known = open_gallery(demo_gallery, None)
    guest = known.people[0]
    over = datetime.now(UTC) - timedelta(minutes=1)
    write_gallery(known.with_about(guest, AT, expires_at=over, guest=True), box.gallery, key)
    with running(box.config) as daemon:
        daemon.wait_for_log("the time of a guest is over: deleted from the gallery")
        daemon.wait_for_log("2 people")
        left = open_gallery(box.gallery, None, load_config(box.config).gallery_keys)
        assert guest.id not in {person.id for person in left.people} and len(left.people) == 2
        assert guest.name.encode() not in contents(state)


def test_a_guest_is_enrolled_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "family.whg"
    enroll = ("enroll", "--gallery", path, "--person")
    assert whosthere(*enroll, "Barack Obama", OBAMA).exit_code == 0
    until = LAST_DAY + timedelta(days=3)
    done = whosthere(*enroll, "Eileen", "--until", str(until), "--guest", COLLINS)
    assert done.exit_code == 0, done.output
    eileen = open_gallery(path, None).named("Eileen")
    assert eileen is not None and eileen.consent is not None
    assert (eileen.guest, eileen.expires_at, eileen.consent.until) == (True, end_of(until), until)
    assert open_gallery(path, None).header.version == 2
    # A guest can neither be somebody who is there, nor look like them.
    before = path.read_bytes()
    for name, photo in (("Eileen", HOPPER), ("barack obama", HOPPER), ("Barry", OBAMA_2009)):
        refused = whosthere(*enroll, name, "--until", str(until), "--guest", photo)
        assert refused.exit_code != 0, refused.output
        assert "a guest is somebody new" in refused.output or "may not look like somebody" in refused.output
        assert path.read_bytes() == before
    assert "--guest needs --until" in whosthere(*enroll, "Grace", "--guest", HOPPER).stderr
    assert whosthere(*enroll, "Grace", "--until", str(until), HOPPER).exit_code == 0
    grace = open_gallery(path, None).named("Grace")
    assert grace is not None and grace.expires_at == end_of(until) and not grace.guest
