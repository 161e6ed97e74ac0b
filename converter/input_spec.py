"""How a network wants its pictures, which cannot be seen from outside: told by a card, or by options."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from edge.errors import ModelError, UsageError
from edge.models import card as cards
from edge.models.card import Card, InputSpec

PIXELS: dict[str, dict[str, Any]] = {
    "0..1": {"mean": 0.0, "scale": 255.0},
    "-1..1": {"mean": 127.5, "scale": 127.5},
    "0..255": {"mean": 0.0, "scale": 1.0},
    "per-picture": {"mean": 0.0, "scale": 1.0, "per_picture": True},
}
TEMPLATE_SIDE = 112

Points = list[tuple[float, float]]


class ModelInput(NamedTuple):
    """How a network is fed."""

    spec: InputSpec
    alignment: Points
    """Where the five points lie in its pictures."""
    card: Card | None
    """What told so, if a card did."""


def model_input(
    model: Path, shape: tuple[int, ...], known: Path | None, pixels: str | None, channels: str | None = None
) -> ModelInput:
    """Of a network that takes `shape` (side, side, 1 or 3); what is given by name goes before the card `known`.

    Raises UsageError when neither card nor `pixels` is given, ModelError when they contradict the network.
    """
    if known is None and pixels is None:
        raise UsageError(
            f"{model}: give --card, or --range: what the network wants of pixels cannot be seen from outside"
        )
    card = cards.read_card(known) if known else None
    batch = (1, *shape)
    if card is not None and tuple(card.input.shape[1:]) != tuple(shape):
        raise ModelError(f"{known}: it says that the network takes {card.input.shape}, but it takes {batch}")
    side, depth = shape[1], shape[2]
    spec = card.input if card else InputSpec((1, side, side, depth), "rgb", 0.0, 1.0)
    spec = msgspec.structs.replace(spec, shape=(1, side, side, depth), **PIXELS.get(pixels or "", {}))
    order = channels or ("grey" if depth == 1 else spec.channels)
    if (order == "grey") != (depth == 1):
        raise ModelError(f"{model}: it takes {depth} channels, but --channels or the card says {order}")
    alignment = card.alignment if card and card.alignment else template(side)
    return ModelInput(msgspec.structs.replace(spec, channels=order), alignment, card)


def template(size: int) -> Points:
    """The bundled embedder's alignment for another size of input."""
    known = cards.read_card(cards.find("mobilefacenet")).alignment or []
    return [(round(x * size / TEMPLATE_SIDE, 3), round(y * size / TEMPLATE_SIDE, 3)) for x, y in known]
