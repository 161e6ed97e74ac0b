"""Any config.yaml is used or refused by name: through a real command, in little memory."""

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.config import typed_yaml
from edge.config.loading import Config, load_config
from edge.errors import ConfigError
from support.fuzzing import cases
from support.portraits import whosthere

REFERENCE = (Path(__file__).parent.parent / "config.yaml").read_text(encoding="utf-8")
LINES = REFERENCE.splitlines(keepends=True)
DEFAULTS: dict[str, Any] = msgspec.to_builtins(Config())
LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = LAUGHS.replace("[x, x]", "{x: x}").replace("[*", "{<<: [*").replace("]\n", "]}\n")
ODD = [
    *("&a [*a]", "*a", "&a", "!!int x", "!!float x", "!!bool x", "!!timestamp x", "!!binary x!", "!!set {a, b}"),
    *("!!omap [a: 1]", "!!python/object:os.system x", "!x y", "!", "? {a: 1}\n: 2", "{", "[", "}", "]", "- ", "- - -"),
    *("\t", "<<: *a", "<<: 3", "<<: [1, 2]", "%YAML 9.9\n---\n", "---\n", "...\n", "\0", "\ufeff", "\u2028", "\x85"),
    *("2001-13-45", "2001-01-01", "2001-01-01T99:00:00Z", "190:20:30", ".inf", "-.inf", ".nan", "1e999", "1e-400"),
    *("0x", "0o9", "1_000", "9" * 5000, "-1", "-0", "0", "true", "Yes", "null", "~", "''", '""', "'", '"', "|\n", ">"),
    *('"\\ud800"', '"\\x00"', '"\\x1b[2J"', "~nobody/x", "~no-such-user/x", "$HOME", "${", "$", "x" * 3000, "\x1b[2J"),
    *("[" * 1000, "{a: " * 600, "a: " * 9, "- " * 300, "? " * 300, LAUGHS, MERGES, "#", " #", ": ", ":", "\r", "\n"),
    *("[]", "{}", "[a, b]", "{a: b}", "{1: 2}", "{[1]: 2}", "{? [1] : 2}", "\U0001f600", "é", "@", "`", "%", "a b"),
    *("rtsp://[::1", "rtsp://a:b@c:99999/", "http://\\", "v4l2:", "picamera2:-1", "mqtt://", "/", "..", "/dev/null/x"),
]  # fmt: skip


def places(section: dict[str, Any], *above: str) -> list[tuple[str, ...]]:
    """The path of every key of the configuration."""
    found = []
    for key, value in section.items():
        found.append((*above, key))
        found += places(value, *above, key) if isinstance(value, dict) else []
    return found


@st.composite
def odd_bytes(draw: st.DrawFn) -> bytes:
    """The reference with other bytes in it, and perhaps cut short."""
    content = bytearray(REFERENCE.encode()[: draw(st.sampled_from([3000, 9000, 20000]))])
    for at, byte in draw(
        st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=5)
    ):
        content[int(at * len(content))] = byte
    return bytes(content)


@st.composite
def odd_lines(draw: st.DrawFn) -> bytes:
    """Some lines of the reference with odd pieces of YAML between their characters."""
    first = draw(st.integers(0, len(LINES) - 1))
    lines = LINES[first : first + draw(st.integers(1, 60))]
    for where, odd in draw(st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(ODD)), min_size=1, max_size=4)):
        line = lines[where % len(lines)]
        at = where % (len(line) + 1)
        lines[where % len(lines)] = line[:at] + odd + line[at:]
    return "".join(lines).encode()


@st.composite
def odd_values(draw: st.DrawFn) -> bytes:
    """Keys of the configuration with any piece of YAML as their value."""
    text = ""
    for place in draw(st.lists(st.sampled_from(places(DEFAULTS)), min_size=1, max_size=4)):
        text += "".join(f"{'  ' * depth}{key}:\n" for depth, key in enumerate(place))[:-1]
        text += f" {draw(st.sampled_from(ODD) | st.text(max_size=8))}\n"
    return text.encode(errors="surrogatepass")


@st.composite
def odd_pieces(draw: st.DrawFn) -> bytes:
    """Nothing but odd pieces."""
    pieces = st.tuples(st.sampled_from(ODD), st.sampled_from(["", " ", "\n", ": ", "\n  "]))
    return "".join(odd + gap for odd, gap in draw(st.lists(pieces, max_size=8))).encode()


@pytest.fixture(scope="module")
def file() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "config.yaml"


@pytest.mark.fuzz
@settings(max_examples=cases(200), deadline=None)
@given(content=odd_bytes() | odd_lines() | odd_values() | odd_pieces())
@example(content=b"\xff")
def test_whatever_a_config_holds_it_is_used_or_refused_by_name(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    done = whosthere("gallery", "log", "--config", file)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert done.exit_code in {0, 3}, done.output
    if done.exit_code:
        assert done.output.startswith(f"whosthere: {file}: ")
        assert len(done.output) < 50_000
    assert done.output.replace("\n", "").isprintable() or "\t" in done.output


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[" * 3000, "nested more than 20 levels deep"),
        ("x: " + "{a: " * 3000, "line 1, column 77: nested more than 20 levels deep"),
        (LAUGHS, "its aliases stand for more than 1,000,000 characters"),
        (MERGES, "its aliases stand for more than 1,000,000 characters"),
        (f"x: &a {'y' * 9000}\nz: [{'*a, ' * 9000}]", "its aliases stand for more than 1,000,000 characters"),
        ("x: &a [1, *a]", "line 1, column 4: an alias stands within what it refers to"),
        ("visit:\n  gap_s: 2001-13-45", "line 2, column 10: this is no timestamp; put text in quotes"),
        ("visit:\n  gap_s: !!int secret", "line 2, column 10: this is no int; put text in quotes"),
        (f"visit:\n  gap_s: {'9' * 5000}", "line 2, column 10: this is no int; put text in quotes"),
        ('device_id: "a\\0b"', "line 1, column 12: found the character \\u0000, which no text may hold"),
        ('device_id: "a\\ud800"', "line 1, column 12: found the character \\ud800, which no text may hold"),
        ("# " + "x" * 300_000, "found more than 200 kB; allowed: at most that"),
    ],
)  # fmt: skip
def test_what_yaml_cannot_hold_is_refused_with_its_place(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_without_an_end_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"/dev/zero: cannot be read: not a regular file, but a pipe, socket or device$"
    ):
        load_config(Path("/dev/zero"))


def test_aliases_of_a_sensible_size_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "mqtt: &a {host: broker}\ncamera: {fps: &fps 7.0, name: &n door}\nvisit: {gap_s: *fps}\n", encoding="utf-8"
    )
    assert load_config(path).config.visit.gap_s == 7.0
    assert 5 * len(REFERENCE) < typed_yaml.MAX_BYTES
