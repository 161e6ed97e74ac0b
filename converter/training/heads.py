"""What every way to train an embedder consists of: a head that is thrown away, a loss, and batches for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter.training.dataset import Dataset
from converter.training.mining import HardNegatives
from edge.models.card import LearnedSimilarity

Batch = tuple[Any, NDArray[np.float32]]


class Head(NamedTuple):
    """How an embedder is trained."""

    model: Any
    """Keras: pixels 0..255 in."""
    loss: Any
    metrics: list[str]


class HeadSettings(NamedTuple):
    """What the user may set."""

    people: int
    """How many people there are to tell apart."""
    margin: float
    scale: float
    """The factor on cosines before a softmax, which would stay flat between -1 and 1."""
    sub_centres: int = 1
    dimensions: int = 0
    """How many numbers the vectors have that are learnt from a teacher."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A head, and how to draw batches for it."""

    head: Callable[[Any, HeadSettings], Head]
    """(training network: pixels -> vector, settings)"""
    draw: Callable[[Dataset, int, np.random.Generator, HardNegatives | None], Batch]
    margin: float | None = None
    """The margin unless another is asked for; None: this loss has none."""
    scale: float | None = None
    """The same for the scale."""
    centres: bool = False
    """Whether it has one centre per person, or several."""
    similarity: Callable[[Any, int], LearnedSimilarity] | None = None
    """(head's model, dimensions) -> the similarity that it learns; None: faces are compared by cosine."""
    minable: bool = False
    """Whether hard negatives can be looked for over the whole set."""
