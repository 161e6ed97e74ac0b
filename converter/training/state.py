"""What a training needs to go on exactly where it was: all weights, and the optimiser's memory, after an epoch."""

from pathlib import Path
from typing import Any

import numpy as np

from converter.files import replacing
from edge.errors import UsageError


def epochs_done(path: Path) -> int:
    """The number of epochs that are in the state; 0: there is none."""
    if not path.is_file():
        return 0
    with _opened(path) as kept:
        return int(kept["epoch"])


def save(path: Path, epoch: int, model: Any) -> None:
    """Write the state of a compiled Keras model in one step."""
    with replacing(path) as part:
        np.savez(part, epoch=np.array(epoch), **{f"v{i}": v.numpy() for i, v in enumerate(_variables(model))})


def restore(path: Path, model: Any) -> None:
    """Load the state into a compiled Keras model of the same structure. Raises UsageError when it does not fit."""
    with _opened(path) as kept:
        variables = _variables(model)
        arrays = [kept[f"v{i}"] for i in range(len(kept.files) - 1)]
    if [tuple(v.shape) for v in variables] != [a.shape for a in arrays]:
        raise UsageError(f"{path}: the state of another network; give another folder, or start over with --restart")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _variables(model: Any) -> list[Any]:
    # Built only by the first step otherwise.
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def _opened(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UsageError(f"{path}: not the state of a training ({error}); start over with --restart") from error
