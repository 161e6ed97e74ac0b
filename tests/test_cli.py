"""The command line itself."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edge import __version__
from edge.__main__ import COMMANDS
from edge.errors import BrokerError, CameraError, ConfigError, GalleryError, ModelError, UsageError, WhosthereError
from edge.models import card
from support.portraits import whosthere


def process(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """`whosthere`, from outside."""
    command = [sys.executable, "-P", "-m", "edge", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_help_lists_every_command_and_every_exit_code() -> None:
    result = process("--help")

    assert result.returncode == 0
    for name in ("run", "demo", "check", "enroll", "identify", "gallery", "doctor", "bench"):
        assert name in COMMANDS
        assert re.search(rf"^  {name}  +\w", result.stdout, re.MULTILINE)
    told = dict(re.findall(r"^ +(\d)  (.+)$", result.stdout, re.MULTILINE))
    assert told == {
        "0": "fine", "1": "failed", "2": "wrong usage", "3": "config", "4": "model or gallery", "5": "camera",
        "6": "broker",
    }  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = whosthere(name, "--help")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Usage: ")
    assert len(result.stdout) > 200
    assert whosthere(name, "-h").stdout == result.stdout


def test_the_version_names_the_models() -> None:
    result = process("--version")

    assert result.returncode == 0
    assert result.stdout.startswith(f"whosthere {__version__}\n")
    for name in card.bundled():
        known = card.read_card(card.find(name))
        assert re.search(rf"{known.task} +{name} {known.sha256[:12]}", result.stdout)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["anwser"], "No such command 'anwser'"),
        (["check", "--confg", "x"], "No such option"),
        (["check", "--skip", "gallery"], "'gallery' is not one of 'camera', 'broker'"),
        (["bench", "--frames", "0"], "0 is not in the range"),
        ([], "Usage: "),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_wrong(arguments: list[str], told: str) -> None:
    result = whosthere(*arguments)

    assert result.exit_code == 2
    assert told in result.output


def test_the_exit_code_tells_what_kind_of_failure_it_was() -> None:
    codes = {kind: kind.exit_code for kind in (WhosthereError, UsageError, ConfigError, ModelError, GalleryError)}
    assert codes == {WhosthereError: 1, UsageError: 2, ConfigError: 3, ModelError: 4, GalleryError: 4}
    assert (CameraError.exit_code, BrokerError.exit_code) == (5, 6)


def test_a_failure_is_one_message_without_a_traceback(tmp_path: Path) -> None:
    result = process("run", "--config", str(tmp_path / "none.yaml"))

    assert result.returncode == 3
    assert result.stdout == ""
    assert result.stderr.startswith(f"whosthere: {tmp_path / 'none.yaml'}: cannot be read: No such file")
    assert "Traceback" not in result.stderr


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="OpenBLAS starts no second thread on one core")
def test_numpy_starts_no_threads_that_would_spin_after_each_product() -> None:
    code = "import edge.__main__, numpy, os; print(len(os.listdir('/proc/self/task')))"
    free = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    words = [sys.executable, "-P", "-c", code]
    result = subprocess.run(words, env=free, capture_output=True, text=True, timeout=300, check=True)

    assert result.stdout.strip() == "1"


def test_help_is_quick_because_it_loads_no_libraries() -> None:
    code = "import sys, edge.__main__; print(sorted({'cv2', 'numpy', 'paho', 'ai_edge_litert'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=300, check=True)

    assert result.stdout.strip() == "[]"
