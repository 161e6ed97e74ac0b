"""Gathers the Inventory of this box. Whatever is broken becomes one of its problems."""

import os
import platform
from importlib import metadata, util
from pathlib import Path

import cv2

from edge import __version__
from edge.capture.registry import describe
from edge.config.loading import InvalidConfig, LoadedConfig, default_config, load_config
from edge.config.visits import MatchSettings
from edge.daemon.system_stats import Throttling, clock_synchronised, disk_free_mb, temperature_c, throttling
from edge.errors import ConfigError, GalleryError, ModelError, WhosthereError
from edge.faces.embed import TfliteEmbedder
from edge.faces.loading import Role, assemble, edge_tpu, load_network, roles_in
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery
from edge.inspection import inventory as of
from edge.inspection.checks import runtime_finding, threshold_finding
from edge.inspection.findings import Finding, Verdict, exit_code
from edge.inspection.service import service, service_hints
from edge.inspection.surroundings import ROOM_MB, existing_folder
from edge.models.card import Calibration
from edge.models.tflite import Model, find_runtime
from edge.visits.thresholds import threshold_for, threshold_in_force

TARGETS = (0.01, 0.001, 0.0001)
PACKAGES = ("numpy", "paho-mqtt", "msgspec", "PyYAML", "safetensors", "click")
BOARD = Path("/proc/device-tree/model")
MEMORY = Path("/proc/meminfo")
HOT_C = 80.0
"""A Raspberry Pi slows down from here on."""
LITTLE_MEMORY_MB = 200


class Stocktaking:
    """One look at everything."""

    def __init__(self, config_path: Path | None) -> None:
        """Without a path: the defaults."""
        self._errors: list[WhosthereError] = []
        self._hints: list[str] = []
        self._source = str(config_path) if config_path else "none given: defaults"
        self.loaded = self._config(config_path)

    def inventory(self) -> of.Inventory:
        """Takes a second: every network is loaded."""
        loaded = self.loaded
        software = self._software()
        networks, embedder = self._networks()
        gallery = self._gallery(embedder)
        config = loaded.config
        box = self._box()
        self._hint_at_camera()
        return of.Inventory(
            config=self._source,
            device_id=loaded.device_id,
            camera=describe(config.camera),
            broker=f"{config.mqtt.host}:{config.mqtt.port}{' with TLS' if config.mqtt.tls.enabled else ''}",
            software=software,
            networks=networks,
            calibration=_range(embedder.calibration) if embedder and embedder.calibration else None,
            gallery=_known(loaded.gallery_path, gallery) if gallery else None,
            deciding=self._deciding(embedder, gallery) if embedder else None,
            box=box,
            service=self._service(),
            problems=list(dict.fromkeys(str(error) for error in self._errors)),
            hints=self._hints,
            exit_code=exit_code(error.exit_code for error in self._errors),
        )

    def _config(self, path: Path | None) -> LoadedConfig:
        if path is None:
            return default_config()
        try:
            return load_config(path)
        except InvalidConfig as error:
            self._errors.append(error)
            return error.sound or default_config()
        except ConfigError as error:
            self._errors.append(error)
            return default_config()

    def _software(self) -> of.Software:
        try:
            runtime = find_runtime()
            name = f"{runtime.package} {runtime.version}"
        except ModelError:
            # Said when the networks are loaded.
            name = None
        packages = {"opencv": cv2.__version__} | {package: metadata.version(package) for package in PACKAGES}
        return of.Software(__version__, platform.python_version(), _system(), platform.machine(), name, packages)

    def _networks(self) -> tuple[list[of.Network], TfliteEmbedder | None]:
        loaded = self.loaded
        networks: dict[Role, Model] = {}
        roles = roles_in(loaded.config.models)
        tpu = edge_tpu(loaded.config.models)
        for role in roles:
            try:
                network = load_network(loaded.config.models, role, loaded.base, tpu)
            except ModelError as error:
                self._errors.append(error)
                continue
            networks[role] = network
            self._hint(*runtime_finding(network))
        facts = [_network(role.name, network) for role, network in networks.items()]
        if len(networks) < len(roles):
            return facts, None
        try:
            return facts, assemble(networks, loaded.config.detect, loaded.config.quality).embedder
        except ModelError as error:
            self._errors.append(error)
            return facts, None

    def _hint(self, *findings: Finding) -> None:
        warnings = [finding for finding in findings if finding.verdict is Verdict.WARNING]
        self._hints += [f"{finding.found}; {finding.advice}" for finding in warnings]

    def _gallery(self, embedder: TfliteEmbedder | None) -> Gallery | None:
        path = self.loaded.gallery_path
        try:
            gallery = open_gallery(path, embedder.id if embedder else None, self.loaded.gallery_keys)
        except GalleryError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                self._hints.append(str(error))
            else:
                self._errors.append(error)
            return None
        few = [person.name for person in gallery.people if len(person.templates) == 1]
        if few:
            names = ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
            self._hints.append(f"only one template of {names}: three to ten photos that differ recognise better")
        return gallery

    def _deciding(self, embedder: TfliteEmbedder, gallery: Gallery | None) -> of.Deciding | None:
        match, calibration = self.loaded.config.match, embedder.calibration
        known = gallery or Gallery.empty(embedder.id, embedder.dimensions)
        templates = len(known.embeddings)
        try:
            threshold = threshold_in_force(self.loaded, embedder.card, known)
        except ModelError as error:
            self._errors.append(error)
            return None
        finding = threshold_finding(threshold, match, embedder, templates)
        self._hint(finding)
        return of.Deciding(
            false_alarm_target=match.false_alarm_target,
            threshold=round(threshold.similarity, 4),
            from_calibration=threshold.calibrated,
            within_data=threshold.within_data,
            min_margin=match.min_margin,
            at_other_targets=_at_targets(calibration, templates),
        )

    def _box(self) -> of.Box:
        folder = existing_folder(Path(self.loaded.config.mqtt.outbox.path))
        memory, temperature = _memory_mb(), temperature_c()
        box = of.Box(
            board=_board(),
            cpus=os.cpu_count() or 1,
            memory_mb=memory.get("MemTotal"),
            memory_available_mb=memory.get("MemAvailable"),
            temperature_c=None if temperature is None else round(temperature, 1),
            outbox_free_mb=disk_free_mb(folder),
        )
        self._hints.extend(_strains(box, self.loaded.config.models.threads))
        self._hints.extend(limits(throttling(), clock_synchronised()))
        return box

    def _service(self) -> of.Service | None:
        found = service()
        self._hints.extend(service_hints(found) if found else [])
        return found

    def _hint_at_camera(self) -> None:
        if self.loaded.config.camera.source.startswith("picamera2:") and util.find_spec("picamera2") is None:
            self._hints.append(
                "camera.source wants picamera2, which this Python does not find: apt install python3-picamera2, and "
                "make the virtual environment with --system-site-packages"
            )


