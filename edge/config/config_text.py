"""config.yaml changed in place: values are set, comments and order stay."""

import contextlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edge.config import typed_yaml
from edge.config.loading import InvalidConfig, load_config
from edge.errors import ConfigError

Value = str | int | float | bool | None


def rewrite(path: Path, values: Mapping[str, Value]) -> None:
    """Set keys such as `models.threads` in a file, which is replaced whole or not at all; mode and owner stay.

    Raises ConfigError, and then nothing has changed: the file cannot be written, or is laid out so that a value
    cannot be set in place.
    """
    try:
        before = path.stat()
        text = with_values(path.read_text(encoding="utf-8"), values)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be changed: {error}; run this as root, with sudo") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
            os.fchmod(handle, before.st_mode & 0o7777)
            with contextlib.suppress(PermissionError):
                os.fchown(handle, before.st_uid, before.st_gid)
        _check(path, Path(name), values)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


def with_values(text: str, values: Mapping[str, Value]) -> str:
    """The text of a YAML file with those keys set."""
    lines = text.splitlines()
    for key, value in values.items():
        _set(lines, key.split("."), typed_yaml.dump({"": value}).partition(":")[2].strip())
    return "\n".join(lines) + "\n"


def as_lines(values: Mapping[str, Value]) -> str:
    """The same values as a person would write them into an empty file."""
    return with_values("", values)


def _set(lines: list[str], keys: list[str], value: str) -> None:
    begin, end, indent = 0, len(lines), ""
    for depth, key in enumerate(keys[:-1]):
        found = _find(lines, begin, end, rf"{indent}{key}:\s*(#.*)?")
        if found is None:
            block = [f"{indent}{'  ' * i}{name}:" for i, name in enumerate(keys[depth:-1])]
            lines[end:end] = [*block, f"{indent}{'  ' * len(block)}{keys[-1]}: {value}"]
            return
        begin, end = found + 1, _end(lines, found, end, indent)
        indent = _indent_within(lines, begin, end) or indent + "  "
    name = re.escape(keys[-1])
    for pattern in (rf"{indent}{name}:", rf"{indent}# {name}:"):
        place = _find(lines, begin, end, rf"{pattern}( .*)?")
        if place is not None:
            comment = re.search(r"\s+#.*$", lines[place].partition(":")[2])
            lines[place] = f"{indent}{keys[-1]}: {value}{comment.group() if comment else ''}"
            return
    at = begin if len(keys) > 1 else end
    lines[at:at] = [f"{indent}{keys[-1]}: {value}"]


def _find(lines: list[str], begin: int, end: int, pattern: str) -> int | None:
    return next((i for i in range(begin, end) if re.fullmatch(pattern, lines[i])), None)


def _end(lines: list[str], section: int, end: int, indent: str) -> int:
    """The line before which a section ends; comments above the next one are the next one's."""
    last = section
    for i in range(section + 1, end):
        content = lines[i].strip()
        if content and not content.startswith("#") and len(lines[i]) - len(lines[i].lstrip()) <= len(indent):
            break
        if content and (not content.startswith("#") or lines[i].startswith(indent + " ")):
            last = i
    return last + 1


def _indent_within(lines: list[str], begin: int, end: int) -> str | None:
    content = (line for line in lines[begin:end] if line.strip() and not line.strip().startswith("#"))
    first = next(content, None)
    return None if first is None else first[: len(first) - len(first.lstrip())]


def _check(path: Path, changed: Path, values: Mapping[str, Value]) -> None:
    """Exactly those values are other ones, whatever the layout of the file was."""
    expected = typed_yaml.read(path) or {}
    for key, value in values.items():
        *sections, name = key.split(".")
        place = expected
        for section in sections:
            place[section] = place.get(section) or {}
            place = place[section]
        place[name] = value
    layout = f"{path}: is laid out so that it cannot be changed in place; set by hand:\n{as_lines(values)}"
    try:
        load_config(changed)
    except InvalidConfig as error:
        raise ConfigError(layout) from error
    if typed_yaml.read(changed) != expected:
        raise ConfigError(layout)
