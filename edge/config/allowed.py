"""What a field of a struct may hold, in words."""

from typing import Any

from msgspec import inspect


def in_words(kind: Any) -> str:
    """`a whole number from 1 to 65535` for the type of a field; empty where there are no plain words for it."""
    return _words(inspect.type_info(kind))


def _words(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType():
            return _joined([_words(part) for part in kind.types if not isinstance(part, inspect.NoneType)], " or ")
        case inspect.LiteralType():
            return " or ".join(repr(value) for value in kind.values)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() | inspect.FloatType():
            return f"a {'whole ' if isinstance(kind, inspect.IntType) else ''}number{_bounds(kind)}"
        case inspect.StrType():
            return f"text{_form(kind)}"
        case _:
            return ""


def _joined(parts: list[str], between: str) -> str:
    return between.join(parts) if all(parts) else ""


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    low = f" from {kind.ge}" if kind.ge is not None else f" above {kind.gt}" if kind.gt is not None else ""
    high = f" to {kind.le}" if kind.le is not None else f" to below {kind.lt}" if kind.lt is not None else ""
    return low + (high.replace(" to ", " and up to ", 1) if kind.gt is not None else high)


def _form(kind: inspect.StrType) -> str:
    if kind.pattern is not None:
        return f" that matches {kind.pattern}"
    if kind.min_length:
        return f" of {kind.min_length} to {kind.max_length} characters" if kind.max_length else ", not empty"
    return " (in quotes where it could be taken for a number or a truth value)"
