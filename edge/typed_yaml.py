"""YAML files as frozen, typed structs, with every mistake reported at once. The only user of PyYAML."""

import difflib
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args

import msgspec
import yaml

S = TypeVar("S", bound=msgspec.Struct)


class Mistakes(ValueError):
    """All that is wrong with a document; one line each in `lines`."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read(path: Path) -> Any:
    """The document in a YAML file.

    Raises OSError when it cannot be read and Mistakes when it is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise Mistakes([f"not UTF-8 text: {error}"]) from error
    except yaml.YAMLError as error:
        raise Mistakes([f"not YAML: {' '.join(str(error).split())}"]) from error


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
        return [f"{where or 'document'}: expected keys and values, found {_shown(document)}"]
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
    """Mistakes that only show between the fields of one section (`__post_init__`)."""
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
        return [f"{path}: found {_shown(value)}; {str(error)[:1].lower()}{str(error)[1:]}"]
    return []


def _unknown(path: str, key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(known)}"
    return f"{path}: no such key; {hint}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
