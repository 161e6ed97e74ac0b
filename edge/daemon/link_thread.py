"""The socket for the web page as a part of the daemon: what it says about itself, and who hears about visits."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge import __version__
from edge.config.loading import LoadedConfig
from edge.daemon.controls import Controls
from edge.daemon.gallery_manager import GalleryManager
from edge.daemon.guidance import Guidance, Say
from edge.daemon.health import HealthReport
from edge.daemon.metrics_report import MetricsReport
from edge.daemon.timings import FrameRate
from edge.events import Event
from edge.faces.analyser import Analyser
from edge.frame import Frame
from edge.link.live_view import LiveView
from edge.link.protocol import AskGuide, ChallengeNews, Hello, RingNews, VisitNews
from edge.link.server import LinkServer
from edge.mqtt.challenge_payload import ChallengePayload
from edge.mqtt.payloads import DoorbellPayload, HealthPayload, State
from edge.mqtt.publisher import MqttPublisher
from edge.mqtt.visit_payloads import visit_payload
from edge.sightings import SeenFace


class LinkThread:
    """Serves the socket, unless the owner wants none."""

    def __init__(
        self, loaded: LoadedConfig, analyser: Analyser, publisher: MqttPublisher, clock: Callable[[], float] | None
    ) -> None:
        """`clock` is that of `Event.at`; None: a recording's own time."""
        self._view = LiveView(loaded.config.quality, recording=clock is None)
        self._guidance = Guidance(loaded, analyser)
        self._loaded = loaded
        self._publisher = publisher
        self._clock = clock
        self._server: LinkServer | None = None

    def start(self, controls: Controls, health: HealthReport, gallery: GalleryManager, metrics: MetricsReport) -> None:
        settings = self._loaded.config.link
        if settings.enabled:
            hello = Hello(self._loaded.device_id, __version__)
            box = _Box(controls, health, gallery, self._guidance, metrics)
            self._server = LinkServer(Path(settings.path), hello, self._view, box)
            self._server.start()

    def stop(self, timeout_s: float) -> None:
        if self._server:
            self._server.stop(timeout_s)

    @property
    def guiding(self) -> bool:
        """Whether somebody is being enrolled: then each frame belongs on the inference thread."""
        return self._guidance.under_way

    def on_frame(self, frame: Frame, faces: Sequence[SeenFace]) -> None:
        """Runs on the inference thread, or in its place while it rests."""
        self._view.offer(frame, faces)
        self._guidance.on_frame(frame)

    def on_event(self, event: Event) -> None:
        """Runs on the inference thread."""
        if self._server:
            age = max(self._clock() - event.at, 0.0) if self._clock else 0.0
            offset, origin, clock_set = time.time() - age - event.at, self._publisher.origin, self._publisher.clock_set
            self._server.tell(VisitNews(visit_payload(event, wall_offset=offset, origin=origin, clock_set=clock_set)))

    def at_once(self, payload: DoorbellPayload | ChallengePayload) -> None:
        """Somebody rang, or a challenge got further. Runs on the inference thread."""
        if self._server:
            self._server.tell(RingNews(payload) if isinstance(payload, DoorbellPayload) else ChallengeNews(payload))


class _Box:
    """What the server may ask, on its own thread."""

    def __init__(
        self,
        controls: Controls,
        health: HealthReport,
        gallery: GalleryManager,
        guidance: Guidance,
        metrics: MetricsReport,
    ) -> None:
        self._health = health
        self._gallery = gallery
        self._guidance = guidance
        self._rate = FrameRate()
        self.controls = controls.payload
        self.command = controls.on_command
        self.metrics = metrics.snapshot

    @property
    def state(self) -> State:
        return self._health.state

    def health(self) -> HealthPayload:
        return self._health.payload(rate=self._rate)

    def guide(self, asked: AskGuide, say: Say) -> Callable[[], None]:
        return self._guidance.begin(asked, self._gallery.matcher.gallery, say)
