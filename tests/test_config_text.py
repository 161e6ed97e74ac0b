"""config.yaml changed in place."""

import difflib
import json
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import settings as tried
from hypothesis import strategies as st

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


def test_characters_in_two_halves_are_those_of_json(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text('camera:\n  name: "\\ud83d\\ude00 door"\n', encoding="utf-8")
    assert load_config(path).config.camera.name == "\U0001f600 door"
    rewrite(path, {"camera.fps": 5.0})
    assert load_config(path).config.camera.name == "\U0001f600 door"
    path.write_text('camera: {name: "\\ude00\\ud83d"}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"found the character \\ude00, which no text may hold"):
        load_config(path)


@pytest.mark.parametrize(
    "text",
    ["%YAML 1.3\n---\ndevice_id: a\n", "%YAML 9.9\n---\ndevice_id: a\n", "#%YAML 9.9\n---\n%YAML 9.9\n---\n a: b\n"],
)
def test_versions_of_yaml_that_do_not_exist_are_mistakes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"not YAML: line \d, column \d: .*(version|incompatible)"):
        load_config(path)


def test_deep_keys_bring_their_sections() -> None:
    assert as_lines({"mqtt.tls.enabled": True, "mqtt.host": "a"}) == "mqtt:\n  host: a\n  tls:\n    enabled: true\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("models: {threads: 2, xnnpack: no} # mine\n", "models: {threads: 3, xnnpack: no} # mine\n"),
        ("models:\n  threads:\n    2\n", "models:\n  threads:\n    3\n"),
        ("models: &m\n  'threads': \"2\"   # two\ntrack: {}\n", "models: &m\n  'threads': 3   # two\ntrack: {}\n"),
        ("models:\n  threads: # none\n", "models:\n  threads: 3 # none\n"),
        ("models:\n      # threads: 1  # one\n", "models:\n      threads: 3  # one\n"),
        ("models:\n  #threads: 1\n  a: 1", "models:\n  threads: 3\n  a: 1"),
        ("models:\n  # threads: a number, see: below\n  a: 1\n",
         "models:\n  threads: 3\n  # threads: a number, see: below\n  a: 1\n"),
        ("models:\r\n  a: 1\r\n", "models:\r\n  threads: 3\r\n  a: 1\r\n"),
    ],
)  # fmt: skip
def test_a_key_is_set_however_it_is_written(before: str, after: str) -> None:
    assert with_values(before, {"models.threads": 3}) == after


@pytest.mark.parametrize(
    "text", ["models: {xnnpack: true}\n", "models: {}\n", "models:\n  threads: &t 2\ntrack:\n  confirm_hits: *t\n",
             "a: 1\na: 2\n", "models: [\n"]
)  # fmt: skip
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


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.sampled_from(" :#'\"-"), min_size=1)
SETTABLE: dict[str, st.SearchStrategy[Value]] = {
    "device_id": st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True),
    "camera.name": TEXTS,
    "camera.mirror": st.booleans(),
    "camera.region.left": st.floats(0, 0.9),
    "camera.region.top": st.floats(0, 0.9),
    "models.threads": st.integers(1, 16),
    "models.device": st.sampled_from(["usb", ":0", "usb:1", None]),
    "mqtt.host": st.sampled_from(["localhost", "broker.lan", "192.168.1.5", "fe80::1"]),
    "mqtt.port": st.integers(1, 65535),
    "mqtt.protocol": st.sampled_from(["5", "3.1.1"]),
    "mqtt.tls.enabled": st.booleans(),
}


class Layout:
    """Writes settings the way that some person might: each detail is drawn."""

    def __init__(self, data: st.DataObject) -> None:
        self._draw = data.draw
        self._comments = 0
        self.text = ""

    def write(self, settings: dict[str, Value]) -> None:
        self._section("", {key.split(".")[0]: None for key in settings}, settings, 0)
        if self._odds(6):
            self.text = self.text.rstrip("\n")
        if self._odds(6):
            self.text = self.text.replace("\n", "\r\n")

    def _section(self, path: str, names: dict[str, None], settings: dict[str, Value], indent: int) -> None:
        for name in names:
            self._between(indent)
            key = path + name
            pad = " " * indent
            if key in settings:
                hidden = "# " if self._odds(5) else ""
                self.text += f"{pad}{hidden}{name}:{self._value(settings[key])}{self._behind()}\n"
                continue
            inner = {k.removeprefix(f"{key}.").split(".")[0]: None for k in settings if k.startswith(f"{key}.")}
            leaves = all(f"{key}.{leaf}" in settings for leaf in inner)
            if leaves and self._odds(5):
                pairs = ", ".join(f"{leaf}: {json.dumps(settings[f'{key}.{leaf}'])}" for leaf in inner)
                self.text += f"{pad}{name}: {{{pairs}}}\n"
                continue
            self.text += f"{pad}{name}:{self._behind()}\n"
            self._section(f"{key}.", inner, settings, indent + self._draw(st.sampled_from([1, 2, 4])))

    def _value(self, value: Value) -> str:
        if value is None:
            return self._draw(st.sampled_from(["", " null", " ~"]))
        if isinstance(value, str) and value.isalnum() and not value.isdecimal() and self._odds(3):
            return f' "{value}"'
        return self._draw(st.sampled_from([" ", "   "])) + typed_yaml.dump_value(value)

    def _behind(self) -> str:
        return f"  {self._comment()}" if self._odds(3) else ""

    def _between(self, indent: int) -> None:
        for _ in range(self._draw(st.integers(0, 2))):
            self.text += self._draw(
                st.sampled_from(["\n", " " * indent + self._comment() + "\n", self._comment() + "\n"])
            )

    def _comment(self) -> str:
        self._comments += 1
        return f"# remark {self._comments}"

    def _odds(self, of: int) -> bool:
        return self._draw(st.integers(1, of)) == of


def remarks(text: str) -> Counter[str]:
    return Counter(line[line.index("# remark") :] for line in text.splitlines() if "# remark" in line)


@pytest.mark.slow
@tried(deadline=None)
@given(st.data())
def test_whatever_the_layout_those_values_change_and_nothing_else(data: st.DataObject) -> None:
    settings = data.draw(st.fixed_dictionaries({}, optional=SETTABLE))
    values = data.draw(st.fixed_dictionaries({}, optional=SETTABLE).filter(bool))
    layout = Layout(data)
    layout.write(settings)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_bytes(layout.text.encode())
        before = typed_yaml.read(path) or {}
        load_config(path)
        try:
            rewrite(path, values)
        except ConfigError:
            event("refused")
            assert path.read_bytes() == layout.text.encode()
            return
        changed = path.read_bytes().decode()
        assert typed_yaml.read(path) == with_changes(before, values)
        assert remarks(changed) == remarks(layout.text)
        lines = Counter(layout.text.splitlines()) - Counter(changed.splitlines())
        assert lines.total() <= len(values)


def with_changes(document: dict[str, object], values: dict[str, Value]) -> dict[str, object]:
    for key, value in values.items():
        *sections, name = key.split(".")
        place: dict[str, object] = document
        for section in sections:
            inner = place.get(section) or {}
            assert isinstance(inner, dict)
            place[section] = place = inner
        place[name] = value
    return document
