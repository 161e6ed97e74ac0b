"""Commands in odd surroundings: terminals of eight bits, and a working folder that is gone."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.terminal import safe_json
from support.portraits import OBAMA_2009

ROOT = Path(__file__).parents[1]
LOCALES = [
    {"LC_ALL": "de_DE.ISO-8859-1", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict"},
    {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
]
COMMANDS = [
    ["--help"],
    ["--version"],
    ["doctor"],
    ["check"],
    ["identify", str(ROOT / "edge/demo/portraits")],
    ["broker-acl"],
]


def whosthere(arguments: list[str], folder: Path, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, "-m", "edge", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("locale", LOCALES)
def test_no_terminal_is_too_old(tmp_path: Path, locale: dict[str, str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("camera: {name: \u0110\u00e0 N\u1eb5ng, source: \u2603.mp4}\n", encoding="utf-8")
    for command in [*COMMANDS, ["doctor", "--config", str(config)], ["check", "--config", str(config)]]:
        done = whosthere(command, tmp_path, **locale)
        assert b"Traceback" not in done.stderr, command
        assert done.stdout + done.stderr, command


@pytest.fixture(scope="module")
def latin_1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A locale of eight bits, made on the spot."""
    name, folder = "en_US.ISO-8859-1", tmp_path_factory.mktemp("locales")
    program = shutil.which("localedef")
    make = [program or "", "-i", "en_US", "-f", "ISO-8859-1", "--no-archive", str(folder / name)]
    if program is None or subprocess.run(make, capture_output=True, check=False).returncode:
        pytest.skip("needs localedef and the sources of locales: apt install locales")
    return {"LOCPATH": str(folder), "LC_ALL": name, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


PERSON, PHOTOS = "Ren\xe9 \xd6zil".encode("latin-1"), (b"Andr\xe9.jpg", b"\xc3\xa9\xff.jpg", b"bad\xfe.jpg")


@pytest.mark.slow
def test_a_locale_of_eight_bits_with_names_of_eight_bits(tmp_path: Path, latin_1: dict[str, str]) -> None:
    """Everything that prints names, paths or JSON."""
    folder, gallery = os.fsencode(tmp_path), [b"--gallery", b"g.whg"]
    for photo in PHOTOS[:2]:
        Path(os.fsdecode(folder + b"/" + photo)).write_bytes(OBAMA_2009.read_bytes())
    Path(os.fsdecode(folder + b"/" + PHOTOS[2])).write_bytes(b"x")
    person = Path(os.fsdecode(folder + b"/people/" + PERSON))
    person.mkdir(parents=True)
    (person / os.fsdecode(b"f\xfcr.jpg")).write_bytes(OBAMA_2009.read_bytes())

    def run(*words: bytes, module: str = "edge", code: int = 0) -> bytes:
        done = subprocess.run(
            [sys.executable, "-m", module, *words], cwd=tmp_path, capture_output=True, check=False,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | latin_1,
        )  # fmt: skip
        assert b"Traceback" not in done.stderr, (words, done.stderr)
        assert done.returncode == code, (words, done.stderr)
        return done.stdout

    shown = run(b"enroll", *gallery, b"--person", PERSON, *PHOTOS, code=1)
    assert all(name in shown for name in (PERSON, *PHOTOS[:2]))
    assert PERSON in run(b"gallery", b"list", *gallery)
    assert PHOTOS[0] in run(b"gallery", b"show", *gallery, PERSON)
    assert PERSON in run(b"gallery", b"rename", *gallery, PERSON, "J\xfcrgen".encode("latin-1"))
    run(b"gallery", b"rename", *gallery, "J\xfcrgen".encode("latin-1"), PERSON)
    run(b"gallery", b"verify", *gallery)
    seen = run(b"identify", *gallery, b"--csv", b"rows.csv", b"--annotate", b"marked", *PHOTOS[:2])
    assert PHOTOS[0] in seen
    assert "Ren\xe9 \xd6zil" in (tmp_path / "rows.csv").read_text(encoding="utf-8")
    assert {os.fsencode(copy.name) for copy in (tmp_path / "marked").iterdir()} == set(PHOTOS[:2])
    rows = json.loads(run(b"identify", *gallery, b"--json", *PHOTOS[:2]).decode("ascii"))["rows"]
    assert {row["person_name"] for row in rows} == {"Ren\xe9 \xd6zil"}
    assert json.loads(run(b"gallery", b"list", *gallery, b"--json").decode("ascii"))["people"]
    assert PERSON in run(b"enroll", b"people", b"-o", b"c.whg", module="converter")
    json.loads(run(b"enroll", b"people", b"-o", b"d.whg", b"--json", module="converter").decode("ascii"))
    assert PERSON in run(b"gallery", b"remove", *gallery, b"--yes", PERSON)


def test_json_has_no_character_that_the_encoding_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"name": "Ren\xe9 \u1ec5 \U0001f600"}
    for encoding in ("latin-1", "ascii", "utf-8"):
        out = io.TextIOWrapper(io.BytesIO(), encoding)
        monkeypatch.setattr(sys, "stdout", out)
        text = safe_json(json.dumps(document, ensure_ascii=False))
        assert json.loads(text) == document
        assert text.isascii() == (encoding != "utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_deleted_working_folder_is_named(tmp_path: Path, command: list[str]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = "import os, sys; os.rmdir('../gone'); from edge.__main__ import main; main(sys.argv[1:])"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    call = [sys.executable, "-c", program, *command]
    done = subprocess.run(call, cwd=gone, env=environment, capture_output=True, check=False, text=True)
    assert "Traceback" not in done.stderr
    said = done.stdout + done.stderr
    assert done.returncode == 0 or "the working folder has been deleted" in said or "config.yaml" in said
