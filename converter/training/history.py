"""The results of all epochs, as a table and as curves."""

import csv
import importlib
import io
from pathlib import Path

import msgspec

from converter.files import write_whole
from edge.errors import UsageError

ONE_VECTOR = 0.99
"""The mean cosine of two different people above which an embedder gives every face nearly the same vector."""


class Epoch(msgspec.Struct, frozen=True):
    """The result of one epoch."""

    epoch: int
    """From 1; 0 is before training."""
    loss: float | None
    accuracy: float | None
    """The accuracy of the head in training; None for triplets, which have none."""
    area: float
    """The area under the ROC curve, for the validation set."""
    true_accepts: float
    """The true-accept rate for the validation set, at a false-accept rate of 1 %."""
    strangers: float
    """The mean cosine of two different people of the validation set."""
    identified: float | None = None
    """The share of its pictures that are called by the right name where 1 % of strangers are called by one."""
    learning_rate: float | None = None
    waited: float | None = None
    """The share of its time, 0..1, in which the training waited for a batch; not in the table: it is never the same."""

    @property
    def collapsed(self) -> bool:
        """Whether every face gets nearly the same vector."""
        return self.strangers > ONE_VECTOR

    @property
    def merit(self) -> float:
        """What the best epoch has most of: area, but any epoch is better than a collapsed one."""
        return self.area - self.collapsed


def read(path: Path) -> list[Epoch]:
    """The epochs of a table; none if there is none. Raises UsageError when it is damaged."""
    if not path.is_file():
        return []
    try:
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
        return [msgspec.convert({k: v or None for k, v in row.items()}, Epoch, strict=False) for row in rows]
    except (UnicodeDecodeError, csv.Error, msgspec.ValidationError) as error:
        raise UsageError(f"{path}: not the history of a training ({error}); start over with --restart") from error


def write(path: Path, epochs: list[Epoch]) -> None:
    text = io.StringIO()
    columns = [field.name for field in msgspec.structs.fields(Epoch) if field.name != "waited"]
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(msgspec.structs.asdict(epoch) for epoch in epochs)
    write_whole(path, text.getvalue().encode())


def plot(epochs: list[Epoch]) -> bytes:
    """A PNG with the loss, and the results for the validation set, by epoch."""
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=(10, 4.2), layout="constrained", dpi=110)
    left, right = figure.subplots(1, 2)
    numbers, learnt = [epoch.epoch for epoch in epochs], [epoch for epoch in epochs if epoch.epoch]
    left.plot([epoch.epoch for epoch in learnt], [epoch.loss for epoch in learnt], marker=".")
    left.set(title="loss", xlabel="epoch", ylim=(0, None))
    right.plot(numbers, [epoch.area for epoch in epochs], marker=".", label="area under the ROC curve")
    right.plot(numbers, [epoch.true_accepts for epoch in epochs], marker=".", label="true accepts at 1 % false accepts")
    if epochs[-1].identified is not None:
        known = [epoch for epoch in epochs if epoch.identified is not None]
        label = "identified, where 1 % of strangers are named"
        right.plot([epoch.epoch for epoch in known], [epoch.identified for epoch in known], marker=".", label=label)
    if epochs[-1].accuracy is not None:
        heads = [epoch.accuracy for epoch in learnt]
        right.plot([epoch.epoch for epoch in learnt], heads, linestyle=":", label="accuracy of the head, in training")
    right.set(title="validation set", xlabel="epoch", ylim=(0, 1.02))
    right.legend(loc="best")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    image = io.BytesIO()
    figure.savefig(image, format="png")
    return image.getvalue()
