"""CI's own limit: what `.ci/run` leaves out on a slow machine, and says so."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TESTS = "import pytest\n\n@pytest.mark.slow\ndef test_a_slow_one(): pass\n\ndef test_another(): pass\n"
LONG = "".join(f"@pytest.mark.slow({seconds})\ndef test_of_{seconds}_s(): pass\n" for seconds in (20, 90, 9))


def run_own(folder: Path, tests: str, config: pytest.Config, capsys: pytest.CaptureFixture[str]) -> str:
    """What a pytest of its own says that runs these tests with this project's conftest.py."""
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = slow\n", encoding="utf-8")
    (folder / f"{folder.name}.py").write_text(tests, encoding="utf-8")
    own = config.pluginmanager.get_plugin(str(ROOT / "tests" / "conftest.py"))
    without = [f"-pno:{name}" for name in ("cacheprovider", "timeout", "xdist", "hypothesispytest")]
    pytest.main(["-v", "-rs", "-s", "--import-mode=importlib", *without, str(folder)], plugins=[own])
    return capsys.readouterr().out


@pytest.mark.parametrize(("until", "left_out"), [("1", True), ("9e9", False)])
def test_slow_tests_that_would_begin_too_late_are_left_out_and_named_and_no_others(
    until: str,
    left_out: bool,
    pytestconfig: pytest.Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WHOSTHERE_SLOW_UNTIL", until)
    said = run_own(tmp_path, TESTS, pytestconfig, capsys)

    assert ("no time left (WHOSTHERE_SLOW_UNTIL): `make test-slow` runs it" in said) is left_out, said
    assert f"::test_a_slow_one {'SKIPPED' if left_out else 'PASSED'}" in said, said
    assert "::test_another PASSED" in said, said


def test_the_longest_come_first_and_those_that_do_not_say_last(
    pytestconfig: pytest.Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run_own(tmp_path, TESTS + LONG, pytestconfig, capsys)

    ran = [line.split("::")[1].split()[0] for line in said.splitlines() if " PASSED" in line]
    assert ran == ["test_of_90_s", "test_of_20_s", "test_of_9_s", "test_a_slow_one", "test_another"], said


def test_ci_sets_the_limit_below_its_forty_minutes() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    minutes = int(script.split("WHOSTHERE_SLOW_UNTIL=", 1)[1].split("date +%s) + ", 1)[1].split(" ")[0])
    assert 20 <= minutes < 35
