"""whosthere bench: on the bundled clip, with the real networks. `make bench` has test_benchmark.py."""

import json
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge.inspection.benchmark import Lap, Measured, StagePair
from edge.inspection.speed import summary
from support.portraits import HOPPER, read_picture, whosthere


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    result = whosthere("bench", "--frames", "48", "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_it_replays_the_bundled_clip(report: dict[str, Any]) -> None:
    assert report["source"].startswith("clip.")
    assert report["frames"] == 48
    assert (report["width"], report["height"]) == (640, 480)
    assert report["fps"] > 0
    assert 0 < report["awake"] <= 48


def test_the_stages_account_for_all_time(report: dict[str, Any]) -> None:
    stages = {stage["stage"]: stage for stage in report["stages"]}

    assert {"read", "motion", "detect", "detect near", "landmarks", "embed", "decide", "the rest"} == set(stages)
    assert sum(stage["share"] for stage in report["stages"]) == pytest.approx(1.0, abs=0.01)
    assert stages["read"]["calls"] == stages["motion"]["calls"] == 48
    # Not every frame in which something moves is searched. Tiles around motion that no followed face explains are
    # searched by the near detector, beside the whole picture.
    detections = stages["detect"]["calls"] + stages["detect near"]["calls"]
    assert 0 < stages["detect"]["calls"] <= report["awake"] <= 48
    assert stages["detect"]["calls"] < detections <= 4 * report["awake"]
    assert 0 < stages["embed"]["calls"] <= stages["landmarks"]["calls"]
    assert all(stage["p50_ms"] <= stage["p95_ms"] for stage in report["stages"])


def test_each_network_is_measured_bare_beside_its_stage(report: dict[str, Any]) -> None:
    networks = {stage["stage"]: stage for stage in report["stages"] if stage["network"]}

    assert {name: stage["network"] for name, stage in networks.items()} == {
        "detect": "detector", "detect near": "near_detector", "landmarks": "landmarks", "embed": "embedder",
    }  # fmt: skip
    # 640 x 480 is one square; landmarks take two passes a face; one face is one embedding.
    assert networks["detect"]["runs"] == 1
    assert networks["landmarks"]["runs"] == 2
    assert networks["embed"]["runs"] == 1
    # A stage contains its invocations: it takes at least about as long, and not many times as long.
    assert all(0.7 < stage["ratio"] < 20 for stage in networks.values())


def test_processor_time_is_told_as_cores(report: dict[str, Any]) -> None:
    assert report["cpu_reading_ms"] < report["cpu_ms"]
    assert report["cores"]["5"] == pytest.approx(5 * report["cpu_ms"] / 1000, abs=0.002)
    assert report["cores"]["10"] == pytest.approx(10 * report["cpu_ms"] / 1000, abs=0.002)


def test_people_get_a_table(tmp_path: Path) -> None:
    for index in range(4):
        cv2.imwrite(str(tmp_path / f"{index}.jpg"), read_picture(HOPPER))

    result = whosthere("bench", tmp_path, "--frames", "3")

    assert result.exit_code == 0, result.output
    assert f"{tmp_path.name}: 3 frames of" in result.stdout
    assert "frames per second through everything" in result.stdout
    assert any(line.startswith("detect ") and " detector " in line for line in result.stdout.splitlines())
    assert "of one core at 5 frames per second" in result.stdout
    assert "times the time of the bare networks" in result.stdout


def test_a_source_that_is_no_video_is_a_camera_error(tmp_path: Path) -> None:
    (tmp_path / "note.mp4").write_text("not a video")
    result = whosthere("bench", tmp_path / "note.mp4")
    assert result.exit_code == 5
    assert "note.mp4: not a readable video" in result.stderr

    assert whosthere("bench", tmp_path / "none.mp4").exit_code == 2


def test_the_figures_are_medians_of_pairs() -> None:
    measured = Measured(
        width=4,
        height=3,
        reading_s=[0.01, 0.01, 0.01],
        watching_s=[0.1, 0.2, 0.06],
        rest_s=[0.0, 0.0, 0.06],
        awake=[True, True, False],
        cpu_reading_s=0.03,
        cpu_watching_s=0.6,
        laps=[Lap("detect", 0.1, "detector", 2), Lap("detect", 0.2, "detector", 2)],
        pairs={"detect": [StagePair(0.1, 0.025, 2), StagePair(0.2, 0.08, 2)]},
    )

    speed = summary(measured, source="s", runtime="r", threads=2, cpus=4, load=0.1)

    assert speed.fps == pytest.approx(3 / 0.39, abs=0.05)
    assert (speed.awake, speed.awake_p50_ms) == (2, 150)
    assert (speed.cpu_ms, speed.cpu_reading_ms, speed.cores) == (210, 10, {"5": 1.05, "10": 2.1})
    detect = next(stage for stage in speed.stages if stage.stage == "detect")
    assert (detect.calls, detect.p50_ms, detect.network, detect.runs) == (2, 150, "detector", 2)
    # Pair by pair 0.1 / (2 x 0.025) = 2 and 0.2 / (2 x 0.08) = 1.25.
    assert detect.ratio == pytest.approx(1.62, abs=0.01)
    # 0.36 s of everything but reading, beside 2 x 0.025 + 2 x 0.08 s of the network.
    assert speed.overhead == pytest.approx(0.36 / 0.21, abs=0.005)
