"""What is measured in the daemon, put together for Prometheus."""

from edge.daemon.health import HealthReport
from edge.daemon.notifications import Notifications
from edge.daemon.timings import FrameRate, Timings
from edge.metrics.counters import VisitCounters
from edge.metrics.snapshot import MetricsSnapshot, NoticeCounts, StageTotal
from edge.mqtt.publisher import MqttPublisher


class MetricsReport:
    """Gathers what each part counts. For one thread."""

    def __init__(
        self,
        health: HealthReport,
        publisher: MqttPublisher,
        timings: Timings,
        counters: VisitCounters,
        notifications: Notifications,
    ) -> None:
        self._health = health
        self._publisher = publisher
        self._timings = timings
        self._counters = counters
        self._notifications = notifications
        self._rate = FrameRate()

    def snapshot(self) -> MetricsSnapshot:
        """Everything as of now."""
        return MetricsSnapshot(
            health=self._health.payload(rate=self._rate),
            broker_connected=self._publisher.connected,
            decisions=self._counters.decisions,
            corrections=self._counters.corrections,
            rings=self._counters.rings,
            latency=self._counters.latency,
            stages={name: StageTotal(spread.total, spread.times) for name, spread in self._timings.spreads().items()},
            notices={
                name: NoticeCounts(state.sent, state.failed, state.dropped, state.waiting, state.problem)
                for name, state in self._notifications.states.items()
            },
        )
