"""Makes the DoctorReport of this box. Whatever is broken becomes one of its problems."""

import platform
from importlib import metadata, util
from pathlib import Path

import cv2

from edge import __version__
from edge.capture.registry import describe, notice
from edge.config.camera import CameraSettings
from edge.config.loading import LoadedConfig, default_config
from edge.config.visits import MatchSettings
from edge.daemon.system_stats import clock_synchronised, throttling
from edge.errors import ModelError
from edge.galleries.gallery import Gallery
from edge.inspection.doctor_report import (
    CalibrationRange,
    DoctorReport,
    GalleryInfo,
    NameRule,
    NetworkInfo,
    Software,
    TargetThreshold,
)
from edge.inspection.findings import CheckStatus, Finding, exit_code
from edge.inspection.hardware import firmware_hints, hardware_hints, read_hardware
from edge.inspection.loading import Recognition, read_config
from edge.inspection.notify_findings import delivery_findings, rule_findings
from edge.inspection.service import service, service_hints
from edge.inspection.surroundings import existing_folder
from edge.models.card import Calibration
from edge.models.tflite import Model, find_runtime
from edge.visits.thresholds import name_margin, naming_scale, threshold_for

TARGETS = (0.01, 0.001, 0.0001)
PACKAGES = ("numpy", "paho-mqtt", "msgspec", "ruamel.yaml", "click")
FEW_SHOWN = 5


class Doctor:
    """One examination of this box."""

    def __init__(self, config_path: Path | None) -> None:
        """Read the config; without a path, the defaults stand in for it."""
        self._source = str(config_path) if config_path else "none given: defaults"
        finding, loaded, _ = read_config(config_path)
        self._findings = [finding]
        self.loaded: LoadedConfig = loaded or default_config()
        """What is right in the config, with defaults for the rest."""

    def report(self) -> DoctorReport:
        """Load every network and the gallery, and ask system and service. Takes about a second."""
        config = self.loaded.config
        recognition = Recognition(self.loaded)
        self._findings += recognition.load_networks()
        self._findings += recognition.load_gallery()
        self._findings += recognition.find_threshold()
        self._findings += rule_findings(self.loaded, recognition.gallery)
        self._findings += delivery_findings(self.loaded)
        box = read_hardware(existing_folder(Path(config.mqtt.outbox.path)))
        running = service()
        calibration = recognition.embedder.card.naming_calibration if recognition.embedder else None
        return DoctorReport(
            config=self._source,
            device_id=self.loaded.device_id,
            camera=describe(config.camera),
            broker=f"{config.mqtt.host}:{config.mqtt.port}{' with TLS' if config.mqtt.tls.enabled else ''}",
            software=_software(),
            networks=[_network(role.name, network) for role, network in recognition.networks.items()],
            calibration=_range(calibration) if calibration else None,
            gallery=_gallery(self.loaded.gallery_path, recognition.gallery) if recognition.gallery else None,
            deciding=_name_rule(config.match, recognition),
            box=box,
            service=running,
            problems=self._problems(),
            hints=[
                *self._warnings(),
                *(_few_templates(recognition.gallery) if recognition.gallery else []),
                *hardware_hints(box, config.models.threads),
                *firmware_hints(throttling(), clock_synchronised()),
                *(service_hints(running) if running else []),
                *_camera_hints(config.camera),
            ],
            exit_code=exit_code(finding.exit_code for finding in self._findings),
        )

    def _problems(self) -> list[str]:
        """Each once: networks may fail for the same reason."""
        return list(dict.fromkeys(_text(one) for one in self._findings if one.verdict is CheckStatus.FAILED))

    def _warnings(self) -> list[str]:
        return [_text(finding) for finding in self._findings if finding.verdict is CheckStatus.WARNING]


def _text(finding: Finding) -> str:
    return f"{finding.found}; {finding.advice}" if finding.advice else finding.found


def _few_templates(gallery: Gallery) -> list[str]:
    few = [person.name for person in gallery.people if len(person.templates) == 1]
    if not few:
        return []
    names = ", ".join(few[:FEW_SHOWN]) + (f" and {len(few) - FEW_SHOWN} more" if len(few) > FEW_SHOWN else "")
    return [f"only one template of {names}: enrol three to ten photos that differ, and recognition improves"]


def _camera_hints(camera: CameraSettings) -> list[str]:
    if text := notice(camera):
        # Not the fingerprint: this goes into reports, and search engines find cameras by it.
        return [f"{text}; `whosthere check` shows the fingerprint for camera.certificate_sha256"]
    if not camera.source.startswith("picamera2:") or util.find_spec("picamera2") is not None:
        return []
    cannot = "camera.source names a picamera2 camera, but this Python cannot import picamera2"
    return [f"{cannot}: apt install python3-picamera2, and make the virtual environment with --system-site-packages"]


def _software() -> Software:
    try:
        runtime = find_runtime()
        name = f"{runtime.package} {runtime.version}"
    except ModelError:
        # Reported when the networks are loaded.
        name = None
    packages = {"opencv": cv2.__version__} | {package: metadata.version(package) for package in PACKAGES}
    return Software(__version__, platform.python_version(), _system(), platform.machine(), name, packages)


def _system() -> str:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        name = platform.system()
    return f"{name}, kernel {platform.release()}"


def _network(role: str, network: Model) -> NetworkInfo:
    card = network.card
    return NetworkInfo(role, card.name, card.sha256, card.licence, card.origin)


def _range(calibration: Calibration) -> CalibrationRange:
    (s0, f0), (s1, f1) = calibration.points[0], calibration.points[-1]
    return CalibrationRange(calibration.data, len(calibration.points), (s0, s1), (f0, f1))


def _gallery(path: Path, gallery: Gallery) -> GalleryInfo:
    return GalleryInfo(str(path), gallery.header.version, len(gallery.people), len(gallery.embeddings))


def _name_rule(match: MatchSettings, recognition: Recognition) -> NameRule | None:
    threshold, embedder, gallery = recognition.threshold, recognition.embedder, recognition.gallery
    if threshold is None or embedder is None:
        return None
    templates = len(gallery.embeddings) if gallery else 0
    return NameRule(
        false_alarm_target=match.false_alarm_target,
        threshold=round(threshold.similarity, 4),
        from_calibration=threshold.calibrated,
        within_data=threshold.within_data,
        min_margin=name_margin(match, naming_scale(match, embedder.card)),
        at_other_targets=_at_other_targets(embedder.card.naming_calibration, templates),
    )


def _at_other_targets(calibration: Calibration | None, templates: int) -> list[TargetThreshold]:
    """The thresholds that other targets would mean; a match.threshold in config.yaml does not count here."""
    pairs = [(target, threshold_for(MatchSettings(target), calibration, templates)) for target in TARGETS]
    return [TargetThreshold(target, round(found.similarity, 4), found.within_data) for target, found in pairs if found]
