"""A network of the user's own: a Python file with a function `build(size, channels, dimensions)`."""

import importlib.util
from pathlib import Path
from typing import Any

from converter.sources import keras_of
from edge.errors import UsageError

FUNCTION = "build"


def build(name: str, size: int, channels: int, dimensions: int) -> Any:
    """What the file's `build` returns: a Keras 3 model, (n, size, size, channels) -> (n, dimensions).

    Raises UsageError that says what is wrong with the file, or with what it returns.
    """
    path = Path(name)
    if not path.is_file():
        raise UsageError(f"--network: found {name!r}, which is not there; allowed: a Python file with {FUNCTION}()")
    made = _called(path, size, channels, dimensions)
    if not isinstance(made, keras_of(3).Model):
        raise UsageError(f"{path}: {FUNCTION}() returned {type(made).__name__}; allowed: a model of Keras 3")
    taken, given = [tuple(t.shape) for t in made.inputs], [tuple(t.shape) for t in made.outputs]
    wanted = [(None, size, size, channels)], [(None, dimensions)]
    if (taken, given) != wanted:
        raise UsageError(f"{path}: {FUNCTION}() made {taken} -> {given}; allowed: {wanted[0]} -> {wanted[1]}")
    return made


def _called(path: Path, size: int, channels: int, dimensions: int) -> Any:
    spec = importlib.util.spec_from_file_location("network_of_the_user", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        function = getattr(module, FUNCTION, None)
        if not callable(function):
            raise UsageError(f"{path}: found no function {FUNCTION}; allowed: {FUNCTION}(size, channels, dimensions)")
        return function(size, channels, dimensions)
    except UsageError:
        raise
    except Exception as error:
        # It is somebody's own code: whatever it raises is its message.
        raise UsageError(f"{path}: {type(error).__name__}: {error}") from error
