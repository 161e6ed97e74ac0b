"""Settings -> the networks, loaded and checked."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from edge import card
from edge.detect import BlazeFaceDetector, DetectSettings
from edge.embed import TfliteEmbedder
from edge.landmarks import FaceMesh
from edge.near import NearDetector
from edge.quality import QualitySettings
from edge.runtime.analyser import Analyser
from edge.tflite import Model


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which networks: names of bundled ones, or paths to cards of your own."""

    detector: str = "blazeface-back"
    near_detector: str = "blazeface-short-range"
    """Finds followed faces again, around where they were."""
    landmarks: str = "face-mesh"
    embedder: str = "mobilefacenet"
    threads: Annotated[int, Meta(ge=1, le=16)] = 2
    """CPU threads for each network."""


Role = Literal["detector", "near_detector", "landmarks", "embedder"]
TASKS: dict[Role, str] = {
    "detector": "detect",
    "near_detector": "detect",
    "landmarks": "landmarks",
    "embedder": "embed",
}


class Networks(NamedTuple):
    """One network for each role."""

    detector: Model
    near_detector: Model
    landmarks: Model
    embedder: Model


def load_network(settings: ModelSettings, role: Role, base: Path | None = None) -> Model:
    """One network. `base` is the folder that card paths are relative to. Raises ModelError."""
    return Model(card.find(getattr(settings, role), base), TASKS[role], settings.threads)


def load_networks(settings: ModelSettings, base: Path | None = None) -> Networks:
    """All networks. Raises ModelError."""
    return Networks(*(load_network(settings, role, base) for role in TASKS))


def load_embedder(settings: ModelSettings, base: Path | None = None) -> TfliteEmbedder:
    """The embedder alone. Raises ModelError."""
    return TfliteEmbedder(load_network(settings, "embedder", base))


def assemble(networks: Networks, detect: DetectSettings, limits: QualitySettings) -> Analyser:
    """The stages on their networks. Raises ModelError when a card lacks what its stage needs."""
    detector = BlazeFaceDetector(networks.detector, detect)
    near = NearDetector(BlazeFaceDetector(networks.near_detector, msgspec.structs.replace(detect, squares=False)))
    return Analyser(detector, FaceMesh(networks.landmarks), TfliteEmbedder(networks.embedder), limits, near)


def load_analyser(
    settings: ModelSettings, detect: DetectSettings, limits: QualitySettings, base: Path | None = None
) -> Analyser:
    """All networks and their stages. Raises ModelError."""
    return assemble(load_networks(settings, base), detect, limits)
