"""What came of something that the owner has said, and its price."""

from typing import Literal

import msgspec

from edge.config.loading import LoadedConfig
from edge.models.card import Card

FeedbackKind = Literal["confirmed", "named", "enrolled", "rejected", "ignored"]


class FeedbackPrice(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a correction costs. Rates are parts of 1; None: not known, or it does not apply."""

    miss_rate: float | None = None
    """Rejected: at most this part of the person's own visits loses their name, of those only just similar enough."""
    spare: float | None = None
    """Rejected: how far the person's own templates are from being denied."""
    strangers_before: float | None = None
    """A template: how many strangers are called by this person's name, up to now."""
    strangers_after: float | None = None
    """A template: the same from now on. Of somebody new there is only this one."""
    ignored_rate: float | None = None
    """Ignored: this part of other strangers is ignored too."""


class Feedback(msgspec.Struct, frozen=True):
    """Something that the owner has said about a visit, and what has become of it."""

    kind: FeedbackKind
    visit_id: str
    person_id: str | None
    person_name: str | None
    correction: str | None
    """By this id it can be undone, somebody new with `whosthere gallery undo`; null: nothing was added."""
    count: int
    """How many such corrections there are now, of this person's or, of strangers, in all."""
    limit: int
    """How many there may be."""
    price: FeedbackPrice
    nothing_added: str | None = None
    """Confirmed: why the visit has become no template."""


def price_of_ignoring(loaded: LoadedConfig, embedder: Card) -> FeedbackPrice:
    """What it costs to ignore strangers: the same for any number of them."""
    calibrated = embedder.naming_calibration is not None
    return FeedbackPrice(ignored_rate=loaded.config.match.false_alarm_target if calibrated else None)


def price_text(price: FeedbackPrice, name: str | None) -> str:
    """The price as a sentence without its full stop; empty: there is none, or nobody knows it."""
    if price.miss_rate is not None:
        return f"of {name}'s own visits that are only just similar enough, at most {_one_in(price.miss_rate)} is missed"
    if price.ignored_rate is not None:
        return f"{_one_in(price.ignored_rate)} of other strangers is ignored too"
    if price.strangers_before is not None and price.strangers_after is not None:
        before, after = _one_in(price.strangers_before), _one_in(price.strangers_after)
        return f"this changes strangers called {name} from {before} to {after}" if before != after else ""
    if price.strangers_after is not None:
        return f"{_one_in(price.strangers_after)} strangers will be called {name}"
    return ""


def _one_in(rate: float) -> str:
    """`1 in 1,000`, to two digits."""
    return f"1 in {float(f'{1 / max(rate, 1e-12):.2g}'):,.0f}"
