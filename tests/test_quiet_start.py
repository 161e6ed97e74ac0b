"""Ctrl-C in the first moments, while a command line is still loading."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

CTRL_C = """
import os, signal, sys
class Hasty:
    @staticmethod
    def find_spec(name, *_):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Hasty)
"""
"""Python loads a module of this name before anything else."""


def interrupted(folder: Path, program: str, ignored: bool = False) -> "subprocess.CompletedProcess[str]":
    """The program, with a Ctrl-C when it begins to load click."""
    (folder / "sitecustomize.py").write_text(CTRL_C)
    words = [sys.executable, "-P", "-m", program, "--help"]
    handler = signal.SIG_IGN if ignored else signal.default_int_handler
    before = signal.signal(signal.SIGINT, handler)
    try:
        return subprocess.run(
            words, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
        )
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("program", ["edge", "converter"])
def test_ctrl_c_while_it_loads_says_nothing(tmp_path: Path, program: str) -> None:
    done = interrupted(tmp_path, program)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_who_ignores_ctrl_c_goes_on_doing_so(tmp_path: Path) -> None:
    done = interrupted(tmp_path, "edge", ignored=True)
    assert done.returncode == 0 and "Exit codes" in done.stdout


def test_once_it_is_loaded_ctrl_c_can_be_caught() -> None:
    script = "import edge.__main__, signal; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        subprocess.run([sys.executable, "-c", script], check=True)
    finally:
        signal.signal(signal.SIGINT, before)
