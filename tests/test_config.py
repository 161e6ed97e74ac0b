"""config.yaml: the reference agrees with the code, and all mistakes are reported at once."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from edge.config import typed_yaml
from edge.config.loading import Config, InvalidConfig, default_config, load_config
from edge.config.secret_file import read_secret
from edge.errors import ConfigError

REFERENCE = Path(__file__).parents[1] / "config.yaml"
COMMENTED_KEY = re.compile(r"^( *)# ([a-z][a-z0-9_]*:(?: .*)?)$")
DEVICE_ID = "allowed: up to 64 letters, digits, - and _ (in quotes if they are all digits)"
DEFAULTS: dict[str, Any] = msgspec.to_builtins(Config())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def mistakes(file: Path, text: str) -> list[str]:
    """The lines of the error about a config of that text."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    heading, *lines = str(caught.value).splitlines()
    assert str(file) in heading
    return [line.strip() for line in lines]


def keys(document: Any, prefix: str = "") -> Iterator[str]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_the_reference_holds_the_defaults() -> None:
    assert typed_yaml.convert(typed_yaml.read(REFERENCE), Config) == Config()


def test_the_reference_holds_every_key_and_no_other(file: Path) -> None:
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(COMMENTED_KEY.sub(r"\1\2", line) for line in lines), encoding="utf-8")
    active, all_of_them = typed_yaml.read(REFERENCE), typed_yaml.read(file)

    assert sorted(keys(all_of_them)) == sorted(keys(DEFAULTS))
    without_default = {key for key in keys(DEFAULTS) if key not in set(keys(active))}
    assert without_default == {key for key in keys(DEFAULTS) if _value(DEFAULTS, key) is None}


def test_the_examples_in_the_reference_are_valid(file: Path) -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    text = text.replace("enabled: false\n    # certificate_file: page", "enabled: true\n    # certificate_file: page")
    text = text.replace("enabled: false\n    # The auth", "enabled: true\n    # The auth")
    text = text.replace("source: picamera2:0\n  # The camera", "source: https://192.168.1.20/stream1\n  # The camera")
    # Each of them is an alternative to a file.
    text = re.sub(r"\n    # (topic|url): .*", "", text)
    file.write_text("\n".join(COMMENTED_KEY.sub(r"\1\2", line) for line in text.splitlines()), encoding="utf-8")

    config = load_config(file).config

    assert config.mqtt.tls.enabled
    assert config.mqtt.tls.certificate_file == "/etc/whosthere/box.pem"
    assert config.match.threshold == 0.45


def test_every_key_of_the_reference_is_explained() -> None:
    """Directly above it, or above the run of keys that it stands in."""
    explained = False
    for line in REFERENCE.read_text(encoding="utf-8").splitlines():
        if not line.strip():
            explained = False
        elif line.lstrip().startswith("# "):
            explained = True
        else:
            assert explained, f"no comment above {line!r}"


def _value(document: Any, path: str) -> Any:
    for key in path.split("."):
        document = document[key]
    return document


def test_an_empty_file_and_empty_sections_mean_the_defaults(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    for text in ("", "# nothing but a comment\n", "camera:\nmqtt:\n  tls:\n  outbox:\nmatch: {}\n"):
        file.write_text(text, encoding="utf-8")
        assert load_config(file) == default_config()


def test_all_mistakes_are_told_at_once_with_key_value_and_what_is_allowed(file: Path) -> None:
    lines = mistakes(
        file,
        "camera:\n  rotation: 45\n  fps: ten\n"
        "mqtt:\n  port: 99999\n  protocol: 5\n  tls: {enabled: 1}\n"
        "match: {false_alarm_target: 0}\n"
        "visit: [gap_s]\n"
        "runtime: {log_level: chatty}\n"
        "device_id: front door\n",
    )

    assert sorted(lines) == sorted(
        [
            "camera.rotation: found 45; allowed: 0, 90, 180 or 270",
            "camera.fps: found 'ten'; allowed: a number above 0 and up to 120",
            "mqtt.port: found 99999; allowed: a whole number from 1 to 65535",
            "mqtt.protocol: found 5; allowed: '3.1.1' or '5'",
            "mqtt.tls.enabled: found 1; allowed: true or false",
            "match.false_alarm_target: found 0; allowed: a number above 0 and up to 0.5",
            "visit: expected keys and values, found ['gap_s']",
            "runtime.log_level: found 'chatty'; allowed: 'debug', 'error', 'info' or 'warning'",
            "device_id: found 'front door'; " + DEVICE_ID,
        ]
    )


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("mqtt: {base_topic: home/#}", "a topic without +, # or spaces that does not begin with / or $"),
        (
            "mqtt: {home_assistant: {discovery_prefix: /x}}",
            "a topic without +, # or spaces that does not begin with / or $",
        ),
        ("models: {device: usb1}", "'usb' or 'pci', a number as in ':0', or both as in 'usb:1'"),
    ],
)
def test_a_pattern_is_described_in_words(file: Path, text: str, allowed: str) -> None:
    (line,) = mistakes(file, text + "\n")
    assert line.endswith(f"; allowed: {allowed}")


