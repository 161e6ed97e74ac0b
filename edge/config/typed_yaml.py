"""YAML files as frozen, typed structs, with every mistake reported at once.

The parser takes megabytes, so it is loaded when it is needed first: the web page has another process use it.
"""

import io
import re
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, get_args

import msgspec

from edge.config.allowed import in_words
from edge.regular_file import open_regular

if TYPE_CHECKING:
    from ruamel.yaml import YAML
    from ruamel.yaml.nodes import Node

S = TypeVar("S", bound=msgspec.Struct)

WIDTH = 110
MAX_BYTES = 200_000
"""The size of a file. The commented reference has 16 kB; the parser takes some 250 times as much memory as the text."""


class Parsing:
    """Where documents are parsed."""

    elsewhere: ClassVar[Callable[[str], Any] | None] = None
    """What parses instead of this process, and raises Mistakes; None: this process does."""


class Mistakes(ValueError):
    """Everything that is wrong with a document, one mistake per item of `lines`."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read(path: Path) -> Any:
    """Return the document in a YAML file.

    Raises OSError when it cannot be read and Mistakes when it is not YAML.
    """
    try:
        with open_regular(path) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            limit = f"{MAX_BYTES // 1000} kB"
            raise Mistakes([f"found more than {limit}; allowed: at most that; is this the right file?"])
        return parse(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Mistakes([f"not UTF-8 text: {error}"]) from error


def parse(text: str) -> Any:
    """Return the document in a text. Raises Mistakes when it is not YAML."""
    return (Parsing.elsewhere or parse_here)(text)


def parse_here(text: str) -> Any:
    """The same, always in this process."""
    return _with_yaml(lambda yaml: yaml.load(text))


def compose(text: str) -> "Node | None":
    """Return the document as nodes, each with its place in the text; None when it is empty.

    Raises Mistakes when it is not YAML.
    """
    node: Node | None = _with_yaml(lambda yaml: yaml.compose(text))
    return node


def _with_yaml(use: Callable[["YAML"], Any], width: int = WIDTH) -> Any:
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415  (see above)

    from edge.config import bounded_yaml  # noqa: PLC0415

    try:
        return use(bounded_yaml.bounded_yaml(width))
    except YAMLError as error:
        raise Mistakes([bounded_yaml.in_words(error)]) from error


def dump(document: Any) -> str:
    """Return YAML text, with keys in their own order."""
    return _dumped(document, WIDTH)


def dump_value(value: str | float | bool | None) -> str:
    """Return a value as it stands behind its key: on one line, quoted where it must be."""
    return _dumped({"": value}, 10_000).partition(":")[2].strip()


def _dumped(document: Any, width: int) -> str:
    text = io.StringIO()
    _with_yaml(lambda yaml: yaml.dump(document, text), width)
    # A folded line ends in a space, which means nothing.
    return re.sub(r" +$", "", text.getvalue(), flags=re.MULTILINE)


def convert(document: Any, kind: type[S]) -> S:
    """Convert a document to a struct of `kind`.

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
        return [f"{where.rstrip('.') or 'document'}: expected keys and values, found {shown(document)}"]
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
    """Contradictions between the fields of one section: their text begins with one of its keys."""
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
        return [f"{path}: found {shown(value)}; " + (f"allowed: {words}" if words else _lower(str(error)))]
    return []


def _unknown(path: str, key: str, known: list[str]) -> str:
    import difflib  # noqa: PLC0415  (nobody else needs it)

    near = difflib.get_close_matches(key, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(known)}"
    return f"{path}: no such key; {hint}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def shown(value: Any) -> str:
    """Return a value for an error: as it stands in YAML, cut after 60 characters."""
    text = msgspec.json.encode(value).decode() if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