def _strains(box: of.Box, threads: int) -> list[str]:
    rules = (
        (threads > box.cpus, f"models.threads is {threads}, but this box has {box.cpus} cores: more only slow it down"),
        (
            box.temperature_c is not None and box.temperature_c >= HOT_C,
            f"the processor has {box.temperature_c} degrees and slows itself down: it needs a cooler",
        ),
        (
            box.memory_available_mb is not None and box.memory_available_mb < LITTLE_MEMORY_MB,
            f"only {box.memory_available_mb} MB of memory are available; whosthere takes about {LITTLE_MEMORY_MB}",
        ),
        (
            box.outbox_free_mb is not None and box.outbox_free_mb < ROOM_MB,
            f"only {box.outbox_free_mb} MB are free where the outbox lies: make room",
        ),
    )
    return [text for strained, text in rules if strained]


def limits(firmware: Throttling | None, clock: bool | None) -> list[str]:
    """What firmware and clock complain of, each with what to do; now, or else since the board was switched on."""
    found = []
    if firmware and (firmware.under_voltage or firmware.has_had_under_voltage):
        when = "gets" if firmware.under_voltage else "has been getting"
        found.append(f"the board {when} too little voltage: use the power supply made for it and a short, thick cable")
    if firmware and firmware.throttled:
        found.append("the board slows itself down now: it is too hot or gets too little power")
    elif firmware and firmware.has_been_throttled:
        found.append("the board has slowed itself down since it was switched on: it needs a cooler or more power")
    if clock is False:
        found.append(
            "the clock has not been set since the start, so that events bear a wrong time: let the box reach a time "
            "server (`timedatectl status`)"
        )
    return found


def _network(role: str, network: Model) -> of.Network:
    card = network.card
    return of.Network(role, card.name, card.sha256, card.licence, card.origin)


def _range(calibration: Calibration) -> of.CalibrationRange:
    (s0, f0), (s1, f1) = calibration.points[0], calibration.points[-1]
    return of.CalibrationRange(calibration.data, len(calibration.points), (s0, s1), (f0, f1))


def _known(path: Path, gallery: Gallery) -> of.GalleryInfo:
    return of.GalleryInfo(str(path), gallery.header.version, len(gallery.people), len(gallery.embeddings))


def _at_targets(calibration: Calibration | None, templates: int) -> list[of.Target]:
    """What a threshold in config.yaml overrides nothing of."""
    pairs = [(target, threshold_for(MatchSettings(target), calibration, templates)) for target in TARGETS]
    return [of.Target(target, round(found.similarity, 4), found.within_data) for target, found in pairs if found]


def _system() -> str:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        name = platform.system()
    return f"{name}, kernel {platform.release()}"


def _board() -> str | None:
    try:
        return BOARD.read_text(encoding="utf-8").strip("\0\n ")
    except OSError:
        return None


def _memory_mb() -> dict[str, int]:
    try:
        lines = MEMORY.read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines)
    return {key: int(value.split()[0]) // 1024 for key, value in pairs}
