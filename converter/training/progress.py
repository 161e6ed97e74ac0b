"""Progress of a training on a terminal, and records for TensorBoard."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from converter.sources import keras_of, tensorflow
from converter.training.history import Epoch
from edge.safe_console import SafeConsole


class TrainingProgress:
    """Two bars on standard error, the epochs and the steps of the current one, with the time that is left.

    Without a terminal nothing is shown: each epoch is printed anyway.
    """

    def __init__(self, done: int, epochs: int) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bars = Progress(
            *columns, TextColumn("{task.fields[loss]}"), console=SafeConsole(stderr=True), transient=True,
            disable=not sys.stderr.isatty(), redirect_stdout=False,
        )  # fmt: skip
        self._epochs = self._bars.add_task("epochs", total=epochs, completed=done, loss="")
        self._steps = self._bars.add_task("steps", total=None, loss="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.stop()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bars away while something is printed."""
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start()

    def callback(self, steps: int) -> Any:
        """A Keras callback that moves the bars."""
        bars, epochs, task = self._bars, self._epochs, self._steps
        bars.reset(task, total=steps)

        class Moving(keras_of(3).callbacks.Callback):  # type: ignore[misc]
            """Moves the bars."""

            def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
                bars.update(task, completed=batch + 1, loss=f"loss {(logs or {}).get('loss', 0.0):.4f}")

            def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
                bars.advance(epochs)

        return Moving()


class TensorBoardLog:
    """Writes the results of each epoch as TensorBoard reads them: `tensorboard --logdir FOLDER`."""

    def __init__(self, folder: Path) -> None:
        self._writer = tensorflow().summary.create_file_writer(str(folder))

    def add(self, epoch: Epoch) -> None:
        values = {
            "training/loss": epoch.loss,
            "training/accuracy": epoch.accuracy,
            "training/learning rate": epoch.learning_rate,
            "validation/area": epoch.area,
            "validation/true accepts at 1 %": epoch.true_accepts,
            "validation/identified at 1 %": epoch.identified,
        }
        with self._writer.as_default(step=epoch.epoch):
            for name, value in values.items():
                if value is not None:
                    _scalar(name, value)
        self._writer.flush()


def _scalar(name: str, value: float) -> None:
    """Write one point of a curve, without the package tensorboard that `tf.summary.scalar` needs."""
    tf = tensorflow()
    metadata = tf.compat.v1.SummaryMetadata(
        plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars"), data_class="DATA_CLASS_SCALAR"
    )
    tf.summary.write(name, tf.constant(value, tf.float32), metadata=metadata)
