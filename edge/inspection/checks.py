"""All that can be found out about a config without running the daemon. Goes on after a failure."""

import os
import stat
from collections.abc import Iterator, Set
from pathlib import Path

from edge.config.loading import InvalidConfig, LoadedConfig, load_config
from edge.config.secret_file import read_secret
from edge.config.visits import MatchSettings
from edge.errors import ConfigError, GalleryError, ModelError
from edge.faces.embed import TfliteEmbedder
from edge.faces.loading import Role, assemble, check_compiled, edge_tpu, load_network, roles_in
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery, lookalikes
from edge.inspection.findings import Finding, failed, ok, skipped, strangers, warning
from edge.inspection.surroundings import broker_finding, camera_finding, outbox_finding
from edge.models.edgetpu import INSTALL
from edge.models.tflite import Model, find_runtime
from edge.mqtt.client import check_credentials
from edge.visits.thresholds import Threshold, threshold_in_force

CREDENTIALS = "CREDENTIALS_DIRECTORY"
PAIRS_SHOWN = 3
UNWANTED = "not checked, as asked"


class Checkup:
    """One pass over everything that a config.yaml names."""

    def __init__(self, config_path: Path, skip: Set[str] = frozenset()) -> None:
        """`skip` may hold `camera` and `broker`."""
        self._path = config_path
        self._skip = skip
        self._blocked: dict[str, str] = {}
        """Sections and checks, each with why it cannot be gone into."""
        self._embedder: TfliteEmbedder | None = None
        self._gallery: Gallery | None = None

    def findings(self) -> Iterator[Finding]:
        """One after another, as soon as it is known."""
        finding, loaded = self._config()
        yield finding
        if loaded is None:
            return
        yield from self._secrets(loaded)
        yield from self._models(loaded)
        yield from self._known(loaded)
        yield from self._threshold(loaded)
        yield self._camera(loaded)
        yield self._broker(loaded)
        yield self._outbox(loaded)

    def _config(self) -> tuple[Finding, LoadedConfig | None]:
        """With what is right in the config, so that the other checks can go on."""
        try:
            loaded = load_config(self._path)
        except InvalidConfig as error:
            self._blocked = dict.fromkeys(error.wrong, "cannot be checked: its section of the config has mistakes")
            return failed("config", error), error.sound
        except ConfigError as error:
            return failed("config", error), None
        return ok("config", f"{self._path}: every key is valid; this box is {loaded.device_id}"), loaded

    def _secrets(self, loaded: LoadedConfig) -> Iterator[Finding]:
        """Read, never shown. Nothing to say when there are none."""
        camera, mqtt = loaded.config.camera, loaded.config.mqtt
        for check, key, path in (
            ("camera", "camera.password_file", camera.password_file),
            ("broker", "mqtt.password_file", mqtt.password_file),
        ):
            if path is None:
                continue
            try:
                read_secret(path, key)
                yield _privacy(key, Path(os.path.expandvars(path)))
            except ConfigError as error:
                self._blocked[check] = "cannot be checked without its password"
                yield failed("secret", error, _credentials_advice(path))
        if "broker" not in self._blocked:
            try:
                check_credentials(mqtt)
            except ConfigError as error:
                self._blocked["broker"] = "cannot be checked without its certificates"
                yield failed("secret", error, _credentials_advice(mqtt.tls.key_file or ""))

    def _models(self, loaded: LoadedConfig) -> Iterator[Finding]:
        if why := self._blocked.get("models"):
            yield skipped("models", why)
            return
        try:
            find_runtime()
        except ModelError as error:
            yield failed("runtime", error)
            return
        networks: dict[Role, Model] = {}
        roles = roles_in(loaded.config.models)
        tpu = edge_tpu(loaded.config.models)
        for role in roles:
            try:
                network = load_network(loaded.config.models, role, loaded.base, tpu)
            except ModelError as error:
                yield failed(role.name, error)
                continue
            networks[role] = network
            yield ok(role.name, describe_network(network))
            yield from runtime_finding(network)
        if loaded.config.models.accelerator != "cpu":
            yield from idle_finding(list(networks.values()))
        if len(networks) == len(roles):
            try:
                if tpu.required:
                    check_compiled(networks)
                analyser = assemble(networks, loaded.config.detect, loaded.config.quality)
                self._embedder = analyser.embedder
            except ModelError as error:
                yield failed("models", error)

    def _known(self, loaded: LoadedConfig) -> Iterator[Finding]:
        if why := self._blocked.get("gallery"):
            yield skipped("gallery", why)
            return
        path = loaded.gallery_path
        try:
            known = self._embedder.id if self._embedder else None
            self._gallery = gallery = open_gallery(path, known, loaded.gallery_keys)
        except GalleryError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                yield warning("gallery", f"{path}: no gallery yet, so that everybody is unknown", _enroll(path))
            else:
                yield failed("gallery", error)
            return
        if gallery.people:
            yield ok("gallery", f"{path}: {describe_gallery(gallery)}")
        else:
            yield warning("gallery", f"{path}: holds nobody, so that everybody is unknown", _enroll(path))

    def _threshold(self, loaded: LoadedConfig) -> Iterator[Finding]:
        embedder = self._embedder
        if embedder is None:
            yield skipped("threshold", "cannot be told without the embedder")
            return
        if why := self._blocked.get("match"):
            yield skipped("threshold", why)
            return
        gallery = self._gallery or Gallery.empty(embedder.id, embedder.dimensions)
        try:
            threshold = threshold_in_force(loaded, embedder.card, gallery)
        except ModelError as error:
            yield failed("threshold", error)
            return
        yield threshold_finding(threshold, loaded.config.match, embedder, len(gallery.embeddings))
        yield from _lookalikes(gallery, threshold.similarity)

    def _camera(self, loaded: LoadedConfig) -> Finding:
        why = UNWANTED if "camera" in self._skip else self._blocked.get("camera")
        return skipped("camera", why) if why else camera_finding(loaded.config.camera)

    def _broker(self, loaded: LoadedConfig) -> Finding:
        why = UNWANTED if "broker" in self._skip else self._blocked.get("mqtt") or self._blocked.get("broker")
        return skipped("broker", why) if why else broker_finding(loaded.config.mqtt, loaded.device_id)

    def _outbox(self, loaded: LoadedConfig) -> Finding:
        why = self._blocked.get("mqtt")
        return skipped("outbox", why) if why else outbox_finding(loaded.config.mqtt.outbox)


