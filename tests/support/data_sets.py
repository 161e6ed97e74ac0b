"""The measuring data, which is not a part of the project."""

import json
import os
from pathlib import Path
from typing import Any

import pytest


def data_root() -> Path:
    """The folder of the measuring data; the test is skipped when there is none."""
    named = os.environ.get("WHOSTHERE_DATA")
    if not named:
        pytest.skip("WHOSTHERE_DATA is not set: it names the folder of the measuring data")
    root = Path(named)
    if not root.is_dir():
        pytest.skip(f"WHOSTHERE_DATA is {named}, and there is no such folder")
    return root


def data_set(name: str) -> Path:
    """One data set's folder; the test is skipped when it is not there."""
    folder = data_root() / name
    if not folder.is_dir():
        pytest.skip(f"{folder}: this data set is not here")
    return folder


def golden() -> dict[str, Any]:
    """Boxes, points and vectors of four pictures by an independent implementation."""
    path = data_root().parent / "recipes" / "golden.json"
    if not path.is_file():
        pytest.skip(f"{path}: the independent reference is not here")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def full_run() -> bool:
    """Whether to measure on everything, however long it takes."""
    return os.environ.get("WHOSTHERE_FULL") == "1"
