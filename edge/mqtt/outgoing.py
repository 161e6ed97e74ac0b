"""Everything on its way to the broker: waiting events, retained topics, and what is said once."""

from edge.mqtt.broker_errors import OutageReason
from edge.mqtt.client import Acknowledged, OutgoingMessage
from edge.mqtt.outbox_sender import OutboxSender, RefusedTopics
from edge.mqtt.reconnect import BrokerConnection
from edge.mqtt.retained import RetainedState

_ANSWER_S = 30.0


class Outgoing:
    """Sends over one link, and notes what the broker makes of it."""

    def __init__(
        self, link: BrokerConnection, delivery: OutboxSender, board: RetainedState, refusals: RefusedTopics
    ) -> None:
        self._link = link
        self._delivery = delivery
        self._board = board
        self._refusals = refusals
        self._pending: dict[int, tuple[str, float]] = {}
        """Messages, other than events, that are not acknowledged: their topic, and when they were sent."""

    @property
    def busy(self) -> bool:
        """Is anything sent that the broker has not acknowledged?"""
        return bool(self._pending) or self._delivery.waits_since is not None

    def tick(self, now: float) -> None:
        """Send what can be sent; a broker that has acknowledged nothing for long is taken for dead."""
        if self._link.connected and (since := self._oldest()) is not None and now - since > _ANSWER_S:
            self._link.drop(
                OutageReason(f"the broker acknowledged nothing within {_ANSWER_S:.0f} s", lasting=False), now
            )
            self.interrupted()
        self._delivery.tick(self._link, now)
        self._board.tick(now)
        self.tell(now)

    def tell(self, now: float) -> None:
        """Send the retained topics that have changed."""
        for mid, topic in self._board.tell(self._link.publish).items():
            self._pending[mid] = topic, now

    def send(self, message: OutgoingMessage, now: float) -> None:
        """Now or never: nothing is kept for a later connection."""
        mid = self._link.publish(message)
        if mid is not None:
            self._pending[mid] = message.topic, now

    def answered(self, answer: Acknowledged, now: float) -> None:
        if self._delivery.answered(answer, now):
            return
        topic, _ = self._pending.pop(answer.mid, ("", 0.0))
        if topic and answer.problem:
            self._refusals.note(topic, *answer.problem)
        elif topic:
            self._refusals.over(topic)
            self._board.accepted(topic)

    def connected(self, now: float) -> None:
        """A new connection: everything retained is told again."""
        self._delivery.connected()
        self._board.all_untold(now)

    def interrupted(self) -> None:
        """The connection is gone, and with it every answer."""
        self._pending.clear()
        self._delivery.interrupted()

    def _oldest(self) -> float | None:
        since = [at for _, at in self._pending.values()]
        if self._delivery.waits_since is not None:
            since.append(self._delivery.waits_since)
        return min(since, default=None)
