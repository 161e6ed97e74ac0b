"""Commands in odd surroundings: terminals of eight bits, and a working folder that is gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("locale", LOCALES)
def test_no_terminal_is_too_old(tmp_path: Path, locale: dict[str, str]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("camera: {name: \u0110\u00e0 N\u1eb5ng, source: \u2603.mp4}\n", encoding="utf-8")
    for command in [*COMMANDS, ["doctor", "--config", str(config)], ["check", "--config", str(config)]]:
        done = whosthere(command, tmp_path, **locale)
        assert b"Traceback" not in done.stderr, command
        assert done.stdout + done.stderr, command


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
