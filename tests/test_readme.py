"""What README and docs/ show is what happens: their commands are run, and their output is compared."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest
from click.testing import CliRunner

from edge.galleries.file import open_gallery
from edge.models import embedder_choice
from edge.records import Image
from support.box import Box, bundle, keeping
from support.broker import Broker, Listener
from support.daemon import running, visits, write_config
from support.documents import PROGRAMS, ROOT, Page
from support.portraits import (
    BIDEN,
    COLLINS,
    HOPPER,
    OBAMA,
    OBAMA_2009,
    OBAMA_2010,
    PORTRAITS,
    read_picture,
    save,
    side_by_side,
)
from support.sshd import new_key, running_sshd
from test_push import RECEIVE

README = Page(ROOT / "README.md")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?")


@pytest.fixture(autouse=True)
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is current, an empty home, and a CPU for float32, whose numbers the pages show."""
    monkeypatch.setattr(embedder_choice, "CPUINFO", tmp_path / "cpuinfo")
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def run(words: list[str], typed: str | None = None) -> tuple[int, str]:
    """The exit code and the output of a quoted command."""
    arguments = [str(Path(word).expanduser()) if word.startswith("~") else word for word in words[1:]]
    result = CliRunner().invoke(PROGRAMS[words[0]], arguments, input=typed)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.exit_code, result.output


def sessions(page: Page) -> list[tuple[list[str], str]]:
    """(the words of a command, what the page shows as its output) of every `$ whosthere...` on a page."""
    lines = re.sub(r"\\\n\s*", " ", page.text).splitlines()
    found = []
    for number, line in enumerate(lines):
        if line.startswith("    $ whosthere"):
            output = []
            for shown in lines[number + 1 :]:
                if shown.startswith("    $ ") or (shown and not shown.startswith("    ")):
                    break
                output.append(shown.removeprefix("    "))
            found.append((shlex.split(line.strip().removeprefix("$ ")), "\n".join(output)))
    return found


def compare(shown: str, real: str) -> None:
    """The same text, times aside; numbers may differ a little from machine to machine."""
    texts = [[" ".join(MOMENT.sub("TIME", line).split()) for line in text.split("\n")] for text in (shown, real)]
    wanted, got = ([line for line in lines if line] for lines in texts)
    assert [NUMBER.sub("#", line) for line in got] == [NUMBER.sub("#", line) for line in wanted]
    for one, other in zip(wanted, got, strict=True):
        assert _numbers(other) == pytest.approx(_numbers(one), rel=0.1, abs=0.03), other


def _numbers(line: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(line)]


def _dimmed(path: Path) -> Image:
    return (read_picture(path) * 0.12).astype("uint8")