def threshold_finding(threshold: Threshold, match: MatchSettings, embedder: TfliteEmbedder, templates: int) -> Finding:
    """Which similarity a name takes, and where it comes from."""
    calibration = embedder.calibration
    needed = f"a name takes a similarity of {threshold.similarity:.3f}"
    if calibration is None:
        advice = "calibrate it with `whosthere-converter calibrate`"
        return warning("threshold", f"{needed}, from match.threshold: {embedder.name} has no calibration", advice)
    if not threshold.calibrated:
        found = f"{needed}, from match.threshold, so that match.false_alarm_target is not used"
        return warning("threshold", found, f"remove match.threshold: {embedder.name} is calibrated")
    against = "one template" if templates <= 1 else f"{templates} templates"
    target = f"{strangers(match.false_alarm_target)} against {against}"
    if not threshold.within_data:
        reach = 1 - (1 - calibration.points[-1][1]) ** max(1, templates)
        found = f"{needed}, the strictest that was measured; {target} is rarer than the calibration's data can show"
        return warning("threshold", found, f"count on {strangers(reach)}, or set match.false_alarm_target to that")
    return ok("threshold", f"{needed}: {target}, by the calibration of {embedder.name}")


def describe_network(network: Model) -> str:
    """Name, hash, input and licence of a network whose file and shapes are its card's."""
    card = network.card
    _, height, width, _ = card.input.shape
    where = "; runs on the Edge TPU" if network.runs_on == "edgetpu" else ""
    return (
        f"{card.name}: sha256 {card.sha256[:12]}... and shapes are those of its card; input {width} x {height}{where}"
    )


def idle_finding(networks: list[Model]) -> Iterator[Finding]:
    """Nothing to say unless a network waits for an Edge TPU that does not answer."""
    idle = [network.card.name for network in networks if network.for_edge_tpu and network.runs_on == "cpu"]
    if idle:
        advice = f"plug it in, or {INSTALL}; while whosthere runs as a service it holds the device"
        yield warning("accelerator", f"{', '.join(idle)}: compiled for an Edge TPU, but none answers", advice)


def runtime_finding(network: Model) -> Iterator[Finding]:
    """Nothing to say unless the runtime is slow with just this network."""
    if network.slow_runtime:
        found = (
            f"{network.card.name}: {network.slow_runtime} leaves int8 to slow kernels: 1.4 to 7 times float32's time"
        )
        advice = (
            "pip install 'whosthere[litert]' on a 64-bit box; or set models.embedder to mobilefacenet, and enrol again"
        )
        yield warning("runtime", found, advice)


def describe_gallery(gallery: Gallery) -> str:
    """`3 people, 7 templates, version 4`."""
    people, templates = len(gallery.people), len(gallery.embeddings)
    noun = "person" if people == 1 else "people"
    plural = "" if templates == 1 else "s"
    return f"{people} {noun}, {templates} template{plural}, version {gallery.header.version}"


def _lookalikes(gallery: Gallery, threshold: float) -> Iterator[Finding]:
    pairs = lookalikes(gallery, threshold)
    for one, other, similarity in pairs[:PAIRS_SHOWN]:
        found = f"{one.name} and {other.name} look alike to the embedder: similarity {similarity:.2f}"
        advice = "they will often be `uncertain`; is a photo of the wrong person? Otherwise enrol more of both"
        yield warning("gallery", found, advice)
    if len(pairs) > PAIRS_SHOWN:
        more = f"{len(pairs) - PAIRS_SHOWN} more pairs of people look alike"
        yield warning("gallery", more, "`whosthere gallery verify` lists them")


def _enroll(path: Path) -> str:
    return f"make one with `whosthere enroll --gallery {path} --person NAME PHOTO...`"


def _privacy(key: str, path: Path) -> Finding:
    if path.stat().st_mode & stat.S_IROTH:
        return warning("secret", f"{key}: every user of this box can read {path}", f"chmod o-rwx {path}")
    return ok("secret", f"{key}: {path} holds one")


def _credentials_advice(path: str) -> str:
    if f"${CREDENTIALS}" not in path.replace("{", "") or CREDENTIALS in os.environ:
        return ""
    return f"systemd sets {CREDENTIALS} for the service alone: to check by hand, set it to the folder of the secrets"
