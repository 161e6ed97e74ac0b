"""Settings -> the networks, loaded and checked, and the stages on top of them."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from edge.config.faces import DetectSettings, QualitySettings
from edge.config.loading import LoadedConfig
from edge.config.sections import ModelSettings
from edge.errors import ModelError
from edge.faces.analyser import Analyser
from edge.faces.detect import BlazeFaceDetector
from edge.faces.embed import TfliteEmbedder
from edge.faces.landmarks import FaceMesh
from edge.faces.liveness_network import LivenessNetwork
from edge.faces.roi_detect import RoiDetector
from edge.models import card
from edge.models.card import Task
from edge.models.edgetpu import EdgeTpu
from edge.models.embedder_choice import choose_embedder
from edge.models.tflite import Model

log = logging.getLogger("whosthere.models")


class Role(NamedTuple):
    """The purpose of a network."""

    name: str
    """Its key in the section `models` of config.yaml, and its name in reports."""
    task: Task
    """What its card must state."""
    optional: bool = False
    """It may be left out of config.yaml."""


DETECTOR = Role("detector", "detect")
NEAR_DETECTOR = Role("near_detector", "detect")
LANDMARKS = Role("landmarks", "landmarks")
EMBEDDER = Role("embedder", "embed")
LIVENESS = Role("liveness", "liveness", optional=True)
SECOND_LIVENESS = Role("second_liveness", "liveness", optional=True)
ROLES: tuple[Role, ...] = (DETECTOR, NEAR_DETECTOR, LANDMARKS, EMBEDDER, LIVENESS, SECOND_LIVENESS)
"""Every network there is, in the order of reports. To add one: an entry here, its key in ModelSettings, its stage."""

Networks = Mapping[Role, Model]


def edge_tpu(settings: ModelSettings) -> EdgeTpu:
    """Return the one device that all networks share; it is opened when the first network compiled for it is loaded."""
    return EdgeTpu(settings.accelerator, settings.device)


def roles_in(settings: ModelSettings) -> list[Role]:
    """Return the roles for which the settings name a network."""
    return [role for role in ROLES if not role.optional or getattr(settings, role.name) is not None]


def load_network(settings: ModelSettings, role: Role, base: Path | None = None, tpu: EdgeTpu | None = None) -> Model:
    """Load one network. `base` is the folder that card paths are relative to. Raises ModelError."""
    if role is EMBEDDER:
        path, int8, _ = choose_embedder(settings, base)
    else:
        path, int8 = card.find(getattr(settings, role.name), base), False
    device = tpu or edge_tpu(settings)
    return Model(path, role.task, settings.threads, xnnpack=settings.xnnpack, edge_tpu=device, int8=int8)


def load_networks(settings: ModelSettings, base: Path | None = None) -> Networks:
    """Load all networks. Raises ModelError."""
    tpu = edge_tpu(settings)
    networks = {role: load_network(settings, role, base, tpu) for role in roles_in(settings)}
    if tpu.required:
        check_compiled(networks)
    return networks


def check_compiled(networks: Networks) -> None:
    """Log which networks the required Edge TPU cannot run. Raises ModelError when it can run none."""
    if not any(network.for_edge_tpu for network in networks.values()):
        raise ModelError(
            "models.accelerator is edgetpu, but none of the networks is compiled for it: "
            f"{networks[EMBEDDER].compile_it}; or set models.accelerator to auto"
        )
    for network in networks.values():
        if not network.for_edge_tpu:
            text = "%s runs on the CPU, as it is not compiled for the Edge TPU: %s"
            log.warning(text, network.card.name, network.compile_it)


def load_embedder(settings: ModelSettings, base: Path | None = None) -> TfliteEmbedder:
    """Load the embedder alone. Raises ModelError."""
    return TfliteEmbedder(load_network(settings, EMBEDDER, base))


def load_detector(settings: ModelSettings, detect: DetectSettings, base: Path | None = None) -> BlazeFaceDetector:
    """Load the detector alone. Raises ModelError."""
    return BlazeFaceDetector(load_network(settings, DETECTOR, base), detect)


def load_near_detector(settings: ModelSettings, detect: DetectSettings, base: Path | None = None) -> BlazeFaceDetector:
    """Load the detector for small parts of a picture alone. Raises ModelError."""
    return near_detector(load_network(settings, NEAR_DETECTOR, base), detect)


def near_detector(network: Model, detect: DetectSettings) -> BlazeFaceDetector:
    """Return the stage on a network for small parts of a picture, which are always shrunk as a whole."""
    return BlazeFaceDetector(network, msgspec.structs.replace(detect, squares=False))


def load_face_mesh(settings: ModelSettings, base: Path | None = None) -> FaceMesh:
    """Load the landmarks stage alone. Raises ModelError."""
    return FaceMesh(load_network(settings, LANDMARKS, base))


def assemble(networks: Networks, detect: DetectSettings, limits: QualitySettings) -> Analyser:
    """Put the stages on their networks. Raises ModelError when a card lacks what its stage needs."""
    return Analyser(
        detector=BlazeFaceDetector(networks[DETECTOR], detect),
        mesh=FaceMesh(networks[LANDMARKS]),
        embedder=TfliteEmbedder(networks[EMBEDDER]),
        limits=limits,
        near=RoiDetector(near_detector(networks[NEAR_DETECTOR], detect)),
        liveness=tuple(LivenessNetwork(networks[role]) for role in (LIVENESS, SECOND_LIVENESS) if role in networks),
        networks=tuple(networks.values()),
    )


def load_configured_analyser(loaded: LoadedConfig) -> Analyser:
    """Load all networks and put the stages on them, as config.yaml has them. Raises ModelError."""
    config = loaded.config
    return load_analyser(config.models, config.detect, config.quality, loaded.base)


def load_analyser(
    settings: ModelSettings, detect: DetectSettings, limits: QualitySettings, base: Path | None = None
) -> Analyser:
    """Load all networks and put the stages on them. Raises ModelError."""
    return assemble(load_networks(settings, base), detect, limits)
