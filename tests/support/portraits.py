"""Real faces, and the real command line."""

import functools
from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner, Result

import edge.demo
from edge.__main__ import main
from edge.config.loading import Config
from edge.faces.analyser import Analyser
from edge.faces.loading import load_analyser
from edge.records import Image

PORTRAITS = Path(edge.demo.__file__).parent / "portraits"
OBAMA = PORTRAITS / "enroll" / "barack-obama" / "photo.jpg"
OBAMA_2009 = PORTRAITS / "visit" / "barack-obama-2009.jpg"
OBAMA_2010 = PORTRAITS / "visit" / "barack-obama-2010.jpg"
BIDEN = PORTRAITS / "enroll" / "joe-biden" / "photo.jpg"
HOPPER = PORTRAITS / "enroll" / "grace-hopper" / "photo.jpg"
COLLINS = PORTRAITS / "visit" / "eileen-collins.jpg"
"""Nobody knows her: the stranger."""


@functools.cache
def analyser() -> Analyser:
    """The bundled networks, loaded once for all tests."""
    config = Config()
    return load_analyser(config.models, config.detect, config.quality)


def read_picture(path: Path) -> Image:
    image = cv2.imread(str(path))
    assert image is not None, f"{path} cannot be read"
    return image.astype(np.uint8)


def save(path: Path, image: Image) -> Path:
    assert cv2.imwrite(str(path), image)
    return path


def side_by_side(*paths: Path) -> Image:
    """One picture with all of them, 600 pixels high."""
    pictures = [read_picture(path) for path in paths]
    return np.hstack([cv2.resize(p, (round(p.shape[1] * 600 / len(p)), 600)) for p in pictures]).astype(np.uint8)


def whosthere(*arguments: str | Path, typed: str | None = None) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(a) for a in arguments], input=typed)


def darkened(image: Image) -> Image:
    return (image * 0.12).astype(np.uint8)
