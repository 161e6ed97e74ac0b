"""The composition root: config -> a running daemon. The only place that picks classes and opens connections."""

import logging
import secrets
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edge.capture.registry import open_camera
from edge.capture.reopening import ReopeningCamera
from edge.config.camera import is_recording
from edge.config.loading import Config, LoadedConfig, load_config
from edge.config.sections import DoorbellSettings
from edge.daemon.controls import Controls
from edge.daemon.doorbell import Doorbell
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.gallery_manager import GalleryManager, describe
from edge.daemon.health import HealthReport
from edge.daemon.pipeline import Pipeline
from edge.daemon.signals import SignalInbox
from edge.daemon.system_stats import temperature_c
from edge.daemon.systemd import Notifier, log_event, reloading
from edge.daemon.thermal import ThermalThrottle
from edge.daemon.timings import Timings
from edge.daemon.watchdog import Watchdog
from edge.errors import WhosthereError
from edge.faces.loading import load_analyser
from edge.galleries.gallery import Gallery
from edge.mqtt.command_payloads import Pause, Reload, Request, Restart, Ring, Sensitivity, Snapshot
from edge.mqtt.commands import Reply
from edge.mqtt.payloads import DoorbellPayload, EventOrigin, Source, rfc3339
from edge.mqtt.publisher import MqttPublisher
from edge.records import Event
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds
from edge.visits.unknown_faces import UnknownFaces

log = logging.getLogger("whosthere.app")

TURN_S = 0.2
STOP_S = 10.0
TIDY_S = 600.0
RELOADABLE = {"gallery", "match"}


