"""whosthere tune: on this machine, with real networks, for a moment."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from edge.config import typed_yaml
from edge.inspection.tuning import fast_cores
from support import tiny_models
from support.portraits import whosthere

CALIBRATION = {"data": "nobody", "command": "none", "points": [[0.1, 0.1], [0.5, 0.001]]}
MINE = "# my box\nmodels:\n  # many\n  threads: 16  # too many\ngallery:\n  path: gallery.whg\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(MINE)
    path.chmod(0o640)
    return path


def tune(config: Path, *options: str | Path) -> Result:
    result = whosthere("tune", "--config", config, "--seconds", "1", *options)
    assert result.exit_code == 0, result.output
    return result


def quick(folder: Path, **changed: Any) -> Path:
    """An embedder that is faster than any real one."""
    folder.mkdir()
    return tiny_models.write(folder, tiny_models.identity(), **changed)


@pytest.fixture
def enrolled(config: Path, demo_gallery: Path) -> Path:
    """The same with a gallery in force, so that the embedder stays."""
    (config.parent / "gallery.whg").write_bytes(demo_gallery.read_bytes())
    return config


def test_what_suits_the_box_is_written_and_comments_stay(enrolled: Path) -> None:
    config = enrolled
    result = tune(config)
    threads = typed_yaml.read(config)["models"]["threads"]
    assert 1 <= threads <= 4
    assert config.read_text() == MINE.replace("threads: 16", f"threads: {threads}")
    assert config.stat().st_mode & 0o777 == 0o640
    assert f"set models.threads: {threads}" in result.output
    assert sorted(path.name for path in config.parent.iterdir()) == ["config.yaml", "gallery.whg"]


def test_a_dry_run_prints_the_lines_and_changes_nothing(config: Path) -> None:
    output = tune(config, "--dry-run").output
    assert f"to be set in {config}:\nmodels:\n" in output
    assert "\n  threads: " in output
    assert config.read_text() == MINE


def test_every_question_is_measured_with_every_answer(config: Path, tmp_path: Path) -> None:
    fast = quick(tmp_path / "fast", calibration=CALIBRATION)
    report = json.loads(tune(config, "--dry-run", "--json", "--model", fast).stdout)
    timings = report["choice"]["timings"]
    assert {timing["option"] for timing in timings["kernels"]} == {"xnnpack", "plain"}
    assert {"mobilefacenet", str(fast)} <= {timing["option"] for timing in timings["embedder"]}
    assert all(timing["look_ms"] > 0 and timing["looks"] >= 3 for each in timings.values() for timing in each)
    assert report["changes"]["models.threads"] == report["choice"]["threads"]


def test_a_faster_embedder_is_chosen_while_nobody_is_enrolled(config: Path, tmp_path: Path) -> None:
    fast = quick(tmp_path / "fast", calibration=CALIBRATION)
    # Longer than the others: on a busy machine the medians of three looks each tell little.
    tune(config, "--seconds", "4", "--model", fast)
    assert typed_yaml.read(config)["models"]["embedder"] == str(fast)


def test_a_gallery_in_force_keeps_its_embedder(enrolled: Path, tmp_path: Path) -> None:
    config = enrolled
    fast = quick(tmp_path / "fast", calibration=CALIBRATION)
    output = tune(config, "--model", fast).output
    assert "embedder" not in typed_yaml.read(config)["models"]
    assert f"not chosen: {fast}: a look takes" in output
    assert "was made with mobilefacenet: set models.embedder yourself, and enrol all 3 people again" in output


def test_an_embedder_without_calibration_is_not_chosen(config: Path, tmp_path: Path) -> None:
    fast = quick(tmp_path / "fast")
    output = tune(config, "--model", fast).output
    assert typed_yaml.read(config)["models"].get("embedder") != str(fast)
    assert "its card has no calibration" in output


def test_a_board_with_fast_and_slow_cores(tmp_path: Path) -> None:
    for core, clock in enumerate([1800, 1800, 2400, 2400]):
        folder = tmp_path / f"cpu{core}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "cpuinfo_max_freq").write_text(f"{clock}000\n")
    assert fast_cores({0, 1, 2, 3}, tmp_path) == {2, 3}
    assert fast_cores({2, 3}, tmp_path) is None
    assert fast_cores({0, 9}, tmp_path) is None