def _photos_of_the_page() -> None:
    photos = Path("photos")
    copy(OBAMA, photos / "barack-obama" / "photo.jpg")
    copy(HOPPER, photos / "grace-hopper" / "photo.jpg")
    copy(BIDEN, photos / "joe-biden" / "photo.jpg")
    copy(OBAMA_2009, photos / "2009.jpg")
    copy(OBAMA_2010, photos / "2010.jpg")
    copy(COLLINS, photos / "stranger.jpg")
    copy(PORTRAITS.parent / "clip.mp4", Path("clip.mp4"))
    save(photos / "party.jpg", side_by_side(OBAMA, BIDEN))
    save(photos / "evening.jpg", _dimmed(OBAMA_2009))
    damaged = OBAMA_2010.read_bytes()
    (photos / "copied-badly.jpg").write_bytes(damaged[: len(damaged) // 2])


@pytest.mark.slow
def test_the_sessions_of_the_gallery_page() -> None:
    _photos_of_the_page()
    page = sessions(Page(ROOT / "docs" / "20-galleries.md"))
    assert len(page) == 16

    for words, shown in page:
        if "--camera" in words:
            # Nobody stands before a camera; test_enroll.py has a recording look into it.
            continue
        _, real = run(words, "y\n" if "remove" in words else None)
        compare(shown, real)
    assert sorted(path.name for path in Path("marked").iterdir()) == [
        "2010.jpg",
        "clip.mp4",
        "evening.jpg",
        "party.jpg",
        "stranger.jpg",
    ]


@pytest.mark.skipif(Path("/etc/whosthere/config.yaml").exists(), reason="whosthere is installed on this machine")
def test_how_it_works_shows_what_doctor_says() -> None:
    [(words, shown)] = sessions(Page(ROOT / "docs" / "10-how-it-works.md"))

    _, real = run(words)

    before, _, decided = real.partition("Deciding")
    assert before
    _, _, quoted = shown.partition("Deciding")
    compare(quoted, "\n".join(decided.splitlines()[: len(quoted.splitlines())]))


def _shown(page: str, beginning: str) -> str:
    """The one block of a page that begins with this."""
    [text] = [text for _, text in Page(ROOT / "docs" / page).fenced if text.strip().startswith(beginning)]
    return text


def test_the_mistakes_of_the_configuration_page(sandbox: Path) -> None:
    (sandbox / "config.yaml").write_text(
        "camera: {rotation: 45}\nmqtt: {hots: broker.local}\nmatch: {false_alarm_target: 1}\n"
    )

    code, output = run(["whosthere", "check", "--config", "config.yaml", "--skip", "camera", "--skip", "broker"])

    assert code == 3
    shown = _shown("30-configuration.md", "failed   config")
    start = output.index("failed   config")
    compare(shown, "\n".join(output[start:].splitlines()[: len(shown.splitlines())]))


def test_the_thresholds_of_the_configuration_page(sandbox: Path, demo_gallery: Path) -> None:
    (sandbox / "config.yaml").write_text(f"gallery: {{path: {demo_gallery}}}\n")

    _, output = run(["whosthere", "doctor", "--config", "config.yaml"])

    lines = _shown("30-configuration.md", "threshold").splitlines()
    assert len(lines) == 4
    real = output[output.index("  threshold") :].splitlines()[: len(lines)]
    compare("\n".join(lines), "\n".join(real))


def test_the_readme_enrols_lists_and_identifies(sandbox: Path) -> None:
    for name, portrait in (("ada1.jpg", HOPPER), ("ada2.jpg", HOPPER)):
        save(sandbox / name, cv2.flip(read_picture(portrait), 1) if "2" in name else read_picture(portrait))
    copy(HOPPER, sandbox / "photos" / "ada.jpg")
    for number in range(40):
        copy(HOPPER, sandbox / "frames" / f"{number:02}.jpg")
    (sandbox / "config.yaml").write_text("camera: {source: frames, realtime: false}\ngallery: {path: door.whg}\n")
    quoted = _block("Enrol")
    assert [words[1] for words in quoted] == ["enroll", "enroll", "gallery", "identify"]

    for words in quoted:
        code, output = run(words)
        # Four seconds of one picture: one portrait out of five, and the others never come.
        assert code == (1 if "--camera" in words else 0), output
    assert "Ada Lovelace" in Path("faces.csv").read_text()
    assert Path("drawn/ada.jpg").exists()
    assert [person.name for person in open_gallery(sandbox / "gallery.whg", None).people] == ["Ada Lovelace"]
    assert len(open_gallery(sandbox / "door.whg", None).embeddings) == 1


def _block(heading: str) -> list[list[str]]:
    """The commands in the code blocks under a heading of README."""
    section = re.split(rf"^## {heading}$", README.text, flags=re.MULTILINE)[1].split("\n## ")[0]
    lines = re.findall(r"^whosthere.*$", section, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_the_readme_builds_signs_and_pushes(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path("~/.ssh").expanduser()
    home.mkdir(mode=0o700)
    key = new_key(home / "id_ed25519")
    for portrait in (OBAMA, OBAMA_2009, OBAMA_2010):
        copy(portrait, sandbox / "people" / "Barack Obama" / portrait.name)
    copy(HOPPER, sandbox / "people" / "Grace Hopper" / "photo.jpg")
    copy(BIDEN, sandbox / "people" / "Joe Biden" / "photo.jpg")
    enroll, push = _block("Push")
    [(shown_enroll, shown)] = sessions(Page(ROOT / "docs" / "21-pushing.md"))
    assert shown_enroll == enroll

    code, output = run(enroll)
    assert code == 0, output
    compare(shown, re.sub(r"^Looking at .*\n", "", output, flags=re.MULTILINE))

    boxes = [Box.make(sandbox / name, key) for name in ("front-door", "back-door")]
    for box in boxes:
        bundle(box.gallery, 0, key=key)
    with (
        keeping(*boxes) as known,
        running_sshd(sandbox / "sshd1", key, f"{RECEIVE}{boxes[0].config}") as front,
        running_sshd(sandbox / "sshd2", key, f"{RECEIVE}{boxes[1].config}") as back,
    ):
        (sandbox / "ssh_config").write_text(front.config("front-door") + back.config("back-door"))
        _only_through(sandbox / "ssh_config", monkeypatch)
        code, output = run(push)
        assert code == 0, output
        assert [len(one.matcher.gallery.people) for one in known] == [3, 3]


def _only_through(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `ssh` read this config, as OpenSSH looks for its own in the passwd file's home."""
    folder = config.parent / "bin"
    folder.mkdir()
    script = folder / "ssh"
    script.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_event_in_the_readme_is_the_demos(broker: Broker, demo_gallery: Path, tmp_path: Path) -> None:
    shown = re.search(r"^\$ mosquitto_sub -t (\S+)\n(\{.*?), \.\.\.\}$", README.text, re.MULTILINE | re.DOTALL)
    assert shown
    event: dict[str, Any] = json.loads(re.sub(r"\n\s*", "", shown[2]) + "}")

    config = write_config(tmp_path, broker, demo_gallery, models={"embedder": "mobilefacenet"})
    with Listener(broker) as listener, running(config):
        listener.wait(lambda: any(e["event_type"] == event["event_type"] for e in visits(listener)))
        real = next(e for e in visits(listener) if e["event_type"] == event["event_type"])
    assert shown[1] == f"whosthere/{real['device_id']}/visit"
    assert set(event) <= set(real)
    for name in ("person_id", "person_name", "usable_faces"):
        assert real[name] == event[name]
    assert real["similarity"] == pytest.approx(event["similarity"], abs=0.01)
    assert real["threshold"] == pytest.approx(event["threshold"], abs=0.001)


def test_the_daemon_opens_no_port(broker: Broker, demo_gallery: Path, tmp_path: Path) -> None:
    """SECURITY.md: all of its connections go out."""
    config = write_config(tmp_path, broker, demo_gallery, camera={"realtime": True})
    with running(config) as daemon:
        daemon.wait_for_log("connected to the broker")

        links = (path.readlink() for path in Path(f"/proc/{daemon.pid}/fd").iterdir() if path.is_symlink())
        sockets = {found[1] for link in links if (found := re.match(r"socket:\[(\d+)\]", str(link)))}
        assert sockets, "at least the one to the broker"
        assert not sockets & {inode for table in ("tcp", "tcp6", "udp", "udp6") for inode in _bound(table)}


def _bound(table: str) -> set[str]:
    """The inodes of the sockets on which anything waits for others to connect or send."""
    rows = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    listening = {"tcp": "0A", "udp": "07"}[table.removesuffix("6")]
    return {row[9] for row in rows if row[3] == listening}


def test_nothing_is_downloaded(sandbox: Path) -> None:
    """README: enrolling and identifying work where there is no network at all, and nothing is cached."""
    isolated = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*isolated, "true"], check=False).returncode:
        pytest.skip("this system does not allow a network namespace")
    whosthere = [*isolated, sys.executable, "-P", "-m", "edge"]
    gallery = ["--gallery", str(sandbox / "offline.whg")]

    subprocess.run([*whosthere, "enroll", *gallery, "--person", "Ada", str(OBAMA)], check=True, timeout=300)
    found = subprocess.run(
        [*whosthere, "identify", *gallery, str(OBAMA_2009)], check=True, timeout=300, capture_output=True, text=True
    )

    assert "Ada" in found.stdout
