"""config.yaml changed in place."""

import difflib
from pathlib import Path

import pytest

from edge.config import typed_yaml
from edge.config.config_text import Value, as_lines, rewrite, with_values
from edge.config.loading import load_config
from edge.errors import ConfigError

TEMPLATE = Path(__file__).parent.parent / "config.yaml"
CHANGES: dict[str, Value] = {
    "device_id": "hall",
    "camera.region.left": 0.25,
    "models.threads": 3,
    "models.device": "usb:1",
    "mqtt.protocol": "3.1.1",
    "mqtt.username": "x: y #z",
    "mqtt.tls.enabled": True,
}


def test_the_template_changes_in_those_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(TEMPLATE.read_text())
    rewrite(path, CHANGES)
    changed = difflib.ndiff(TEMPLATE.read_text().split("\n"), path.read_text().split("\n"))
    assert [line[2:].strip() for line in changed if line.startswith("+ ")] == [
        "device_id: hall",
        "left: 0.25",
        "protocol: 3.1.1",
        "username: 'x: y #z'",
        "enabled: true",
        "threads: 3",
        "device: usb:1",
    ]
    config = load_config(path).config
    assert (config.device_id, config.mqtt.username, config.models.device) == ("hall", "x: y #z", "usb:1")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "models:\n  threads: 3\n"),
        ("device_id: a\n", "device_id: a\nmodels:\n  threads: 3\n"),
        ("models:\n", "models:\n  threads: 3\n"),
        ("models:\n    detector: x\n\ntrack:\n", "models:\n    threads: 3\n    detector: x\n\ntrack:\n"),
        ("models: # mine\n  threads: 1   # one\n", "models: # mine\n  threads: 3   # one\n"),
        ("track:\n  # threads: 9\nmodels:\n  a: 1\n", "track:\n  # threads: 9\nmodels:\n  threads: 3\n  a: 1\n"),
    ],
)  # fmt: skip
def test_a_missing_key_finds_its_place(before: str, after: str) -> None:
    assert with_values(before, {"models.threads": 3}) == after


def test_deep_keys_bring_their_sections() -> None:
    assert as_lines({"mqtt.tls.enabled": True, "mqtt.host": "a"}) == "mqtt:\n  host: a\n  tls:\n    enabled: true\n"


@pytest.mark.parametrize(
    "text", ["models: {threads: 2}\n", "models:\n  threads:\n    2\n", "models: &m\n  threads: 2\ntrack: {}\n"]
)
def test_a_layout_that_cannot_be_changed_in_place_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"set by hand:\nmodels:\n  threads: 3"):
        rewrite(path, {"models.threads": 3})
    assert path.read_text() == text
    assert [each.name for each in tmp_path.iterdir()] == ["config.yaml"]


def test_what_the_config_would_not_take_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("models:\n  threads: 2\n")
    with pytest.raises(ConfigError):
        rewrite(path, {"models.threads": 99})
    assert typed_yaml.read(path) == {"models": {"threads": 2}}
