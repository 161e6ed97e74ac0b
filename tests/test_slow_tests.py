"""CI's own limit: what `.ci/run` leaves out on a slow machine, and says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("until", "left_out"), [("1", True), ("9e9", False)])
def test_slow_tests_that_would_begin_too_late_are_left_out_and_named(until: str, left_out: bool) -> None:
    chosen = "tests/test_train_networks.py::test_probabilities_are_no_embedding"
    # --setup-only makes the fixtures and runs no test.
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "--setup-only", chosen]
    environment = os.environ | {"WHOSTHERE_SLOW_UNTIL": until}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ("no time left (WHOSTHERE_SLOW_UNTIL): `make test-slow` runs it" in done.stdout) is left_out, done.stdout


def test_other_tests_are_never_left_out() -> None:
    chosen = "tests/test_class_names.py::test_no_module_has_more_than_300_lines"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", chosen]
    environment = os.environ | {"WHOSTHERE_SLOW_UNTIL": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout


def test_ci_sets_the_limit_below_its_forty_minutes() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    minutes = int(script.split("WHOSTHERE_SLOW_UNTIL=", 1)[1].split("date +%s) + ", 1)[1].split(" ")[0])
    assert 20 <= minutes < 35