def patterns(kind: inspect.Type, described: bool = False) -> Iterator[tuple[str, bool]]:
    """Every pattern in a type, and whether words stand beside it."""
    if isinstance(kind, inspect.Metadata):
        yield from patterns(kind.type, "description" in (kind.extra_json_schema or {}))
    elif isinstance(kind, inspect.StrType) and kind.pattern:
        yield kind.pattern, described
    for part in getattr(kind, "types", ()):
        yield from patterns(part)
    for field in getattr(kind, "fields", ()):
        yield from patterns(field.type)


def test_no_pattern_stands_without_words() -> None:
    found = dict(patterns(inspect.type_info(Config)))
    assert len(found) >= 3
    assert all(found.values()), found


def test_an_unknown_key_is_told_with_what_may_be_meant(file: Path) -> None:
    lines = mistakes(file, "mqtt: {hots: a, password: hunter2}\ngalery: {path: x}\ntrack: {xyzzy: 1}\n")

    assert lines == [
        "mqtt.hots: no such key; did you mean 'host'?",
        "mqtt.password: no such key; did you mean 'password_file'?",
        "galery: no such key; did you mean 'gallery'?",
        "track.xyzzy: no such key; allowed: confirm_hits, lost_after_s, reach",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("camera: {password_file: p}", "camera.password_file: found without camera.username"),
        ("mqtt: {password_file: p}", "mqtt.password_file: found without mqtt.username"),
        ("mqtt: {tls: {ca_file: ca.pem}}", "mqtt.tls.enabled: found false, but mqtt.tls names certificates"),
        ("mqtt: {tls: {enabled: true, key_file: k}}", "mqtt.tls.certificate_file, key_file: found only one of them"),
        ("camera: {reopen_min_s: 60}", "camera.reopen_min_s: found 60; allowed: at most camera.reopen_max_s"),
        ("camera: {region: {left: 0.9, right: 0.1}}", "camera.region.left, top: must be less than right, bottom"),
        ("quality: {min_brightness: 250}", "quality.min_brightness: found 250; allowed: less than quality.max_bright"),
    ],
)
def test_contradictions_are_mistakes_and_hide_no_others(file: Path, text: str, told: str) -> None:
    lines = mistakes(file, f"{text}\nmotion: {{linger_s: -1}}\n")

    assert len(lines) == 2
    assert lines[0].startswith(told)
    assert lines[1].startswith("motion.linger_s: found -1; allowed: a number from 0 to 600")


def test_the_sections_that_are_right_can_still_be_used(file: Path) -> None:
    file.write_text("mqtt: {port: 0}\nmatch: {min_margin: 0.2}\ncamera: {source: clip.mp4}\n", encoding="utf-8")
    with pytest.raises(InvalidConfig) as caught:
        load_config(file)

    assert caught.value.wrong == {"mqtt"}
    assert caught.value.sound is not None
    assert caught.value.sound.config.match.min_margin == 0.2
    assert caught.value.sound.config.camera.source == str(file.parent / "clip.mp4")
    assert caught.value.sound.config.mqtt.port == 1883


