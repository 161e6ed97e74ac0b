"""What other threads hand to the publisher."""

from dataclasses import dataclass
from queue import Empty, SimpleQueue

from edge.mqtt.client import IncomingMessage, Signal
from edge.mqtt.commands import CommandDone
from edge.mqtt.payloads import ControlsPayload, DoorbellPayload, HealthPayload
from edge.mqtt.queued_event import QueuedEvent
from edge.records import Image

_LIMIT = 256


@dataclass(frozen=True, slots=True)
class CameraState:
    """The camera delivers frames, or does not."""

    online: bool


@dataclass(frozen=True, slots=True)
class People:
    """The gallery in force, as (id, name)."""

    people: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Something to show on `snapshot`."""

    image: Image


@dataclass(frozen=True, slots=True)
class Stop:
    """Send what can be sent until then, and end."""

    deadline: float
    """Monotonic seconds."""


Item = (
    Signal
    | QueuedEvent
    | CommandDone
    | CameraState
    | People
    | Picture
    | HealthPayload
    | ControlsPayload
    | DoorbellPayload
    | Stop
)


class Inbox:
    """Items in the order in which they came; putting one in never blocks."""

    def __init__(self) -> None:
        self._items: SimpleQueue[Item] = SimpleQueue()
        self.dropped = 0
        """Events that were turned away."""

    def put(self, item: Item) -> None:
        """A message is turned away while so many items wait: nobody shall fill the memory with commands."""
        if isinstance(item, IncomingMessage) and self._items.qsize() >= _LIMIT:
            return
        self._items.put(item)

    def offer(self, item: QueuedEvent) -> None:
        """Turned away, and counted, while the publisher is so stuck that 256 items wait."""
        if self._items.qsize() < _LIMIT:
            self._items.put(item)
        else:
            self.dropped += 1

    def take(self, timeout_s: float) -> list[Item]:
        """All that is there; waits for a first one so long."""
        items: list[Item] = []
        try:
            items.append(self._items.get(timeout=timeout_s))
            while len(items) < _LIMIT:
                items.append(self._items.get_nowait())
        except Empty:
            pass
        return items
