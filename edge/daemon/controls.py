"""What can be set or asked for from outside while the daemon runs.

To add a control: write its request in `mqtt.command_payloads`, then a method and a line in `Controls` here. Something
that should be seen as well gets a field in `ControlsPayload`, and an entity in `mqtt.home_assistant`.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Any

from edge.config.loading import LoadedConfig
from edge.daemon.gallery_manager import GalleryManager
from edge.daemon.pause import PauseTimer
from edge.daemon.pipeline import Pipeline
from edge.daemon.reloader import Reloader
from edge.mqtt.command_payloads import (
    ChallengeCommand,
    Pause,
    Reload,
    Request,
    Restart,
    Resume,
    Ring,
    Sensitivity,
    Snapshot,
)
from edge.mqtt.commands import Reply
from edge.mqtt.payloads import ControlsPayload, rfc3339, rounded_inwards
from edge.mqtt.publisher import MqttPublisher
from edge.visits.challenge_runner import AskedChallenge


class Controls:
    """Carries requests out, and publishes what is set. Any thread; nothing blocks."""

    def __init__(
        self,
        loaded: LoadedConfig,
        pipeline: Pipeline,
        publisher: MqttPublisher,
        gallery: GalleryManager,
        reloader: Reloader,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        """`wake` lets the main thread see at once that a restart was requested, or when a pause ends."""
        self.restart_requested = False
        """Whether the process should be replaced once it has stopped."""
        self._device_id = loaded.device_id
        self._snapshots = loaded.config.mqtt.snapshot.enabled
        self._pipeline = pipeline
        self._publisher = publisher
        self._gallery = gallery
        self._reloader = reloader
        self._wake = wake
        self._pause_timer = PauseTimer()
        self._publishing = threading.Lock()
        self._actions: dict[type[Request], Callable[[Any, Reply], None]] = {
            Pause: self._pause,
            Resume: self._resume,
            Reload: self._reload,
            Restart: self._restart,
            Snapshot: self._snapshot,
            Sensitivity: self._set_sensitivity,
            Ring: self._ring,
            ChallengeCommand: self._challenge,
        }

    def on_command(self, request: Request, reply: Reply) -> None:
        """Carry a request out, or begin to, and reply when it is done."""
        self._actions[type(request)](request, reply)

    def tick(self, now: float) -> None:
        """End a pause whose time is up; `now` is monotonic seconds."""
        if self._pause_timer.tick(now):
            self.publish()

    def due_in_s(self, now: float) -> float:
        """When `tick` has something to do; infinite: no pause will end."""
        left_s = self._pause_timer.left_s(now)
        return math.inf if left_s is None else max(0.0, left_s)

    def publish(self) -> None:
        """Apply the controls and publish them, after every change of one, of the gallery or of the threshold."""
        # One at a time: the last message, which is retained, must hold the last state.
        with self._publishing:
            self._pipeline.paused = self._pause_timer.paused
            self._publisher.controls(self.payload())

    def payload(self) -> ControlsPayload:
        """What is set now."""
        left_s, bounds = self._pause_timer.left_s(time.monotonic()), self._gallery.bounds
        low, high = (None, None) if bounds is None else rounded_inwards(bounds.low, bounds.high)
        return ControlsPayload(
            device_id=self._device_id,
            paused=self._pause_timer.paused,
            paused_until=None if left_s is None else rfc3339(time.time() + left_s),
            false_alarm_target=self._gallery.target,
            false_alarm_min=low,
            false_alarm_max=high,
            threshold=round(self._gallery.matcher.threshold, 4),
        )

    def _pause(self, request: Pause, reply: Reply) -> None:
        text = self._pause_timer.pause(request.for_s, time.monotonic())
        self.publish()
        self._wake()
        reply(True, text)

    def _resume(self, request: Resume, reply: Reply) -> None:
        text = self._pause_timer.resume()
        self.publish()
        reply(True, text)

    def _reload(self, request: Reload, reply: Reply) -> None:
        self._reloader.request_reload(reply)

    def _set_sensitivity(self, request: Sensitivity, reply: Reply) -> None:
        self._reloader.request_target(request.false_alarm_target, reply)

    def _ring(self, request: Ring, reply: Reply) -> None:
        self._pipeline.ring("command")
        reply(True, "rung")

    def _challenge(self, request: ChallengeCommand, reply: Reply) -> None:
        self._pipeline.challenge(AskedChallenge(request.visit_id, request.turns, request.within_s), reply)

    def _restart(self, request: Restart, reply: Reply) -> None:
        # The reply first: from then on the publisher may be stopped.
        reply(True, "restarting")
        self.restart_requested = True
        self._wake()

    def _snapshot(self, request: Snapshot, reply: Reply) -> None:
        frame = self._pipeline.last_frame
        if not self._snapshots:
            reply(False, "mqtt.snapshot.enabled is false in config.yaml: no picture leaves the box over MQTT")
        elif frame is None:
            reply(False, "the camera has not delivered a frame yet")
        else:
            self._publisher.snapshot(frame.image)
            reply(True, "sent")
