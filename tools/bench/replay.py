"""Networks whose answers are recorded once and given again later, so that only our own code is left to count.

Valgrind computes a network's multiplications one by one, which takes it seconds; and those instructions are not ours.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.models import tflite

Answers = list[list[NDArray[Any]]]
"""For each run of one network: its output tensors."""


class RecordingInterpreter:
    """Runs a network, and keeps what it answered."""

    def __init__(self, interpreter: Any) -> None:
        self.answers: Answers = []
        self._interpreter = interpreter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._interpreter, name)

    def invoke(self) -> None:
        self._interpreter.invoke()
        outputs = self._interpreter.get_output_details()
        self.answers.append([self._interpreter.get_tensor(output["index"]) for output in outputs])


class ReplayingInterpreter:
    """Runs nothing: each run gives the next recorded answer."""

    def __init__(self, interpreter: Any, answers: Answers) -> None:
        self._interpreter = interpreter
        self._answers = iter(answers)
        self._outputs = [output["index"] for output in interpreter.get_output_details()]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._interpreter, name)

    def invoke(self) -> None:
        answers = next(self._answers, None)
        if answers is None:
            raise SystemExit("a network runs more often than when its answers were recorded: the loop took another way")
        for index, answer in zip(self._outputs, answers, strict=True):
            self._interpreter.set_tensor(index, answer)


@contextmanager
def _instead(made: Callable[[Any], Any]) -> Iterator[None]:
    """Wrap each interpreter that is opened during the body."""
    real = tflite.open_interpreter
    tflite.open_interpreter = lambda *args, **options: made(real(*args, **options))
    try:
        yield
    finally:
        tflite.open_interpreter = real


@contextmanager
def recording() -> Iterator[list[RecordingInterpreter]]:
    """Record the answers of networks that are opened during the body; they are listed in the order of opening."""
    opened: list[RecordingInterpreter] = []

    def made(interpreter: Any) -> RecordingInterpreter:
        opened.append(RecordingInterpreter(interpreter))
        return opened[-1]

    with _instead(made):
        yield opened


@contextmanager
def replaying(answers: list[Answers]) -> Iterator[None]:
    """Let networks that are opened during the body give these answers, in the order of opening."""
    waiting = iter(answers)
    with _instead(lambda interpreter: ReplayingInterpreter(interpreter, next(waiting))):
        yield


def save(path: Path, answers: list[Answers]) -> None:
    """Write what networks answered, as an npz file."""
    arrays = {
        f"{network:02}.{run:05}.{output}": tensor
        for network, runs in enumerate(answers)
        for run, outputs in enumerate(runs)
        for output, tensor in enumerate(outputs)
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]


def load(path: Path) -> list[Answers]:
    """Read what networks answered."""
    found: list[Answers] = []
    with np.load(path) as held:
        for name in sorted(held.files):
            network, run, _ = name.split(".")
            while len(found) <= int(network):
                found.append([])
            runs = found[int(network)]
            if len(runs) <= int(run):
                runs.append([])
            runs[int(run)].append(held[name])
    return found
