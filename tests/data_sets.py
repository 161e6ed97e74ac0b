"""What tests look at: the bundled portraits, always there, and the measuring data, which is not."""

import json
import os
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge.records import Image

PORTRAITS = Path(__file__).parent.parent / "edge" / "demo" / "portraits"
OBAMA_2009 = PORTRAITS / "visit" / "barack-obama-2009.jpg"
OBAMA_2010 = PORTRAITS / "visit" / "barack-obama-2010.jpg"
OBAMA_2012 = PORTRAITS / "enroll" / "barack-obama" / "photo.jpg"
BIDEN = PORTRAITS / "enroll" / "joe-biden" / "photo.jpg"
HOPPER = PORTRAITS / "enroll" / "grace-hopper" / "photo.jpg"
COLLINS = PORTRAITS / "visit" / "eileen-collins.jpg"


def read_picture(path: Path) -> Image:
    image = cv2.imread(str(path))
    assert image is not None, f"{path} cannot be read"
    return image.astype("uint8")


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