class App:
    """A daemon, from start to exit code."""

    def __init__(self, config_path: Path, notifier: Notifier) -> None:
        """Load and check everything that can be wrong before anything runs. Raises WhosthereError."""
        self._signals = SignalInbox((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        self._path = config_path
        self._notifier = notifier
        self._loaded = loaded = load_config(config_path)
        config = loaded.config
        self._timings = Timings()
        analyser = load_analyser(config.models, config.detect, config.quality, loaded.base)
        self._embedder = analyser.embedder
        self._known = GalleryManager(loaded, analyser.embedder, datetime.now(UTC))
        self._matcher = self._known.matcher
        camera = config.camera
        lossless = is_recording(camera.source) and not camera.realtime
        clock = None if lossless else time.monotonic
        self._publisher = MqttPublisher(config.mqtt, self._origin(), self._on_command, clock=clock)
        processor = FrameProcessor(
            analyser, self._matcher, linking_thresholds(analyser.embedder.calibration), config, visit_id, self._timings
        )
        source = ReopeningCamera(
            lambda: open_camera(camera),
            camera,
            self._on_camera,
            retry=not is_recording(camera.source),
            wait=self._wait_for_camera,
        )
        self._pipeline = Pipeline(
            source,
            processor,
            self._publisher,
            self._timings,
            lossless=lossless,
            max_fps=config.runtime.max_fps,
            on_event=self._on_event,
            on_ring=self._on_ring,
        )
        self._strangers = UnknownFaces(Path(config.strangers.path), config.strangers)
        self._controls = Controls()
        self.restart = False
        """Somebody asked for a new beginning: after `run` has returned, the process is to be replaced."""
        self._health = HealthReport(loaded, analyser, self._pipeline, self._publisher, self._timings)
        self._cooling = ThermalThrottle(config.runtime.cool_above_c)
        self._vigil = Watchdog(notifier, config.runtime.stall_s)
        self._reloading = threading.Lock()
        self._doorbell = self._wired(config.doorbell)

    def run(self) -> int:
        """Watch until told to stop, the recording ends or something fails; the exit code."""
        self._publisher.people(_people(self._matcher.gallery))
        self._publisher.start()
        self._pipeline.start()
        self._show_controls()
        try:
            self._turns()
        finally:
            self._vigil.end()
            # After STOPPING=1 systemd would end the process that follows this one in its place.
            self._notifier.notify(reloading() if self.restart else "STOPPING=1")
            if self._doorbell:
                self._doorbell.close()
            stopped = self._pipeline.stop(STOP_S)
            self._publisher.health(self._health.payload(self._matcher, stopping=True))
            self._publisher.stop(STOP_S)
            self._known.close()
        if any(received is not signal.SIGHUP for received in self._signals.wait(0)):
            self.restart = False
        if self._pipeline.failure is not None:
            raise self._pipeline.failure
        return 0 if stopped else 1

    def _turns(self) -> None:
        health_at = ready_at = tidy_at = 0.0
        while not (self._pipeline.finished or self.restart):
            for received in self._signals.wait(TURN_S):
                if received is not signal.SIGHUP:
                    log.info("%s: stopping", received.name)
                    return
                self.reload()
            self._watch_gallery()
            now = time.monotonic()
            heartbeats = {**self._pipeline.heartbeats, "publisher": self._publisher.heartbeat}
            self._vigil.update(heartbeats, lambda: self._health.status(self._matcher), now)
            if self._controls.tick(now):
                self._show_controls()
            self._pipeline.pace = self._cooling.update(temperature_c(), now)
            if now - health_at >= self._loaded.config.mqtt.health_interval_s:
                self._publisher.health(self._health.payload(self._matcher))
                health_at = now
            if now >= tidy_at:
                self._strangers.tidy(time.time())
                tidy_at = now + TIDY_S
            if not ready_at and self._settled:
                self._notifier.notify("READY=1")
                ready_at = now

    @property
    def _settled(self) -> bool:
        """Camera and broker have each been found, or their absence has been told."""
        seen = bool(self._pipeline.frames) or self._health.camera_online is False
        return seen and self._publisher.settled

    def reload(self) -> tuple[bool, str]:
        """Take gallery and thresholds anew; whatever is wrong with them, the old ones stay. Any thread."""
        with self._reloading:
            self._notifier.notify(reloading())
            try:
                answer = True, self._reload()
                log.info("reload: %s", answer[1])
            except WhosthereError as error:
                answer = False, f"refused, the old settings and gallery stay in force: {error}"
                log.error("reload %s", answer[1])
            self._notifier.notify("READY=1")
            return answer

    def _reload(self) -> str:
        loaded = load_config(self._path)
        matcher = self._known.reload(loaded, datetime.now(UTC))
        waiting = [name for name in _changed(self._loaded.config, loaded.config) if name not in RELOADABLE]
        self._use(matcher)
        kept = msgspec.structs.replace(self._loaded.config, gallery=loaded.config.gallery, match=loaded.config.match)
        self._loaded = LoadedConfig(kept, loaded.base)
        text = describe(matcher)
        return text + (f"; changes of {', '.join(waiting)} wait for a restart" if waiting else "")

    def _watch_gallery(self) -> None:
        """A file that was pushed or changed by other means, and consent that has run out, come into force."""
        if self._known.changed():
            self.reload()
            return
        with self._reloading:
            matcher = self._known.expire(datetime.now(UTC))
            if matcher is not None:
                self._use(matcher)
                log.info("somebody's time in the gallery has run out: %s", describe(matcher))

    def _use(self, matcher: Matcher) -> None:
        self._matcher = matcher
        self._publisher.origin = self._origin()
        self._publisher.people(_people(matcher.gallery))
        self._pipeline.use(matcher)
        self._show_controls()

    def _origin(self) -> EventOrigin:
        version = str(self._matcher.gallery.header.version)
        return EventOrigin(self._loaded.device_id, self._loaded.config.camera.name, self._embedder.name, version)

    def _on_camera(self, online: bool, reason: str) -> None:
        self._health.camera_online = online
        self._publisher.camera_state(online)
        self._notifier.notify(f"STATUS={reason}")

    def _on_event(self, event: Event) -> None:
        log_event(event)
        self._strangers.take(event, time.time())

    def _wait_for_camera(self, stop: threading.Event, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not stop.wait(min(TURN_S, max(0.0, deadline - time.monotonic()))) and time.monotonic() < deadline:
            self._pipeline.record_heartbeat()

    def _wired(self, settings: DoorbellSettings) -> Doorbell | None:
        if settings.pin is None:
            return None
        return Doorbell(settings, lambda: self._pipeline.ring("button"), time.monotonic)

    def _on_ring(self, source: Source, visit_id: str | None) -> None:
        device, at = self._loaded.device_id, rfc3339(time.time())
        self._publisher.ring(DoorbellPayload("ring", secrets.token_hex(8), device, source, visit_id, at))

    def _on_command(self, request: Request, reply: Reply) -> None:
        """Runs on the publisher's thread."""
        match request:
            case Reload():
                reply(*self.reload())
            case Snapshot():
                reply(*self._snapshot())
            case Sensitivity():
                reply(True, self._set_false_alarm_target(request.false_alarm_target))
            case Ring():
                self._pipeline.ring("command")
                reply(True, "rung")
            case Restart():
                # The answer first: from then on the publisher may be stopped.
                reply(True, "restarting")
                self.restart = True
            case Pause():
                reply(True, self._controls.pause(request.for_s, time.monotonic()))
                self._show_controls()
            case _:
                reply(True, self._controls.resume())
                self._show_controls()

    def _set_false_alarm_target(self, target: float) -> str:
        with self._reloading:
            self._use(self._known.set_false_alarm_target(target, datetime.now(UTC)))
        return f"false_alarm_target is {target:g} until the next start, threshold {self._matcher.threshold:.3f}"

    def _show_controls(self) -> None:
        self._pipeline.paused = self._controls.paused
        self._health.target = target = self._known.target
        self._publisher.controls(
            self._controls.payload(self._loaded.device_id, self._matcher, target, self._known.bounds)
        )

    def _snapshot(self) -> tuple[bool, str]:
        if not self._loaded.config.mqtt.snapshot.enabled:
            return False, "mqtt.snapshot.enabled is false in config.yaml: no picture leaves the box"
        frame = self._pipeline.last_frame
        if frame is None:
            return False, "the camera has not delivered a frame yet"
        self._publisher.snapshot(frame.image)
        return True, "sent"


def visit_id() -> str:
    """Sortable by time, unique across restarts."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _people(gallery: Gallery) -> list[tuple[str, str]]:
    return [(person.id, person.name) for person in gallery.people]


def _changed(old: Config, new: Config) -> list[str]:
    names = [field.name for field in msgspec.structs.fields(Config)]
    return [name for name in names if getattr(old, name) != getattr(new, name)]
