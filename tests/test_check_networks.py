"""whosthere check and doctor on networks and their thresholds, with either runtime."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from edge.config import typed_yaml
from edge.galleries.file import write_gallery
from edge.galleries.gallery import Gallery, Template
from edge.models import card
from edge.models.tflite import find_runtime
from support.checking import changed, check
from support.portraits import analyser, whosthere

AT = "2025-01-01T00:00:00Z"
ALONE = ("--skip", "camera", "--skip", "broker")


@pytest.fixture
def config(tmp_path: Path, demo_gallery: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        typed_yaml.dump({"gallery": {"path": str(demo_gallery)}, "mqtt": {"outbox": {"path": "o.sqlite3"}}})
    )
    return path


def test_every_network_that_is_wrong_is_named(config: Path, tmp_path: Path) -> None:
    bundled = card.BUNDLED
    shutil.copy(bundled / "mobilefacenet.yaml", tmp_path / "mine.yaml")
    content = bytearray((bundled / "mobilefacenet.tflite").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "mobilefacenet.tflite").write_bytes(content)
    changed(config, models={"detector": "retina", "embedder": "mine.yaml"})

    code, findings = check(config, *ALONE)

    assert code == 4
    assert "'retina': no bundled model has that name; bundled: blazeface-back" in findings["detector"][0]["found"]
    assert "sha256 is" in findings["embedder"][0]["found"]
    assert str(tmp_path / "mobilefacenet.tflite") in findings["embedder"][0]["found"]
    assert findings["landmarks"][0]["verdict"] == findings["gallery"][0]["verdict"] == "ok"
    assert findings["threshold"][0]["verdict"] == "skipped"


def test_the_licence_of_every_network_is_shown(config: Path, tmp_path: Path) -> None:
    """Weights that are for research only stay so on the box."""
    known = (card.BUNDLED / "mobilefacenet.yaml").read_text(encoding="utf-8")
    named = known.replace("licence: MIT (package), Apache-2.0 (network)", "licence: research only")
    (tmp_path / "mine.yaml").write_text(named, encoding="utf-8")
    shutil.copy(card.BUNDLED / "mobilefacenet.tflite", tmp_path)
    changed(config, models={"embedder": "mine.yaml"})

    _, findings = check(config, *ALONE)

    assert "licence: research only" in findings["embedder"][0]["found"]
    assert "licence: Apache-2.0" in findings["detector"][0]["found"]


def test_a_network_for_another_task_is_refused(config: Path) -> None:
    code, findings = check(changed(config, models={"embedder": "face-mesh"}), *ALONE)

    assert code == 4
    assert "task is 'landmarks'; 'embed' is needed" in findings["embedder"][0]["found"]


def test_people_who_look_alike_are_told(config: Path, tmp_path: Path) -> None:
    embedder = analyser().embedder
    one = np.zeros(embedder.dimensions, np.float32)
    one[0] = 1.0
    gallery = Gallery.empty(embedder.id, embedder.dimensions)
    for name in ("Ada", "Ida"):
        gallery = gallery.with_templates(name, [one], [Template("photo.jpg", 1.0, AT)], AT)
    write_gallery(gallery, tmp_path / "twins.whg")

    code, findings = check(changed(config, gallery={"path": "twins.whg"}), *ALONE)

    assert code == 0
    assert "Ada and Ida look alike to the embedder: similarity 1.00" in findings["gallery"][1]["found"]


def test_a_threshold_that_overrides_the_calibration_is_told(config: Path) -> None:
    code, findings = check(changed(config, match={"threshold": 0.9}), *ALONE)

    assert code == 0
    assert findings["threshold"][0]["verdict"] == "warning"
    assert "similarity of 0.900, from match.threshold" in findings["threshold"][0]["found"]


def test_a_target_beyond_the_calibration_is_told(config: Path) -> None:
    calibration = analyser().embedder.calibration
    assert calibration is not None
    _, findings = check(changed(config, match={"false_alarm_target": 1e-9}), *ALONE)

    assert findings["threshold"][0]["verdict"] == "warning"
    assert "one stranger in 1,000,000,000 against 3 templates is rarer than" in findings["threshold"][0]["found"]
    assert f"{calibration.points[-1][0]:.3f}" in findings["threshold"][0]["found"]


def test_grouped_strangers_have_a_bar_or_need_a_calibration(config: Path, tmp_path: Path) -> None:
    strangers = {"keep": 20, "group": True, "path": "kept"}
    code, findings = check(changed(config, strangers=strangers), "--skip", "broker", "--skip", "camera")
    assert code == 0
    assert findings["strangers"][0]["found"] == "two visits of one stranger take a similarity of 0.608 with 20 kept"

    text = (card.BUNDLED / "mobilefacenet.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text[: text.index("calibration:")])
    shutil.copy(card.BUNDLED / "mobilefacenet.tflite", tmp_path)
    changed(config, strangers=strangers, models={"embedder": "mine.yaml"}, match={"threshold": 0.4})
    code, findings = check(config, "--skip", "broker", "--skip", "camera")
    assert code == 4
    assert "set strangers.group to false" in findings["strangers"][0]["found"]


def test_an_embedder_without_calibration_fails_unless_a_threshold_is_given(config: Path, tmp_path: Path) -> None:
    text = (card.BUNDLED / "mobilefacenet.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text[: text.index("calibration:")])
    shutil.copy(card.BUNDLED / "mobilefacenet.tflite", tmp_path)

    code, findings = check(changed(config, models={"embedder": "mine.yaml"}), *ALONE)
    assert code == 4
    assert "has no calibration" in findings["threshold"][0]["found"]

    code, findings = check(changed(config, match={"threshold": 0.45}), *ALONE)
    assert code == 0
    assert findings["threshold"][0]["verdict"] == "warning"


@pytest.mark.parametrize("embedder", ["mobilefacenet", "mobilefacenet-int8"])
def test_int8_on_tflite_runtime_is_told_to_be_slow(config: Path, embedder: str) -> None:
    changed(config, models={"embedder": embedder}, gallery={"path": "none.whg"})
    slow = embedder.endswith("-int8") and find_runtime().package == "tflite-runtime"

    code, findings = check(config, *ALONE)
    told = whosthere("doctor", "--config", config).stdout

    assert code == 0
    assert ("runtime" in findings) == slow
    assert ("mobilefacenet-int8: tflite-runtime " in told) == slow
    if slow:
        assert findings["runtime"][0]["verdict"] == "warning"
        assert "pip install 'whosthere[litert]'" in findings["runtime"][0]["advice"]
