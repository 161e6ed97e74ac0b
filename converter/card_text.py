"""Write measurements into a model's card without changing the rest of its text, comments included."""

import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from converter.files import replacing
from edge.config import typed_yaml
from edge.errors import ModelError
from edge.models.card import Calibration, Card

CalibrationKind = Literal["calibration", "infrared_calibration"]
"""The keys of a card that hold a calibration."""


def record(
    path: Path,
    measured: dict[str, str],
    calibration: Calibration | None = None,
    kind: CalibrationKind = "calibration",
) -> None:
    """Add figures to the card's `measured`, and replace its calibration of this kind if there is a new one.

    Raises ModelError when the file is not a card or cannot be written.
    """
    try:
        text = path.read_text(encoding="utf-8")
        old = typed_yaml.convert(typed_yaml.read(path), Card)
        changed = _changed(text, old, measured, calibration, kind)
        # Nothing but the two sections may differ: a card is what the loader trusts.
        expected = msgspec.structs.replace(
            old, measured={**old.measured, **measured}, **({kind: calibration} if calibration else {})
        )
        with replacing(path) as part:
            part.write_text(changed, encoding="utf-8")
            if typed_yaml.convert(typed_yaml.read(part), Card) != expected:
                raise ModelError(f"{path}: `{kind}` and `measured` are no sections of their own; nothing was changed")
    except OSError as error:
        raise ModelError(f"{path}: the card cannot be read or written: {error.strerror}") from error
    except typed_yaml.Mistakes as error:
        raise ModelError(f"{path}: not a valid model card: {error}") from error


def _changed(
    text: str, old: Card, measured: dict[str, str], calibration: Calibration | None, kind: CalibrationKind
) -> str:
    if calibration:
        text = _with_section(text, kind, calibration_section(calibration, kind))
    return _with_section(text, "measured", _section("measured", {**old.measured, **measured}))


def calibration_section(calibration: Calibration, kind: CalibrationKind = "calibration") -> str:
    """The YAML of a calibration, one point per line."""
    head = _section(kind, {"data": calibration.data, "command": calibration.command})
    # YAML 1.1 reads 1e-05 as text, 1.00e-05 as a number.
    points = "".join(f"  - [{similarity:.4f}, {rate:.2e}]\n" for similarity, rate in calibration.points)
    return f"{head}  points:  # cosine similarity, false-match rate\n{points}"


def _section(name: str, content: dict[str, Any]) -> str:
    return typed_yaml.dump({name: content})


def _with_section(text: str, name: str, section: str) -> str:
    """The text with its top-level key `name`, and all that is indented under it, replaced or added at the end."""
    old = re.compile(rf"^{name}:.*\n(?:[ \t-].*\n|\n(?=[ \t]))*", re.MULTILINE)
    text = text if text.endswith("\n") else text + "\n"
    return old.sub(lambda _: section, text, count=1) if old.search(text) else text + section
