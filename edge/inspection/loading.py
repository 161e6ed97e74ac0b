"""A config.yaml, and the networks, gallery and threshold that it names, loaded step by step.

`check`, `doctor`, `tune` and `bench` all load through here. A step that fails becomes a finding, and the next ones
go on without it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edge.config.loading import InvalidConfig, LoadedConfig, default_config, load_config
from edge.errors import ConfigError, GalleryError, ModelError
from edge.faces.analyser import Analyser
from edge.faces.embed import TfliteEmbedder
from edge.faces.loading import EMBEDDER, Role, assemble, check_compiled, edge_tpu, load_network, roles_in
from edge.galleries.additions import read_additions, with_additions
from edge.galleries.corrections import read_corrections
from edge.galleries.file import open_gallery
from edge.galleries.gallery import EmbedderId, Gallery
from edge.galleries.sealed import NoGallery
from edge.inspection.findings import Finding, failed, ok, warning
from edge.inspection.recognition_findings import (
    accelerator_findings,
    empty_gallery_finding,
    gallery_finding,
    network_finding,
    no_gallery_finding,
    runtime_findings,
    strangers_finding,
    threshold_finding,
)
from edge.models.embedder_choice import choose_embedder
from edge.models.tflite import Model, find_runtime
from edge.visits.thresholds import Threshold, threshold_in_force


class ConfigRead(NamedTuple):
    """A config.yaml as far as it could be read."""

    finding: Finding
    loaded: LoadedConfig | None
    """The sections that are right, with defaults for the others; None: the file could not be read at all."""
    wrong: frozenset[str] = frozenset()
    """The sections that hold mistakes."""


def read_config(path: Path | None) -> ConfigRead:
    """Read a config.yaml, or take the defaults where there is no path."""
    if path is None:
        return ConfigRead(ok("config", "none given: defaults"), default_config())
    try:
        loaded = load_config(path)
    except InvalidConfig as error:
        return ConfigRead(failed("config", error), error.sound, frozenset(error.wrong))
    except ConfigError as error:
        return ConfigRead(failed("config", error), None)
    return ConfigRead(ok("config", f"{path}: every key is valid; this box is {loaded.device_id}"), loaded)


def configured_gallery(loaded: LoadedConfig, embedder: EmbedderId | None, dimensions: int | None = None) -> Gallery:
    """The gallery that a config names; any embedder's for None. Raises NoGallery and GalleryError."""
    return open_gallery(loaded.gallery_path, embedder, loaded.gallery_keys, dimensions)


class Recognition:
    """Networks, gallery and threshold of a config. Call the steps in their order; each yields what it found."""

    def __init__(self, loaded: LoadedConfig) -> None:
        self._loaded = loaded
        self.networks: dict[Role, Model] = {}
        """Those that could be loaded."""
        self.analyser: Analyser | None = None
        self.gallery: Gallery | None = None
        self.threshold: Threshold | None = None

    @property
    def embedder(self) -> TfliteEmbedder | None:
        return self.analyser.embedder if self.analyser else None

    def load_networks(self) -> Iterator[Finding]:
        """The runtime, every network, and the stages that they make up."""
        try:
            find_runtime()
        except ModelError as error:
            yield failed("runtime", error)
            return
        models = self._loaded.config.models
        tpu, roles = edge_tpu(models), roles_in(models)
        for role in roles:
            try:
                self.networks[role] = network = load_network(models, role, self._loaded.base, tpu)
            except ModelError as error:
                yield failed(role.name, error)
                continue
            why = choose_embedder(models, self._loaded.base).why if role is EMBEDDER else ""
            yield network_finding(role.name, network, why)
            yield from runtime_findings(network)
        if models.accelerator != "cpu":
            yield from accelerator_findings(list(self.networks.values()))
        if len(self.networks) == len(roles):
            try:
                self.analyser = self._assembled(required=tpu.required)
            except ModelError as error:
                yield failed("models", error)

    def load_gallery(self) -> Iterator[Finding]:
        """The gallery, compared with the embedder if that could be loaded."""
        path = self._loaded.gallery_path
        try:
            wanted, dimensions = (self.embedder.id, self.embedder.dimensions) if self.embedder else (None, None)
            self.gallery = gallery = configured_gallery(self._loaded, wanted, dimensions)
        except NoGallery:
            yield no_gallery_finding(path)
        except GalleryError as error:
            yield failed("gallery", error)
        else:
            yield gallery_finding(path, gallery) if gallery.people else empty_gallery_finding(path)

    def find_threshold(self) -> Iterator[Finding]:
        """The similarity that a name takes, for the gallery or for an empty one. Nothing without an embedder."""
        embedder = self.embedder
        if embedder is None:
            return
        gallery = self.gallery or Gallery.empty(embedder.id, embedder.dimensions)
        path, keys = self._loaded.gallery_path, self._loaded.gallery_keys
        try:
            gallery = with_additions(gallery, read_additions(path, embedder.id, keys, embedder.dimensions))
            read_corrections(path, embedder.id, embedder.dimensions)
        except GalleryError as error:
            yield warning("corrections", str(error), "until then, the daemon does without them")
        try:
            self.threshold = threshold = threshold_in_force(self._loaded, embedder.card, gallery)
        except ModelError as error:
            yield failed("threshold", error)
            return
        yield threshold_finding(threshold, self._loaded.config.match, embedder, len(gallery.embeddings))
        if self._loaded.config.strangers.group:
            yield strangers_finding(self._loaded, embedder)

    def _assembled(self, *, required: bool) -> Analyser:
        config = self._loaded.config
        if required:
            check_compiled(self.networks)
        return assemble(self.networks, config.detect, config.quality)
