"""What a field of a struct may contain, in words."""

from typing import Any

from msgspec import inspect


def in_words(kind: Any) -> str:
    """Describe the type of a field: `a whole number from 1 to 65535`. Empty where there are no plain words for it.

    A pattern is described by the `description` beside it.
    """
    return _words(inspect.type_info(kind))


def _words(kind: inspect.Type) -> str:
    described = (kind.extra_json_schema or {}).get("description") if isinstance(kind, inspect.Metadata) else None
    if isinstance(kind, inspect.VarTupleType) and (each := _words(kind.item_type)):
        return f"a list of {each}"
    return described or _plain_words(kind)


def _plain_words(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType():
            return _either([_words(part) for part in kind.types if not isinstance(part, inspect.NoneType)])
        case inspect.LiteralType():
            return _either([repr(value) for value in kind.values])
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() | inspect.FloatType():
            return f"a {'whole ' if isinstance(kind, inspect.IntType) else ''}number{_bounds(kind)}"
        case inspect.StrType():
            return f"text{_form(kind)}"
        case _:
            return ""


def _either(choices: list[str]) -> str:
    """`a, b or c`; empty when there are no words for one of them."""
    *others, last = choices
    if not all(choices):
        return ""
    return f"{', '.join(others)} or {last}" if others else last


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    low = f" from {kind.ge}" if kind.ge is not None else f" above {kind.gt}" if kind.gt is not None else ""
    high = f" to {kind.le}" if kind.le is not None else f" to below {kind.lt}" if kind.lt is not None else ""
    return low + (high.replace(" to ", " and up to ", 1) if kind.gt is not None else high)


def _form(kind: inspect.StrType) -> str:
    if kind.min_length:
        return f" of {kind.min_length} to {kind.max_length} characters" if kind.max_length else ", not empty"
    return " (in quotes if it could be read as a number or a truth value)"