def test_a_missing_file_is_told_with_what_makes_one(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml: cannot be read: No such file.*`whosthere setup"):
        load_config(file)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("camera:\n\tsource: rtsp://me:hunter2@cam/1\n", "not YAML: line 2, column 1: found character '\\t'"),
        ("camera: [rtsp://me:hunter2@cam/1\n", "not YAML: line 2, column 1: expected ',' or ']'"),
        ("match: {}\nmqtt: {}\nmatch: {}\n", "not YAML: line 3, column 1: the key 'match' is given twice"),
        ("- camera\n- mqtt\n", "expected keys and values, found list"),
        ("just words\n", "expected keys and values, found str"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_place_and_without_its_text(file: Path, text: str, told: str) -> None:
    lines = mistakes(file, text)

    assert len(lines) == 1
    assert lines[0].startswith(told)
    assert "hunter2" not in lines[0]


def test_bytes_that_are_no_text_are_a_config_error(file: Path) -> None:
    file.write_bytes(b"camera: \xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(file)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.sampled_from([*DEFAULTS, *(part for key in keys(DEFAULTS) for part in key.split("."))]) | st.text(max_size=4)
DOCUMENTS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS)
def test_whatever_a_file_holds_it_is_a_config_or_a_config_error(file: Path, document: Any) -> None:
    file.write_text(typed_yaml.dump(document), encoding="utf-8")
    try:
        assert isinstance(load_config(file).config, Config)
    except ConfigError as error:
        assert str(error).startswith(f"{file}: ")


def test_relative_paths_count_from_the_folder_of_the_file(
    file: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/whosthere")
    file.write_text(
        "camera: {source: clips/door.mp4, username: me, password_file: camera-password}\n"
        "gallery: {path: people.whg}\n"
        "mqtt:\n"
        "  username: box\n"
        "  password_file: $CREDENTIALS_DIRECTORY/mqtt\n"
        "  outbox: {path: /var/lib/whosthere/o.sqlite3}\n"
        "  tls: {enabled: true, ca_file: tls/ca.pem, certificate_file: box.pem, key_file: $CREDENTIALS_DIRECTORY/k}\n",
        encoding="utf-8",
    )
    here = file.parent

    loaded = load_config(file)

    assert loaded.config.camera.source == str(here / "clips/door.mp4")
    assert loaded.config.camera.password_file == str(here / "camera-password")
    assert loaded.gallery_path == here / "people.whg"
    assert Path(loaded.config.mqtt.password_file or "") == Path("/run/credentials/whosthere/mqtt")
    assert loaded.config.mqtt.outbox.path == "/var/lib/whosthere/o.sqlite3"
    assert loaded.config.mqtt.tls.ca_file == str(here / "tls/ca.pem")
    assert loaded.config.mqtt.tls.key_file == "/run/credentials/whosthere/k"


@pytest.mark.parametrize("source", ["picamera2:0", "v4l2:/dev/video0", "rtsp://10.0.0.9/live", "v4l2:1"])
def test_a_camera_is_not_taken_for_a_path(file: Path, source: str) -> None:
    file.write_text(f"camera: {{source: '{source}'}}", encoding="utf-8")
    assert load_config(file).config.camera.source == source


def test_a_secret_is_the_first_line_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mqtt").write_text("hunter2\nwhat follows is a note\n", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    assert read_secret("$CREDENTIALS_DIRECTORY/mqtt", "mqtt.password_file") == "hunter2"
    assert read_secret(str(tmp_path / "mqtt"), "mqtt.password_file") == "hunter2"


@pytest.mark.parametrize(("content", "told"), [(None, "cannot read"), ("", "is empty"), ("\nhunter2\n", "is empty")])
def test_a_missing_or_empty_secret_names_key_and_file(tmp_path: Path, content: str | None, told: str) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        read_secret(str(path), "mqtt.password_file")

    assert str(caught.value).startswith("mqtt.password_file: ")
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("{host: 'mqtt://broker'}", "found 'mqtt://broker'; allowed: a host name or an IP address"),
        ("{host: 'mqtt://broker'}", "; write host: broker"),
        ("{host: 'broker:1884'}", "; write host: broker and port: 1884"),
        ("{host: 'mqtts://broker.lan/'}", "; write host: broker.lan and port: 8883, and enabled: true under tls"),
        ("{host: '[::1]:1883'}", "; write host: ::1 and port: 1883"),
        ("{host: 'mqtt://bob:hunter2@broker'}", "found 'mqtt://...@broker'"),
        ("{host: 'bob:hunter2@broker'}", "; write host: broker, and username and password_file for the login"),
        ("{host: 'mqtt://bob:hun/ter2@broker:1'}", "and port: 1,"),
        ("{host: ''}", "found nothing; allowed: a host name or an IP address"),
        ("{host: 'a b'}", "found 'a b'; allowed: a host name or an IP address"),
        ("{base_topic: whosthere/}", "that does not end with /; write base_topic: whosthere"),
        ("{base_topic: /whosthere}", "allowed: a topic without +, # or spaces that does not begin with / or $"),
        ("{base_topic: $SYS/x}", "allowed: a topic without"),
        ("{home_assistant: {discovery_prefix: ha/}}", "write discovery_prefix: ha"),
    ],
)  # fmt: skip
def test_what_is_meant_by_hosts_and_topics_is_said(file: Path, section: str, told: str) -> None:
    file.write_text(f"mqtt: {section}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert told in str(caught.value)
    assert "  mqtt." in str(caught.value)
    assert "hun" not in str(caught.value)
    assert "\\s" not in str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "broker.lan", "10.0.0.2", "::1", "fe80::1%eth0", "my_broker", "fd00::"])
def test_names_and_addresses_are_hosts(file: Path, host: str) -> None:
    file.write_text(f"mqtt: {{host: '{host}'}}\n", encoding="utf-8")
    assert load_config(file).config.mqtt.host == host


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r\nmore"])
def test_a_secret_is_the_same_however_an_editor_saved_it(tmp_path: Path, encoding: str, end: str) -> None:
    mark = "" if encoding in {"utf-8", "utf-8-sig", "utf-16"} else "\ufeff"
    (tmp_path / "password").write_bytes(f"{mark}h\u00fcn\u2028ter2{end}".encode(encoding))
    assert read_secret(str(tmp_path / "password"), "mqtt.password_file") == "h\u00fcn\u2028ter2"


@pytest.mark.parametrize("content", ["hunter2".encode("utf-16-le"), b"h\xfcnter2\n", b"\xff\xfehunter\xd8"])
def test_a_secret_in_another_encoding_is_refused_without_quoting_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "password").write_bytes(content)
    with pytest.raises(ConfigError, match="is not text in UTF-8") as caught:
        read_secret(str(tmp_path / "password"), "mqtt.password_file")
    assert caught.value.__cause__ is None
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("gallery: {path: ~no-such-user/x}", "gallery.path: found '~no-such-user/x'; there is no user 'no-such-user'"),
        (
            "camera: {source: ~no-such-user/x}",
            "camera.source: found '~no-such-user/x'; there is no user",
        ),
        ("strangers: {path: ~no-such-user/x}", "strangers.path: found '~no-such-user/x'; there is no user"),
        (
            "gallery: {identity_file: ~no-such-user/x}",
            "gallery.identity_file: found '~no-such-user/x'; there is no user",
        ),
        (f"gallery: {{path: {'x' * 300}}}", "allowed: a path of up to 3800 bytes, with names of up to 200"),
        (
            f"mqtt: {{tls: {{enabled: true, ca_file: {'x/' * 3000}}}}}",
            "allowed: a path of up to 3800 bytes, with names of up to 200",
        ),
        (f"camera: {{source: {'x' * 300}}}", "allowed: a path of up to 3800 bytes, with names of up to 200"),
        ("mqtt: {outbox: {path: /}}", "mqtt.outbox.path: found '/'; allowed: the path of a file"),
        ("gallery: {path: ''}", "gallery.path: found ''; allowed: the path of a file"),
        ("diary: {path: a/..}", "diary.path: found 'a/..'; allowed: the path of a file"),
    ],
)
def test_paths_that_nothing_can_have_are_mistakes(file: Path, line: str, told: str) -> None:
    file.write_text(line)
    with pytest.raises(InvalidConfig) as caught:
        load_config(file)
    assert told in str(caught.value)
    assert caught.value.sound is not None
    assert getattr(caught.value.sound.config, line.partition(":")[0]) is not None


def test_a_secret_without_an_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the secret in /dev/zero: not a regular file"):
        read_secret("/dev/zero", "mqtt.password_file")
    (tmp_path / "password").write_bytes(b"x" * 64_001)
    with pytest.raises(ConfigError, match=r"mqtt.password_file: .*password: found more than 64 kB"):
        read_secret(str(tmp_path / "password"), "mqtt.password_file")
