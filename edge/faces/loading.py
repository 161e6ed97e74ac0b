"""Settings -> the networks, loaded and checked."""

import logging
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from edge.config.faces import DetectSettings, QualitySettings
from edge.config.loading import LoadedConfig
from edge.config.sections import ModelSettings
from edge.errors import ModelError
from edge.faces.analyser import Analyser
from edge.faces.detect import BlazeFaceDetector
from edge.faces.embed import TfliteEmbedder
from edge.faces.landmarks import FaceMesh
from edge.faces.roi_detect import RoiDetector
from edge.models import card
from edge.models.edgetpu import EdgeTpu
from edge.models.tflite import Model

log = logging.getLogger("whosthere.models")


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


def edge_tpu(settings: ModelSettings) -> EdgeTpu:
    """The one device that all networks share; it is not looked for before a network is compiled for it."""
    return EdgeTpu(settings.accelerator, settings.device)


def load_network(settings: ModelSettings, role: Role, base: Path | None = None, tpu: EdgeTpu | None = None) -> Model:
    """One network. `base` is the folder that card paths are relative to. Raises ModelError."""
    path = card.find(getattr(settings, role), base)
    return Model(path, TASKS[role], settings.threads, xnnpack=settings.xnnpack, edge_tpu=tpu or edge_tpu(settings))


def load_networks(settings: ModelSettings, base: Path | None = None) -> Networks:
    """All networks. Raises ModelError."""
    tpu = edge_tpu(settings)
    networks = Networks(*(load_network(settings, role, base, tpu) for role in TASKS))
    if tpu.required:
        check_compiled(networks)
    return networks


def check_compiled(networks: Networks) -> None:
    """An Edge TPU is insisted on: say which networks it cannot run. Raises ModelError when it can run none."""
    if not any(network.for_edge_tpu for network in networks):
        raise ModelError(
            "models.accelerator is edgetpu, but none of the networks is compiled for it: "
            f"{networks.embedder.compile_it}; or set models.accelerator to auto"
        )
    for network in networks:
        if not network.for_edge_tpu:
            text = "%s runs on the processor, as it is not compiled for the Edge TPU: %s"
            log.warning(text, network.card.name, network.compile_it)


def load_embedder(settings: ModelSettings, base: Path | None = None) -> TfliteEmbedder:
    """The embedder alone. Raises ModelError."""
    return TfliteEmbedder(load_network(settings, "embedder", base))


def assemble(networks: Networks, detect: DetectSettings, limits: QualitySettings) -> Analyser:
    """The stages on their networks. Raises ModelError when a card lacks what its stage needs."""
    detector = BlazeFaceDetector(networks.detector, detect)
    near = RoiDetector(BlazeFaceDetector(networks.near_detector, msgspec.structs.replace(detect, squares=False)))
    return Analyser(detector, FaceMesh(networks.landmarks), TfliteEmbedder(networks.embedder), limits, near, networks)


def load_configured_analyser(loaded: LoadedConfig) -> Analyser:
    """All networks and their stages, as a config.yaml has them. Raises ModelError."""
    config = loaded.config
    return load_analyser(config.models, config.detect, config.quality, loaded.base)


def load_analyser(
    settings: ModelSettings, detect: DetectSettings, limits: QualitySettings, base: Path | None = None
) -> Analyser:
    """All networks and their stages. Raises ModelError."""
    return assemble(load_networks(settings, base), detect, limits)
