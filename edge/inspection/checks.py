"""Everything that can be found out about a config without running the daemon. Goes on after a failure."""

import os
import stat
from collections.abc import Iterator, Set
from pathlib import Path

from edge.config.loading import LoadedConfig
from edge.config.secret_file import read_secret
from edge.errors import ConfigError
from edge.inspection.findings import Finding, failed, ok, skipped, warning
from edge.inspection.loading import Recognition, read_config
from edge.inspection.notify_findings import connection_findings, rule_findings
from edge.inspection.recognition_findings import lookalike_findings
from edge.inspection.surroundings import broker_finding, camera_finding, outbox_finding
from edge.models.measure import measure_of
from edge.mqtt.client import check_credentials

CREDENTIALS = "CREDENTIALS_DIRECTORY"
UNWANTED = "not checked, as asked"
WRONG_SECTION = "cannot be checked: its section of the config has mistakes"


class Checkup:
    """One pass over everything that a config.yaml names."""

    def __init__(self, config_path: Path, skip: Set[str] = frozenset()) -> None:
        """`skip` may hold `camera`, `broker` and `notify`."""
        self._path = config_path
        self._blocked = dict.fromkeys(skip, UNWANTED)
        """Checks and sections that are left out -> why."""

    def findings(self) -> Iterator[Finding]:
        """Each finding as soon as it is known."""
        finding, loaded, wrong = read_config(self._path)
        self._blocked = dict.fromkeys(wrong, WRONG_SECTION) | self._blocked
        yield finding
        if loaded is None:
            return
        yield from self._secrets(loaded)
        recognition = Recognition(loaded)
        yield from self._recognition(recognition)
        yield self._skipped("camera") or camera_finding(loaded.config.camera)
        yield self._skipped("broker", "mqtt") or broker_finding(loaded.config.mqtt, loaded.device_id)
        if left_out := self._skipped("notify"):
            yield left_out
        else:
            yield from connection_findings(loaded)
            yield from rule_findings(loaded, recognition.gallery)
        yield self._skipped("outbox", "mqtt") or outbox_finding(loaded.config.mqtt.outbox)

    def _recognition(self, recognition: Recognition) -> Iterator[Finding]:
        if left_out := self._skipped("models"):
            yield left_out
        else:
            yield from recognition.load_networks()
        if left_out := self._skipped("gallery"):
            yield left_out
        else:
            yield from recognition.load_gallery()
        if recognition.embedder is None:
            yield skipped("threshold", "unknown without the embedder")
        elif left_out := self._skipped("threshold", "match"):
            yield left_out
        else:
            yield from recognition.find_threshold()
        if recognition.gallery and recognition.threshold and recognition.embedder:
            measure = measure_of(recognition.embedder.card)
            yield from lookalike_findings(recognition.gallery, recognition.threshold.similarity, measure)

    def _skipped(self, check: str, section: str = "") -> Finding | None:
        """A finding that says why a check is left out; None: it is not."""
        why = self._blocked.get(check) or self._blocked.get(section)
        return skipped(check, why) if why else None

    def _secrets(self, loaded: LoadedConfig) -> Iterator[Finding]:
        """Every file with a secret is read, and never shown. Without such files there is nothing to say."""
        camera, mqtt, unreadable = loaded.config.camera, loaded.config.mqtt, set()
        for check, key, path in (
            ("camera", "camera.password_file", camera.password_file),
            ("broker", "mqtt.password_file", mqtt.password_file),
            *(("notify", key, path) for key, path in loaded.config.notify.secrets.items()),
        ):
            if path is None:
                continue
            try:
                read_secret(path, key)
                yield _permissions(key, Path(os.path.expandvars(path)))
            except ConfigError as error:
                unreadable.add(check)
                self._blocked.setdefault(check, "cannot be checked without its secret")
                yield failed("secret", error, _credentials_advice(path))
        if "broker" not in unreadable:
            try:
                check_credentials(mqtt)
            except ConfigError as error:
                self._blocked.setdefault("broker", "cannot be checked without its certificates")
                yield failed("secret", error, _credentials_advice(mqtt.tls.key_file or ""))


def _permissions(key: str, path: Path) -> Finding:
    if path.stat().st_mode & stat.S_IROTH:
        return warning("secret", f"{key}: every user of this box can read {path}", f"chmod o-rwx {path}")
    return ok("secret", f"{key}: {path} holds one")


def _credentials_advice(path: str) -> str:
    if f"${CREDENTIALS}" not in path.replace("{", "") or CREDENTIALS in os.environ:
        return ""
    return f"systemd sets {CREDENTIALS} for the service alone; to check by hand, set it to the folder of the secrets"
