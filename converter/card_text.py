"""Write measurements into a model's card without changing the rest of its text, comments included."""

import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from converter.files import replacing
from edge.config import typed_yaml
from edge.errors import ModelError
from edge.models.card import Calibration, Card, LearnedSimilarity

CalibrationKind = Literal["calibration", "infrared_calibration"]
"""The keys of a card that hold a calibration."""


def record(
    path: Path,
    measured: dict[str, str],
    calibration: Calibration | None = None,
    kind: CalibrationKind = "calibration",
    similarity: LearnedSimilarity | None = None,
) -> None:
    """Add figures to the card's `measured`, and replace its calibration of this kind and its similarity, if given.

    Raises ModelError when the file is not a card or cannot be written.
    """
    try:
        text = path.read_text(encoding="utf-8")
        old = typed_yaml.convert(typed_yaml.read(path), Card)
        changed = _changed(text, old, measured, calibration, kind)
        if similarity:
            changed = _with_section(changed, "similarity", similarity_section(similarity))
        # Nothing but the two sections may differ: a card is what the loader trusts.
        expected = msgspec.structs.replace(
            old,
            measured={**old.measured, **measured},
            **({kind: calibration} if calibration else {}),
            similarity=similarity or old.similarity,
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


def calibration_section(
    calibration: Calibration, kind: CalibrationKind = "calibration", similarity: str = "cosine"
) -> str:
    """The YAML of a calibration, one point per line."""
    head = _section(kind, {"data": calibration.data, "command": calibration.command})
    # YAML 1.1 reads 1e-05 as text, 1.00e-05 as a number.
    points = "".join(f"  - [{similarity:.4f}, {rate:.2e}]\n" for similarity, rate in calibration.points)
    return f"{head}  points:  # {similarity} similarity, false-match rate\n{points}"


def similarity_section(learned: LearnedSimilarity) -> str:
    """The YAML of a similarity, ten weights per line."""
    head = _section("similarity", {"schema_version": 1, "in_force": learned.in_force, "compared": learned.compared})
    lines = [", ".join(f"{w:.4f}" for w in learned.weights[i : i + 10]) for i in range(0, len(learned.weights), 10)]
    weights = f"  bias: {learned.bias:.4f}\n  weights: [\n" + "".join(f"    {line},\n" for line in lines) + "  ]\n"
    kinds: tuple[CalibrationKind, CalibrationKind] = ("calibration", "infrared_calibration")
    known = [(kind, getattr(learned, kind)) for kind in kinds]
    sections = "".join(calibration_section(found, kind, "its own") for kind, found in known if found)
    return head + weights + "".join(f"  {line}\n" for line in sections.splitlines())


def _section(name: str, content: dict[str, Any]) -> str:
    return typed_yaml.dump({name: content})


def _with_section(text: str, name: str, section: str) -> str:
    """The text with its top-level key `name`, and all that is indented under it, replaced or added at the end."""
    old = re.compile(rf"^{name}:.*\n(?:[ \t-].*\n|\n(?=[ \t]))*", re.MULTILINE)
    text = text if text.endswith("\n") else text + "\n"
    return old.sub(lambda _: section, text, count=1) if old.search(text) else text + section
