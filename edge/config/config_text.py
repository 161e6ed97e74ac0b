"""config.yaml changed in place: values are set, and everything else stays as it was written.

YAML's own parser says where a value stands in the text; only those characters are replaced. Writing the whole document
again would also keep comments, but re-indent it, and put a new key behind the comment that introduces the next section.
"""

import contextlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from edge.config import typed_yaml
from edge.config.loading import InvalidConfig, LoadedConfig, load_config
from edge.errors import ConfigError
from edge.owner import as_owner

Value = str | int | float | bool | None


def rewrite(path: Path, values: Mapping[str, Value]) -> None:
    """Set keys such as `models.threads` in a file, which is replaced whole or not at all; mode and owner stay.

    Raises ConfigError, and then nothing has changed: the file cannot be written, its layout does not allow a change in
    place, or a value is not allowed. Root does this as the user who owns the folder.
    """
    with as_owner(path):
        _rewrite(path, values)


def rewrite_own(_: LoadedConfig, path: str, values: dict[str, Value]) -> None:
    """The same for a box's own config.yaml, as an errand of the web page."""
    rewrite(Path(path), values)


def _rewrite(path: Path, values: Mapping[str, Value]) -> None:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            before = os.fstat(file.fileno())
            text = file.read()
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be changed: {error}; run this as root, with sudo") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(_checked(path, text, values))
            file.flush()
            os.fsync(handle)
            os.fchmod(handle, before.st_mode & 0o777)
            with contextlib.suppress(PermissionError):
                os.fchown(handle, before.st_uid, before.st_gid)
        load_config(Path(name))
        Path(name).replace(path)
    except InvalidConfig as error:
        Path(name).unlink()
        raise _by_hand(path, values) from error
    except BaseException:
        Path(name).unlink()
        raise


def as_lines(values: Mapping[str, Value]) -> str:
    """Return the same values as a person would write them into an empty file."""
    return with_values("", values)


def with_values(text: str, values: Mapping[str, Value]) -> str:
    """Return the text of a YAML file with those keys set. Raises Mistakes when it is, or would no longer be, YAML."""
    for key, value in values.items():
        text = _with_value(text, key.split("."), typed_yaml.dump_value(value))
    return text


def _checked(path: Path, text: str, values: Mapping[str, Value]) -> str:
    """The new text, if exactly those values are other ones in it. Raises ConfigError."""
    try:
        expected = typed_yaml.parse(text) or {}
        changed = with_values(text, values)
        for key, value in values.items():
            *sections, name = key.split(".")
            place = expected
            for section in sections:
                place[section] = place.get(section) or {}
                place = place[section]
            place[name] = value
        if typed_yaml.parse(changed) == expected:
            return changed
    except (typed_yaml.Mistakes, TypeError, AttributeError) as error:
        raise _by_hand(path, values) from error
    raise _by_hand(path, values)


def _by_hand(path: Path, values: Mapping[str, Value]) -> ConfigError:
    return ConfigError(f"{path}: its layout does not allow changes in place; set by hand:\n{as_lines(values)}")


class _Section(NamedTuple):
    """A section, or the whole document, as lines of the text. A single value counts as one as well."""

    key: Node | None
    """None: the whole document."""
    node: Node | None
    """None: an empty document."""
    begin: int
    """The first line after its key."""
    end: int
    """The line after its last one, comments included."""

    @property
    def column(self) -> int:
        """Where its key begins; -1: the whole document."""
        return int(self.key.start_mark.column) if self.key else -1

    @property
    def entries(self) -> list[tuple[Node, Node]]:
        return self.node.value if isinstance(self.node, MappingNode) else []

    @property
    def indent(self) -> str:
        """Spaces before its keys."""
        if self.entries:
            return " " * int(self.entries[0][0].start_mark.column)
        return " " * (self.column + 2) if self.key else ""

    def inner(self, key: str) -> "_Section | None":
        """The section, or the value, that stands under a key; None when there is no such key."""
        starts = [name.start_mark for name, _ in self.entries]
        for i, (name, node) in enumerate(self.entries):
            if name.value == key:
                end = starts[i + 1].line if i + 1 < len(starts) else self.end
                return _Section(name, node, starts[i].line + 1, end)
        return None


def _with_value(text: str, keys: Sequence[str], value: str) -> str:
    lines = text.splitlines(keepends=True)
    section = _Section(None, typed_yaml.compose(text), 0, len(lines))
    for depth, key in enumerate(keys):
        inner = section.inner(key)
        if inner is None:
            missing = keys[depth:]
            done = len(missing) == 1 and _uncomment(lines, section, key, value)
            if not done:
                _insert(lines, section, missing, value)
            return "".join(lines)
        section = inner
    return _replaced(text, section, value)


def _replaced(text: str, place: _Section, value: str) -> str:
    """The text with the value that stands in a place replaced."""
    key, node = place.key, place.node
    if key is None or not isinstance(node, ScalarNode):
        raise typed_yaml.Mistakes(["not a single value"])
    begin, end = node.start_mark.index, node.end_mark.index
    if begin == end:
        # A key without a value: it stands behind the comment, says the parser.
        begin = end = text.index(":", key.end_mark.index) + 1
        value = f" {value}"
    return text[:begin] + value + text[end:]


def _uncomment(lines: list[str], section: _Section, key: str, value: str) -> bool:
    """Set a key where it stands commented out, as `# threads: 2`. Whether there was one."""
    for i in range(section.begin, section.end):
        comment = lines[i].lstrip(" ")
        indent = lines[i][: -len(comment)]
        fits = indent == section.indent if section.entries else len(indent) > section.column
        content = comment[1:].removeprefix(" ")
        if fits and comment.startswith("#") and content.startswith(f"{key}:"):
            with contextlib.suppress(typed_yaml.Mistakes):
                found = _Section(None, typed_yaml.compose(content), 0, 1).inner(key)
                if found is not None:
                    lines[i] = indent + _replaced(content, found, value)
                    return True
    return False


def _insert(lines: list[str], section: _Section, keys: Sequence[str], value: str) -> None:
    """Add a key, with the sections that it needs: first in its section, or last in the document."""
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if lines and not lines[-1].endswith(("\n", "\r")):
        lines[-1] += newline
    at = section.begin if section.key else section.end
    block = [f"{section.indent}{'  ' * depth}{key}:" for depth, key in enumerate(keys)]
    lines[at:at] = [line + newline for line in [*block[:-1], f"{block[-1]} {value}"]]
