"""Settings -> the networks, loaded and checked."""

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edge import card
from edge.detect import BlazeFaceDetector, DetectSettings
from edge.embed import TfliteEmbedder
from edge.landmarks import FaceMesh
from edge.quality import QualitySettings
from edge.runtime.analyser import Analyser
from edge.tflite import Model


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which networks: names of bundled ones, or paths to cards of your own."""

    detector: str = "blazeface-back"
    landmarks: str = "face-mesh"
    embedder: str = "mobilefacenet"
    threads: Annotated[int, Meta(ge=1, le=16)] = 2
    """CPU threads for each network."""


def load_embedder(settings: ModelSettings, base: Path | None = None) -> TfliteEmbedder:
    """The embedder alone. Raises ModelError."""
    return TfliteEmbedder(Model(card.find(settings.embedder, base), "embed", settings.threads))


def load_analyser(
    settings: ModelSettings, detect: DetectSettings, limits: QualitySettings, base: Path | None = None
) -> Analyser:
    """All networks. `base` is the folder that card paths are relative to. Raises ModelError."""
    detector = BlazeFaceDetector(Model(card.find(settings.detector, base), "detect", settings.threads), detect)
    mesh = FaceMesh(Model(card.find(settings.landmarks, base), "landmarks", settings.threads))
    return Analyser(detector, mesh, load_embedder(settings, base), limits)
