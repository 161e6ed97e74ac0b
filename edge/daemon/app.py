"""The composition root: config -> a running daemon. The only place that picks classes and opens connections."""

import secrets
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2

from edge.capture.registry import open_camera
from edge.capture.reopening import ReopeningCamera
from edge.config.camera import is_recording
from edge.config.loading import LoadedConfig, load_config
from edge.config.sections import DoorbellSettings
from edge.daemon.controls import Controls
from edge.daemon.diary_thread import DiaryThread
from edge.daemon.doorbell import Doorbell
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.gallery_manager import GalleryManager
from edge.daemon.health import HealthReport
from edge.daemon.link_thread import LinkThread
from edge.daemon.main_loop import MainLoop
from edge.daemon.metrics_report import MetricsReport
from edge.daemon.notifications import Notifications
from edge.daemon.page_address import CurrentPage
from edge.daemon.pipeline import Pipeline
from edge.daemon.reloader import Reloader
from edge.daemon.signals import SignalInbox
from edge.daemon.stranger_threads import strangers_thread, unknown_faces_thread
from edge.daemon.systemd import Notifier, log_event, reloading
from edge.daemon.thermal import ThermalThrottle
from edge.daemon.timings import Timings
from edge.daemon.watchdog import Watchdog
from edge.events import ChallengeUpdate, Event
from edge.faces.analyser import Analyser
from edge.faces.loading import load_analyser
from edge.metrics.counters import VisitCounters
from edge.mqtt.challenge_payload import ChallengePayload, challenge_payload
from edge.mqtt.command_payloads import Request
from edge.mqtt.commands import Reply
from edge.mqtt.home_assistant.entity import BoxFeatures
from edge.mqtt.payloads import DoorbellPayload, Source, rfc3339
from edge.mqtt.publisher import MqttPublisher
from edge.mqtt.visit_payloads import EventOrigin
from edge.visits.matcher import Matcher
from edge.visits.stranger_keeper import StrangerKeeper
from edge.visits.strangers import watch_strangers
from edge.visits.thresholds import linking_thresholds, similarity_scale

STOP_S = 10.0
BACKGROUND_STOP_S = 5.0


