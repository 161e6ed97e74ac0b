"""How the daemon is doing, for the health topic and systemd's status line."""

import time
from collections.abc import Callable
from pathlib import Path

from edge import __version__
from edge.config.loading import LoadedConfig
from edge.daemon.gallery_manager import GalleryManager
from edge.daemon.pending_updates import software_version
from edge.daemon.pipeline import Pipeline
from edge.daemon.system_stats import disk_free_mb, memory_mb, temperature_c, throttling
from edge.daemon.timings import FrameRate, Spread, Timings
from edge.faces.analyser import Analyser
from edge.models.tflite import find_runtime
from edge.mqtt.payloads import (
    DiaryHealth,
    GalleryHealth,
    HealthPayload,
    ModelHealth,
    SoftwareHealth,
    StageLatency,
    State,
    StrangersHealth,
    rfc3339,
)
from edge.mqtt.publisher import MqttPublisher
from edge.terminal import plural
from edge.visits.stranger_keeper import StrangerKeeper

NO_BROKER = "no broker"
STALE = "last frame"
STALE_S = 3.0
"""The status mentions the age of the last frame from here on."""


class HealthReport:
    """Gathers what each part reports about itself."""

    def __init__(
        self,
        loaded: LoadedConfig,
        analyser: Analyser,
        gallery: GalleryManager,
        pipeline: Pipeline,
        publisher: MqttPublisher,
        timings: Timings,
        diary: Callable[[], DiaryHealth | None],
        strangers: StrangerKeeper,
    ) -> None:
        self.camera_online: bool | None = None
        """None: neither a frame nor a failure so far."""
        runtime = find_runtime()
        self._loaded = loaded
        self._analyser = analyser
        self._runtime = f"{runtime.package} {runtime.version}"
        self._gallery = gallery
        self._pipeline = pipeline
        self._publisher = publisher
        self._timings = timings
        self._diary = diary
        self._strangers = strangers
        self._began = time.monotonic()
        self._rate = FrameRate()

    def payload(self, *, stopping: bool = False, rate: FrameRate | None = None) -> HealthPayload:
        """The health message as of now, with frames per second since the last call; by `rate`, since its own."""
        matcher = self._gallery.matcher
        header = matcher.gallery.header
        temperature, limits, age = temperature_c(), throttling(), self._pipeline.frame_age_s
        return HealthPayload(
            device_id=self._loaded.device_id,
            at=rfc3339(time.time()),
            uptime_s=int(time.monotonic() - self._began),
            state="stopping" if stopping else self.state,
            camera_online=bool(self.camera_online),
            fps=round((rate or self._rate).per_s(self._pipeline.frames), 2),
            frame_age_s=None if age is None else round(age, 1),
            latency={stage: _milliseconds(spread) for stage, spread in self._timings.spreads().items()},
            frames=self._pipeline.frames,
            frames_dropped=self._pipeline.dropped,
            visits=self._pipeline.visits,
            outbox=self._publisher.outbox_health,
            temperature_c=None if temperature is None else round(temperature, 1),
            throttled=limits.throttled if limits else None,
            under_voltage=limits.under_voltage if limits else None,
            memory_mb=round(memory_mb(), 1),
            disk_free_mb=disk_free_mb(Path(self._loaded.config.mqtt.outbox.path).parent),
            threshold=round(matcher.threshold, 4),
            false_alarm_target=self._gallery.target,
            gallery=GalleryHealth(
                version=str(header.version),
                people=len(header.people),
                templates=len(matcher.gallery.embeddings),
                on_disk=self._gallery.version_on_disk,
            ),
            model=self._models(),
            software=SoftwareHealth(__version__, software_version()),
            clock_set=self._publisher.clock_set,
            diary=self._diary(),
            strangers=self._strangers_kept(),
        )

    @property
    def state(self) -> State:
        if self.camera_online is None:
            return "starting"
        if not self.camera_online:
            return "no_camera"
        return "paused" if self._pipeline.paused else "watching"

    def status(self) -> str:
        """One line for `systemctl status`."""
        age, people = self._pipeline.frame_age_s or 0.0, len(self._gallery.matcher.gallery.people)
        facts = (
            self.state,
            f"{people} {'person' if people == 1 else 'people'} known",
            f"{plural(self._pipeline.visits, 'visit')}",
            f"{STALE} {age:.0f} s ago" if age >= STALE_S else "",
            "broker connected" if self._publisher.connected else NO_BROKER,
        )
        return ", ".join(fact for fact in facts if fact)

    def _models(self) -> ModelHealth:
        return ModelHealth(
            embedder=self._analyser.embedder.name,
            detector=self._loaded.config.models.detector,
            runtime=self._runtime,
            edge_tpu=[network.card.name for network in self._analyser.networks if network.runs_on == "edgetpu"],
        )

    def _strangers_kept(self) -> StrangersHealth | None:
        keeper = self._strangers
        grouped = self._loaded.config.strangers.group
        return StrangersHealth(keeper.count, keeper.on_disk, keeper.replaced) if grouped else None


def _milliseconds(spread: Spread) -> StageLatency:
    return StageLatency(p50_ms=round(spread.p50 * 1000, 1), p95_ms=round(spread.p95 * 1000, 1))
