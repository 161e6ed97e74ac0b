"""whosthere tune: with real networks for a moment; what it chooses is decided by times that are given."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from edge.commands.tune import _show, changes
from edge.config import typed_yaml
from edge.config.loading import load_config
from edge.inspection.tuning import Choice, Option, Rig, Tuner, fast_cores
from edge.models import embedder_choice
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
    models = typed_yaml.read(config)["models"]
    assert 1 <= models["threads"] <= 4
    # Whether the fast kernels are faster, and how many tiles it has time for, is for this machine to say.
    kernels = "" if models.get("xnnpack", True) else "  xnnpack: false\n"
    tiles = re.sub(r"detect:\n  tiles: [0-2]\n\Z", "", config.read_text())
    assert tiles.replace(kernels, "") == MINE.replace("threads: 16", f"threads: {models['threads']}")
    assert config.stat().st_mode & 0o777 == 0o640
    assert f"set models.threads: {models['threads']}" in result.output
    assert sorted(path.name for path in config.parent.iterdir()) == ["config.yaml", "gallery.whg"]


def test_a_dry_run_prints_the_lines_and_changes_nothing(config: Path) -> None:
    output = tune(config, "--dry-run").output
    assert f"would be set in {config}:\nmodels:\n" in output
    assert "\n  threads: " in output
    assert config.read_text() == MINE


def test_every_question_is_measured_with_every_answer(config: Path, tmp_path: Path) -> None:
    fast = quick(tmp_path / "fast", calibration=CALIBRATION)
    report = json.loads(tune(config, "--dry-run", "--json", "--model", fast).stdout)
    timings = report["choice"]["timings"]
    assert {timing["option"] for timing in timings["kernels"]} == {"xnnpack", "plain"}
    # Of the bundled network's two files, `auto` stands for one.
    other = "mobilefacenet-int8" if embedder_choice.dot_products() is None else "mobilefacenet"
    assert [timing["option"] for timing in timings["embedder"]] == ["auto", other, str(fast)]
    assert all(timing["look_ms"] > 0 and timing["looks"] >= 3 for each in timings.values() for timing in each)
    assert report["changes"]["models.threads"] == report["choice"]["threads"]


class TimedRig(Rig):
    """One whose looks take a given time: half with `fast`, less with each thread, twice without the fast kernels."""

    def __init__(self, option: Option, base: Path) -> None:
        self.name = option.name
        models = option.models
        self._takes_s = (0.01 if "fast" in models.embedder else 0.02) / models.threads * (1 if models.xnnpack else 2)
        self._takes_s += 0.01 * (option.squares - 1) + 0.02 * option.tiles

    def look_s(self) -> float:
        return self._takes_s


def choice(config: Path, *embedders: Path, rig: type[Rig] = TimedRig) -> Choice:
    return Tuner(load_config(config), 0.0, rig).choose([str(path) for path in embedders])


def test_a_faster_embedder_is_chosen_while_nobody_is_enrolled(config: Path, tmp_path: Path) -> None:
    fast = quick(tmp_path / "fast", calibration=CALIBRATION)
    found = choice(config, fast)
    assert (found.embedder, found.left_alone) == (str(fast), [])
    assert changes(load_config(config), found)["models.embedder"] == str(fast)


@pytest.mark.parametrize(
    ("flags", "stands_for"),
    [("avx2 avx_vnni", "int8, as this CPU has dot products of bytes (avx_vnni)"),
     ("avx2", "float32, as this CPU has no dot products of bytes")],
)  # fmt: skip
def test_it_says_what_auto_stands_for(
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    flags: str,
    stands_for: str,
) -> None:
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\n")
    monkeypatch.setattr(embedder_choice, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(embedder_choice, "INT8_RUNTIME", "edge")
    found = choice(config)

    assert (found.embedder, found.embedder_why) == ("auto", stands_for)
    _show(found)
    assert f"models.embedder: auto is {stands_for}" in " ".join(capsys.readouterr().out.split())


def test_what_auto_stands_for_is_not_measured_beside_itself(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for flags, others in [("avx_vnni", ["mobilefacenet"]), ("avx2", ["mobilefacenet-int8"])]:
        (config.parent / "cpuinfo").write_text(f"flags\t\t: {flags}\n")
        monkeypatch.setattr(embedder_choice, "CPUINFO", config.parent / "cpuinfo")
        monkeypatch.setattr(embedder_choice, "INT8_RUNTIME", "edge")
        found = Tuner(load_config(config), 0.0, TimedRig).choose(["mobilefacenet", "mobilefacenet-int8", "auto"])
        assert [timing.option for timing in found.timings["embedder"]] == ["auto", *others]


def test_one_that_is_hardly_faster_is_not_chosen(config: Path, tmp_path: Path) -> None:
    class Close(TimedRig):
        def look_s(self) -> float:
            return 0.0095 if "fast" in self.name else 0.01

    assert choice(config, quick(tmp_path / "fast", calibration=CALIBRATION), rig=Close).embedder == "auto"


def test_as_few_threads_as_are_nearly_as_fast_and_the_kernels_that_are(config: Path) -> None:
    class Contended(TimedRig):
        def look_s(self) -> float:
            return {"1 thread": 0.0104, "plain": 0.005}.get(self.name, 0.01)

    found = choice(config, rig=Contended)
    assert (found.threads, found.xnnpack) == (1, False)
    assert choice(config).xnnpack


@pytest.mark.parametrize(("max_fps", "wanted", "tiles"), [
    (5, 3, 3), (9, 3, 2), (9, 8, 2), (12, 3, 1), (25, 3, 0), (5, 0, 0), (5, 1, 1), (2, 8, 8),
])  # fmt: skip
def test_tiles_take_the_time_that_is_left_of_a_frame(config: Path, max_fps: int, wanted: int, tiles: int) -> None:
    """A frame of two squares takes 0.02 s without them here, and each takes 0.02 s; 0.7 / max_fps is allowed."""
    config.write_text(f"{MINE}runtime:\n  max_fps: {max_fps}\ndetect:\n  tiles: {wanted}\n")
    found = choice(config)
    assert found.tiles == tiles
    assert changes(load_config(config), found).get("detect.tiles", wanted) == tiles


def test_what_is_timed_is_a_frame_with_its_squares_and_tiles(config: Path) -> None:
    loaded = load_config(config)
    rig = Rig(Option("five tiles", loaded.config.models, squares=2, tiles=5), loaded.base)
    asked = Counter(network.card.name for network, _ in rig._asked)
    assert asked == {"blazeface-back": 2, "blazeface-short-range": 5, "face-mesh": 1, "mobilefacenet": 1}
    report = json.loads(tune(config, "--dry-run", "--json").stdout)
    tried = [timing["option"] for timing in report["choice"]["timings"]["tiles"]]
    assert tried == ["0 tiles", "1 tile", "2 tiles", "3 tiles"]
    assert 0 <= report["choice"]["tiles"] <= 3


def test_a_gallery_in_force_keeps_its_embedder(enrolled: Path, tmp_path: Path) -> None:
    fast = quick(tmp_path / "fast", calibration=CALIBRATION)
    found = choice(enrolled, fast)
    [why] = found.left_alone
    assert found.embedder == "auto"
    assert why.startswith(f"{fast}: 50 % faster, but ")
    assert "was made with mobilefacenet: set models.embedder yourself, and enrol all 3 people again" in why


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