class App:
    """A daemon, from start to exit code."""

    def __init__(self, config_path: Path, notifier: Notifier) -> None:
        """Load and check everything that can be wrong before anything runs. Raises WhosthereError."""
        # Its pool would wake up for each frame wider than the preview, and save no CPU time.
        cv2.setNumThreads(1)
        self._signals = SignalInbox((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
        self._notifier = notifier
        self._loaded = loaded = load_config(config_path)
        config = loaded.config
        timings = Timings()
        analyser = load_analyser(config.models, config.detect, config.quality, loaded.base)
        self._embedder = analyser.embedder
        self._gallery = GalleryManager(loaded, analyser.embedder, datetime.now(UTC))
        clock = None if _lossless(loaded) else time.monotonic
        page = CurrentPage(config.web)
        self._publisher = MqttPublisher(
            config.mqtt,
            self._origin(),
            self._on_command,
            clock=clock,
            on_stored=log_event,
            features=BoxFeatures(config.strangers.group, lambda: page.address),
        )
        self._unknown_faces = unknown_faces_thread(loaded)
        self._diary = DiaryThread(
            loaded, self._gallery, analyser.embedder.name, lambda: self._publisher.clock_set, clock
        )
        self._notifications = Notifications(
            loaded,
            self._gallery,
            self._origin,
            lambda: self._publisher.clock_set,
            clock,
            page.of_visit,
        )
        self._counters = VisitCounters()
        self._link = LinkThread(loaded, analyser, self._publisher, clock)
        self._stranger_watch = watch_strangers(loaded, analyser.embedder.card)
        self._stranger_keeper = StrangerKeeper(
            config.strangers,
            analyser.embedder.id.sha256,
            self._stranger_watch,
            self._gallery.matcher,
            lambda: self._publisher.clock_set,
        )
        self._strangers = strangers_thread(self._stranger_keeper)
        self._pipeline = self._new_pipeline(analyser, timings)
        self._reloader = Reloader(
            config_path, loaded, self._gallery, notifier, self._use, page.update, self._signals.wake
        )
        self._controls = Controls(
            loaded, self._pipeline, self._publisher, self._gallery, self._reloader, self._signals.wake
        )
        self._health = HealthReport(
            loaded,
            analyser,
            self._gallery,
            self._pipeline,
            self._publisher,
            timings,
            lambda: self._diary.health,
            self._stranger_keeper,
        )
        self._metrics = MetricsReport(self._health, self._publisher, timings, self._counters, self._notifications)
        self._watchdog = Watchdog(notifier, config.runtime.stall_s)
        self._doorbell = self._new_doorbell(config.doorbell)

    @property
    def restart(self) -> bool:
        """Whether the process should be replaced after `run` has returned."""
        return self._controls.restart_requested

    def run(self) -> int:
        """Watch until asked to stop, the recording ends or something fails; the exit code."""
        self._publisher.people(_people(self._gallery.matcher))
        self._publisher.start()
        self._unknown_faces.start()
        self._diary.start()
        self._strangers.start()
        self._notifications.start()
        self._link.start(self._controls, self._health, self._gallery, self._metrics)
        self._pipeline.start()
        self._reloader.start()
        self._controls.publish()
        try:
            self._main_loop().run()
        finally:
            stopped = self._stop()
        if any(received is not signal.SIGHUP for received in self._signals.wait(0)):
            self._controls.restart_requested = False
        failure = self._pipeline.failure or self._reloader.failure
        if failure is not None:
            raise failure
        return 0 if stopped else 1

    def _main_loop(self) -> MainLoop:
        config = self._loaded.config
        return MainLoop(
            self._signals,
            self._notifier,
            self._pipeline,
            self._publisher,
            self._reloader,
            self._controls,
            self._health,
            self._watchdog,
            ThermalThrottle(config.runtime.cool_above_c),
            config.mqtt.health_interval_s,
        )

    def _stop(self) -> bool:
        """End visits, publish what can be published, and stop the threads; whether none of them hangs."""
        self._watchdog.end()
        self._reloader.stop()
        # After STOPPING=1 systemd would end the process that follows this one in its place.
        self._notifier.notify(reloading() if self.restart else "STOPPING=1")
        if self._doorbell:
            self._doorbell.close()
        stopped = self._pipeline.stop(STOP_S)
        self._link.stop(BACKGROUND_STOP_S)
        self._publisher.health(self._health.payload(stopping=True))
        self._publisher.stop(STOP_S)
        self._unknown_faces.stop(BACKGROUND_STOP_S)
        self._diary.stop(BACKGROUND_STOP_S)
        self._strangers.stop(BACKGROUND_STOP_S)
        self._notifications.stop(BACKGROUND_STOP_S)
        self._gallery.close()
        return stopped

    def _new_pipeline(self, analyser: Analyser, timings: Timings) -> Pipeline:
        loaded, config = self._loaded, self._loaded.config
        scale = similarity_scale(config.match, analyser.embedder.card)
        linking = linking_thresholds(scale, analyser.embedder.infrared_calibration)
        return Pipeline(
            ReopeningCamera(
                lambda: open_camera(config.camera),
                config.camera,
                self._on_camera,
                retry=not is_recording(config.camera.source),
                wait=self._wait_for_camera,
            ),
            FrameProcessor(analyser, self._gallery.matcher, linking, config, visit_id, timings),
            timings,
            lossless=_lossless(loaded),
            max_fps=config.runtime.max_fps,
            subscribers=[
                self._publisher.publish,
                self._unknown_faces.on_event,
                self._strangers.on_event,
                self._diary.on_event,
                self._notifications.on_event,
                self._counters.on_event,
                self._link.on_event,
            ],
            mark=self._mark,
            on_ring=self._on_ring,
            on_challenge=self._on_challenge,
            on_frame=self._link.on_frame,
            wants_all=lambda: self._link.guiding,
            on_end=self._signals.wake,
        )

    def _new_doorbell(self, settings: DoorbellSettings) -> Doorbell | None:
        if settings.pin is None:
            return None
        return Doorbell(settings, lambda: self._pipeline.ring("button"), time.monotonic)

    def _use(self, matcher: Matcher) -> None:
        """Match against another gallery or threshold from now on. Runs on the reloader's thread."""
        self._publisher.origin = self._origin()
        self._publisher.people(_people(matcher))
        self._pipeline.use(matcher)
        self._stranger_keeper.matcher = matcher
        if self._stranger_watch is not None:
            self._stranger_watch.target = self._gallery.target
        self._controls.publish()

    def _origin(self) -> EventOrigin:
        version = str(self._gallery.matcher.gallery.header.version)
        return EventOrigin(self._loaded.device_id, self._loaded.config.camera.name, self._embedder.name, version)

    def _mark(self, event: Event) -> Event:
        """Runs on the inference thread."""
        return self._stranger_watch.mark(event, time.time()) if self._stranger_watch else event

    def _on_camera(self, online: bool, reason: str) -> None:
        """Runs on the capture thread."""
        self._health.camera_online = online
        self._publisher.camera_state(online)
        self._notifier.notify(f"STATUS={' '.join(reason.split())}")

    def _wait_for_camera(self, stop: threading.Event, seconds: float) -> None:
        self._pipeline.wait_for_camera(stop, seconds)

    def _on_command(self, request: Request, reply: Reply) -> None:
        """Runs on the publisher's thread."""
        self._controls.on_command(request, reply)

    def _on_ring(self, source: Source, visit_id: str | None) -> None:
        """Runs on the inference thread."""
        device, at = self._loaded.device_id, rfc3339(time.time())
        payload = DoorbellPayload("ring", secrets.token_hex(8), device, source, visit_id, at)
        self._at_once(payload)
        self._counters.on_ring()
        frame = self._pipeline.last_frame
        self._notifications.on_ring(payload, frame.image if frame else None)

    def _on_challenge(self, update: ChallengeUpdate, ago_s: float) -> None:
        """Runs on the inference thread."""
        self._at_once(challenge_payload(update, self._loaded.device_id, time.time() - ago_s))

    def _at_once(self, payload: DoorbellPayload | ChallengePayload) -> None:
        self._publisher.at_once(payload)
        self._link.at_once(payload)


def visit_id() -> str:
    """A new id that sorts by time and is unique across restarts."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _lossless(loaded: LoadedConfig) -> bool:
    """Whether every frame counts: for a recording that is not replayed in real time."""
    return is_recording(loaded.config.camera.source) and not loaded.config.camera.realtime


def _people(matcher: Matcher) -> list[tuple[str, str]]:
    return [(person.id, person.name) for person in matcher.gallery.people]
