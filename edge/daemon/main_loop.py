"""What the main thread does while the others watch: signals, the watchdog, health and the CPU's temperature.

It comes round when one of these is due, about once a second, and when another thread wakes it through the signals'
inbox. Nothing slow belongs here.
"""

import logging
import signal
import time

from edge.daemon.controls import Controls
from edge.daemon.health import HealthReport
from edge.daemon.pipeline import Pipeline
from edge.daemon.reloader import Reloader
from edge.daemon.signals import SignalInbox
from edge.daemon.system_stats import temperature_c
from edge.daemon.systemd import Notifier
from edge.daemon.thermal import ThermalThrottle
from edge.daemon.watchdog import Watchdog
from edge.mqtt.publisher import MqttPublisher

log = logging.getLogger("whosthere.app")

STARTING_S = 0.2
"""How often to look whether the daemon has started."""


class MainLoop:
    """Runs until the daemon should stop."""

    def __init__(
        self,
        signals: SignalInbox,
        notifier: Notifier,
        pipeline: Pipeline,
        publisher: MqttPublisher,
        reloader: Reloader,
        controls: Controls,
        health: HealthReport,
        watchdog: Watchdog,
        thermal: ThermalThrottle,
        health_interval_s: float,
    ) -> None:
        self._signals = signals
        self._notifier = notifier
        self._pipeline = pipeline
        self._publisher = publisher
        self._reloader = reloader
        self._controls = controls
        self._health = health
        self._watchdog = watchdog
        self._thermal = thermal
        self._health_interval_s = health_interval_s
        self._health_at = float("-inf")

    def run(self) -> None:
        """Return when a signal or a command asks for it, the recording has ended, or a thread has failed."""
        while not (self._pipeline.finished or self._reloader.failure or self._controls.restart_requested):
            for received in self._signals.wait(self._patience_s(time.monotonic())):
                if received is not signal.SIGHUP:
                    log.info("%s: stopping", received.name)
                    return
                self._reloader.request_reload()
            self._turn(time.monotonic())

    def _turn(self, now: float) -> None:
        heartbeats = {**self._pipeline.heartbeats, "publisher": self._publisher.heartbeat}
        self._watchdog.update(heartbeats, self._health.status, now)
        self._controls.tick(now)
        self._pipeline.pace = self._thermal.update(temperature_c(), now)
        if now - self._health_at >= self._health_interval_s:
            self._publisher.health(self._health.payload())
            self._health_at = now
        if not self._reloader.service_is_ready and self._settled:
            self._notifier.notify("READY=1")
            self._reloader.service_is_ready = True

    def _patience_s(self, now: float) -> float:
        """How long nothing is due."""
        if not self._reloader.service_is_ready:
            return STARTING_S
        health_s = max(0.0, self._health_at + self._health_interval_s - now)
        return min(self._watchdog.due_in_s(now), self._controls.due_in_s(now), health_s)

    @property
    def _settled(self) -> bool:
        """Whether camera and broker have each been found, or their absence has been logged."""
        seen = bool(self._pipeline.frames) or self._health.camera_online is False
        return seen and self._publisher.settled
