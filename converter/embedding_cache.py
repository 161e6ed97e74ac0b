"""What cached embeddings depend on, and where they are kept."""

import hashlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import msgspec

from edge import records
from edge.capture import photos
from edge.config.faces import DetectSettings
from edge.config.sections import ModelSettings
from edge.faces import align, brightness, detect, embed, framing, landmarks, quality
from edge.models import card, tflite
from edge.models.embedder_choice import choose_embedder

STAGES: tuple[ModuleType, ...] = (
    align,
    brightness,
    detect,
    embed,
    framing,
    landmarks,
    photos,
    quality,
    records,
    tflite,
)
"""A change in one of these may change embeddings, so that cached ones no longer count."""


def default_cache() -> Path:
    """The folder of the cache unless --cache names another."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "whosthere" / "embeddings"


def fingerprint(models: ModelSettings, detection: DetectSettings) -> str:
    """A hash of all that an embedding depends on: networks, cards, settings, libraries, the stages' code."""
    names = {"detect": models.detector, "landmarks": models.landmarks}
    chosen = choose_embedder(models)
    cards = [card.load(card.find(name), task).card for task, name in names.items()]
    cards.append(card.load(chosen.path, "embed", int8=chosen.int8).card)
    aside: dict[str, Any] = {"calibration": None, "infrared_calibration": None, "similarity": None, "classifier": None}
    bare = [msgspec.structs.replace(c, **aside, measured={}) for c in cards]
    runtime = tflite.find_runtime()
    parts = [msgspec.json.encode((bare, detection, runtime.package, runtime.version, cv2.__version__))]
    parts += [Path(str(stage.__file__)).read_bytes() for stage in STAGES]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
