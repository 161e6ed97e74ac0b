"""YAML files as frozen, typed structs, with every mistake reported at once. The only user of PyYAML."""

import difflib
from collections.abc import Hashable
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

import msgspec
import yaml

from edge.config.allowed import in_words

S = TypeVar("S", bound=msgspec.Struct)


class Mistakes(ValueError):
    """All that is wrong with a document; one line each in `lines`."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            name = str(key.value)
            if name in lines:
                problem = f"the key {name!r} is given twice in one section, first in line {lines[name]}"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
            lines[name] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


def read(path: Path) -> Any:
    """The document in a YAML file.

    Raises OSError when it cannot be read and Mistakes when it is not YAML.
    """
    try:
        return _Loader(path.read_text(encoding="utf-8")).get_single_data()
    except UnicodeDecodeError as error:
        raise Mistakes([f"not UTF-8 text: {error}"]) from error
    except yaml.MarkedYAMLError as error:
        # Its own text quotes the line, which may hold a login.
        raise Mistakes([f"not YAML: {_place(error)}{error.problem}"]) from error
    except yaml.YAMLError as error:
        raise Mistakes([f"not YAML: {' '.join(str(error).split())}"]) from error


def _place(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    return f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""


def dump(document: Any) -> str:
    """YAML text, keys in their own order."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)


def convert(document: Any, kind: type[S]) -> S:
    """The document as a struct of `kind`.

    msgspec stops at the first mistake, so each field is converted on its own first.
    Raises Mistakes.
    """
    lines = _mistakes(document, kind, "")
    if lines:
        raise Mistakes(lines)
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise Mistakes([str(error)]) from error


def _mistakes(document: Any, kind: type[msgspec.Struct], where: str) -> list[str]:
    if not isinstance(document, dict):
        return [f"{where.rstrip('.') or 'document'}: expected keys and values, found {_shown(document)}"]
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    lines = [_unknown(f"{where}{key}", str(key), list(fields)) for key in document if key not in fields]
    for name, field in fields.items():
        path = f"{where}{name}"
        if name not in document:
            if field.required:
                lines.append(f"{path}: missing; it has no default")
        elif (section := _section(field.type)) is not None and document[name] is not None:
            lines.extend(_mistakes(document[name], section, f"{path}."))
        else:
            lines.extend(_mistake(document[name], field.type, path))
    return lines or _whole(document, kind, where)


def _whole(document: Any, kind: type[msgspec.Struct], where: str) -> list[str]:
    """Mistakes that only show between the fields of one section: their text begins with one of its keys."""
    try:
        msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        return [f"{where}{error}"]
    return []


def _section(kind: Any) -> type[msgspec.Struct] | None:
    options = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return next((o for o in options if isinstance(o, type) and issubclass(o, msgspec.Struct)), None)


def _mistake(value: Any, kind: Any, path: str) -> list[str]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        words = in_words(kind)
        return [f"{path}: found {_shown(value)}; " + (f"allowed: {words}" if words else _lower(str(error)))]
    return []


def _unknown(path: str, key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
    return f"{path}: no such key; {hint}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
