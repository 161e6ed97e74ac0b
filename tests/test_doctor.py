"""whosthere doctor: what is in force, and never a secret."""

import json
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import __version__
from edge.config import typed_yaml
from edge.config.loading import Config, LoadedConfig
from edge.config.visits import MatchSettings
from edge.inspection.issue import issue_report, redacted
from edge.models import card
from edge.models.tflite import find_runtime
from edge.visits.thresholds import threshold_for
from support.portraits import analyser, whosthere

PASSWORD = secrets.token_hex(12)


@pytest.fixture
def config(tmp_path: Path, demo_gallery: Path) -> Path:
    (tmp_path / "password").write_text(PASSWORD)
    return write(
        tmp_path,
        device_id="front-door",
        camera={"source": f"rtsp://admin:{PASSWORD}@cam.example/live?token={PASSWORD}"},
        gallery={"path": str(demo_gallery)},
        mqtt={"host": "broker.example", "username": "box", "password_file": "password"},
    )


def write(folder: Path, **document: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(typed_yaml.dump(document))
    return path


def doctor(config: Path) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON form and the form for people, neither of which holds a password."""
    spoken = whosthere("doctor", "--config", config)
    result = whosthere("doctor", "--config", config, "--json")
    assert PASSWORD not in spoken.output + result.output
    assert spoken.exit_code == result.exit_code
    report: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, report, spoken.stdout


def test_it_tells_what_is_in_force(config: Path, demo_gallery: Path) -> None:
    code, report, spoken = doctor(config)

    assert code == report["exit_code"] == 0
    assert report["problems"] == []
    assert report["device_id"] == "front-door"
    assert report["camera"] == "rtsp://cam.example:554/..."
    assert report["broker"] == "broker.example:1883"
    assert report["software"]["whosthere"] == __version__
    assert report["software"]["packages"]["numpy"] == np.__version__
    assert report["software"]["runtime"] == f"{find_runtime().package} {find_runtime().version}"
    assert report["gallery"] == {"path": str(demo_gallery), "version": 3, "people": 3, "templates": 3}
    assert report["box"]["cpus"] >= 1
    for name in ("blazeface-back", "blazeface-short-range", "face-mesh", "mobilefacenet"):
        known = card.read_card(card.find(name))
        assert {"name": known.name, "sha256": known.sha256, "licence": known.licence}.items() <= next(
            network.items() for network in report["networks"] if network["name"] == name
        )
        assert known.sha256[:12] in spoken
    assert "whosthere enroll" not in spoken


def test_the_thresholds_are_those_of_the_calibration(config: Path) -> None:
    _, report, spoken = doctor(config)
    calibration = analyser().embedder.calibration
    assert calibration is not None

    def threshold(target: float) -> float:
        found = threshold_for(MatchSettings(target), calibration, 3)
        assert found is not None
        return round(found.similarity, 4)

    deciding = report["deciding"]
    assert deciding["threshold"] == threshold(0.001)
    assert deciding["within_data"] is True
    assert [(t["false_alarm_target"], t["threshold"]) for t in deciding["at_other_targets"]] == [
        (target, threshold(target)) for target in (0.01, 0.001, 0.0001)
    ]
    assert f"{threshold(0.001):.3f} in force, for one stranger in 1,000" in spoken
    assert report["calibration"]["points"] == len(calibration.points)
    assert report["calibration"]["false_match_rate"][1] == calibration.points[-1][1]


def test_an_override_is_told_and_does_not_hide_the_calibration(tmp_path: Path) -> None:
    code, report, _ = doctor(write(tmp_path, match={"threshold": 0.9}, gallery={"path": "none.whg"}))

    assert code == 0
    assert report["deciding"]["threshold"] == 0.9
    assert report["deciding"]["from_calibration"] is False
    assert report["deciding"]["at_other_targets"][0]["threshold"] < 0.9
    assert any("remove match.threshold" in hint for hint in report["hints"])
    assert any("no such gallery" in hint for hint in report["hints"])


def test_what_is_missing_and_what_strains_the_box_is_hinted_at(tmp_path: Path) -> None:
    _, report, spoken = doctor(write(tmp_path, models={"threads": 16}, match={"false_alarm_target": 1e-9}))

    assert any(hint.startswith("models.threads is 16, but this box has") for hint in report["hints"])
    assert any("rarer than the calibration's data can show" in hint for hint in report["hints"])
    assert all(f"hint: {hint}" in spoken for hint in report["hints"])


def test_a_broken_config_is_3_and_the_rest_is_still_told(config: Path) -> None:
    with config.open("a") as file:
        file.write("runtime: {log_level: chatty}\n")

    code, report, spoken = doctor(config)

    assert code == 3
    assert "runtime.log_level: found 'chatty'" in report["problems"][0]
    assert "broken: " in spoken
    assert report["gallery"]["people"] == 3


def test_a_broken_network_or_gallery_is_4(config: Path, tmp_path: Path) -> None:
    shutil.copy(card.BUNDLED / "mobilefacenet.yaml", tmp_path)
    (tmp_path / "mobilefacenet.tflite").write_bytes(b"altered")
    code, report, _ = doctor(write(tmp_path, models={"embedder": "mobilefacenet.yaml"}))
    assert code == 4
    assert "the file was altered" in report["problems"][0]
    assert report["deciding"] is None
    assert {network["role"] for network in report["networks"]} == {"detector", "near_detector", "landmarks"}

    (tmp_path / "bad.whg").write_bytes(b"no gallery")
    code, report, _ = doctor(write(tmp_path, gallery={"path": "bad.whg"}))
    assert code == 4
    assert "bad.whg" in report["problems"][0]
    assert report["gallery"] is None


def test_without_a_config_it_tells_of_the_defaults() -> None:
    result = whosthere("doctor", "--json")

    assert result.exit_code in {0, 3}, "3 where a config is installed and broken"
    assert json.loads(result.stdout)["software"]["whosthere"] == __version__


def test_the_report_for_an_issue_tells_all_but_who_and_where(config: Path, tmp_path: Path) -> None:
    with config.open("a") as file:
        file.write("visit: {gap_s: 7.5}  # Uncle Bob's box\n")
    path = tmp_path / "report.md"
    result = whosthere("doctor", "--config", config, "--report", path)
    assert result.exit_code == 0, result.output
    report = path.read_text()
    for private in (PASSWORD, "cam.example", "broker.example", "front-door", "Uncle Bob", "admin"):
        assert private not in report
    assert "gap_s: 7.5" in report
    assert "<broker>:1883" in report
    assert "mobilefacenet" in report
    assert "### log" in report


def test_redaction_finds_names_in_any_case_and_addresses_of_every_kind() -> None:
    text = "visit: recognized ADA LOVELACE at 192.168.1.20 fe80::1ff:fe23:4567:890a 12:31:07 by a@b.org in /home/ada/x"
    words = {"Ada Lovelace": "<person 1>", "Ada": "<first>"}
    assert redacted(text, words) == (
        "visit: recognized <person 1> at <address> <address> 12:31:07 by <mail> in /home/<user>/x"
    )


MARK = "tok3nMARK"
AROUND = st.text("abcXYZ019-_.~%=&/+!$'()*,;:@ \"#?", max_size=30)


@given(before=AROUND, after=AROUND, kind=st.sampled_from(["user", "path", "query", "bare", "odd"]), key=st.sampled_from(
    ["source", "sources", "password", "username", "passphrase"]
))  # fmt: skip
def test_no_token_of_a_camera_is_in_the_report_whatever_is_wrong_with_its_section(
    before: str, after: str, kind: str, key: str
) -> None:
    secret = f"{before}{MARK}{after}"
    source = {
        "user": f"rtsp://admin:{secret}@cam.example/live",
        "path": f"rtsp://cam.example/{secret}/live",
        "query": f"http://cam.example:8080/live?token={secret}&size=2",
        "bare": f"192.168.1.5/{secret}",
        "odd": f"cam:{secret}",
    }[kind]
    value = source if key.startswith("so") else secret
    # `rotation` is wrong, so that nothing of the section has been loaded.
    document = {"camera": {"rotation": 45, key: value}, "device_id": "front-door"}
    if key == "sources":
        document["camera"] = {"rotation": 45, key: f"door.local/{secret}"}
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        config = write(Path(folder), **document)
        patch.setattr("edge.inspection.issue._log", lambda: f"INFO {'rtsp://cam.example/' + secret}")
        report = issue_report("", config, LoadedConfig(Config(), Path(folder)))
    log = report.partition("### log")[2]
    assert MARK not in report.removesuffix(log)
    assert " " in secret or MARK not in log, "a log has no spaces in an address"
    assert "rotation: 45" in report and "front-door" not in report


def test_what_is_private_in_a_broken_section_stays_private(tmp_path: Path) -> None:
    config = write(
        tmp_path,
        mqtt={"prot": 1, "host": "broker.example", "username": "box", "home_assistant": {"area": "Nursery"}},
        camera={"source": "v4l2:0", "name": "pram"},
    )
    report = issue_report("mqtt.prot: no such key; broker.example", config, LoadedConfig(Config(), tmp_path))
    for private in ("broker.example", "Nursery", "username: box", "pram"):
        assert private not in report
    assert "source: v4l2:0" in report and "prot: 1" in report
