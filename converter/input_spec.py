"""The input that a network was trained with, which its file does not say: from a card, or from options."""

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
RAW = "0..255"
"""Pixels as they are: what a network takes that normalises them itself."""
TEMPLATE_SIDE = 112
WHOLE_PICTURE = 2.2
"""How many times the box of the face a portrait is wide, as LFW's are."""

Points = list[tuple[float, float]]


class ModelInput(NamedTuple):
    """A network's input."""

    spec: InputSpec
    alignment: Points | None
    """Where the five points of a face lie in its pictures, px; None: it was trained without alignment."""
    crop: float | None
    """Without alignment: how many times the face's box the square is wide that it sees."""
    card: Card | None
    """The card that says so, if one was given."""


def model_input(
    model: Path,
    shape: tuple[int, ...],
    known: Path | None,
    pixels: str | None,
    channels: str | None = None,
    crop: float | None = None,
    scaling: tuple[float, float] | None = None,
) -> ModelInput:
    """The input of a network of `shape` (side, side, 1 or 3).

    `pixels`, `channels`, `crop` and `scaling` (mean and standard deviation of pixels 0..255, instead of `pixels`)
    override the card `known`. Raises UsageError when neither card nor `pixels` nor `scaling` is given, ModelError when
    they contradict the network.
    """
    if known is None and pixels is None and scaling is None:
        raise UsageError(
            f"{model}: give --card, --range, or --mean and --std: the file does not say to which range the training "
            "scaled the pixels"
        )
    card = cards.read_card(known) if known else None
    batch = (1, *shape)
    if card is not None and tuple(card.input.shape[1:]) != tuple(shape):
        raise ModelError(f"{known}: it says that the network takes {card.input.shape}, but it takes {batch}")
    side, depth = shape[1], shape[2]
    spec = card.input if card else InputSpec((1, side, side, depth), "rgb", 0.0, 1.0)
    told = {"mean": scaling[0], "scale": scaling[1], "per_picture": False} if scaling else PIXELS.get(pixels or "", {})
    spec = msgspec.structs.replace(spec, shape=(1, side, side, depth), **told)
    order = channels or ("grey" if depth == 1 else spec.channels)
    if (order == "grey") != (depth == 1):
        raise ModelError(f"{model}: it takes {depth} channels, but --channels or the card says {order}")
    crop = crop or (card.crop if card else None)
    alignment = None if crop else card.alignment if card and card.alignment else template(side)
    return ModelInput(msgspec.structs.replace(spec, channels=order), alignment, crop, card)


def template(size: int) -> Points:
    """The alignment of the bundled embedder, scaled to another size of input."""
    known = cards.read_card(cards.find("mobilefacenet")).alignment or []
    return [(round(x * size / TEMPLATE_SIDE, 3), round(y * size / TEMPLATE_SIDE, 3)) for x, y in known]
