"""What a training needs to go on exactly where it was: weights, random states and the optimiser's memory."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converter.files import replacing
from converter.keras_file import DAMAGED
from edge.errors import UsageError


def epochs_done(path: Path) -> int:
    """The number of epochs that are in the state; 0: there is none."""
    if not path.is_file():
        return 0
    return int(_read(path)["epoch"])


def save(path: Path, epoch: int, model: Any) -> None:
    """Write the state of a compiled Keras model in one step."""
    with replacing(path) as part:
        np.savez(part, epoch=np.array(epoch), **{f"v{i}": v.numpy() for i, v in enumerate(_variables(model))})


def restore(path: Path, model: Any) -> None:
    """Load the state into a compiled Keras model of the same structure. Raises UsageError when it does not fit."""
    kept, variables = _read(path), _variables(model)
    arrays = [kept.get(f"v{i}", np.empty(0)) for i in range(len(kept) - 1)]
    if [tuple(v.shape) for v in variables] != [a.shape for a in arrays]:
        raise UsageError(f"{path}: the state of another network; give another folder, or start over with --restart")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _variables(model: Any) -> list[Any]:
    # Built only by the first step otherwise.
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Everything in the state. Raises UsageError when it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            found = {name: kept[name] for name in kept.files}
    except DAMAGED as error:
        raise UsageError(f"{path}: not the state of a training ({error}); start over with --restart") from error
    if found.get("epoch", np.empty(0)).shape != ():
        raise UsageError(f"{path}: not the state of a training (it has no epoch); start over with --restart")
    return found
