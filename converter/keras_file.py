"""What a .keras or .h5 file says about itself, read without Keras: it would run code that the file may hold."""

import importlib
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from edge.errors import ModelError

DAMAGED = (
    OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, EOFError, RecursionError, MemoryError,
    OverflowError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip
"""What Python's readers of ZIP, JSON, HDF5 and numpy's files raise on damaged ones."""
INSTALL = "install it: pip install 'whosthere[converter]'"


def keras_version(path: Path) -> int:
    """2 or 3, as the file says. Raises ModelError when it is neither's."""
    return int(str(_read(path, "keras_version", "metadata.json", "2")).split(".")[0])


def refuse_code(path: Path) -> None:
    """Raise ModelError when a layer is Python code in the file.

    `safe_mode` of Keras is not enough: Keras 2 disregards it for .h5 files.
    """
    open_parts: list[Any] = [_config(path)]
    while open_parts:
        part = open_parts.pop()
        if isinstance(part, dict):
            if part.get("class_name") in {"Lambda", "__lambda__"} or part.get("function_type") == "lambda":
                raise ModelError(
                    f"{path}: it has a Lambda layer, which is Python code in the file; `convert --allow-lambda` runs "
                    "it, if you trust the file; `train` takes no such layers"
                )
            open_parts += part.values()
        elif isinstance(part, list):
            open_parts += part


def _config(path: Path) -> Any:
    found = _read(path, "model_config", "config.json", "{}")
    try:
        return json.loads(found) if isinstance(found, str) else found
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not a model that Keras saved, or damaged: {error}") from error


def _read(path: Path, attribute: str, member: str, default: str) -> Any:
    """An attribute of an .h5 file, or a member of a .keras file: for `metadata.json`, the attribute in it."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                found = json.loads(archive.read(member))
            return found[attribute] if member == "metadata.json" else found
        h5py = importlib.import_module("h5py")
        with h5py.File(path) as file:
            stated = file.attrs.get(attribute, default)
            return stated.decode() if isinstance(stated, bytes) else str(stated)
    except ImportError as error:
        raise ModelError(f"h5py is needed to read {path}; {INSTALL}") from error
    except DAMAGED as error:
        raise ModelError(f"{path}: not a model that Keras saved, or damaged: {error}") from error
