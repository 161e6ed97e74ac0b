"""Events to MQTT: the thread that keeps the contract of docs/40-mqtt.md."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from edge.config.mqtt import MqttSettings
from edge.mqtt.client import (
    Acknowledged,
    Connected,
    IncomingMessage,
    Lost,
    NotSubscribed,
    OutgoingMessage,
    Signal,
    check_credentials,
)
from edge.mqtt.clock import WallClock
from edge.mqtt.commands import CommandDone, OnCommand
from edge.mqtt.desk import CommandHandler
from edge.mqtt.home_assistant.discovery import BORN, announcer, discovery_topic
from edge.mqtt.inbox import CameraState, Inbox, Item, People, Picture, Stop
from edge.mqtt.outbox import Outbox
from edge.mqtt.outbox_sender import OutboxSender, RefusedTopics
from edge.mqtt.outgoing import Outgoing
from edge.mqtt.payloads import (
    ControlsPayload,
    DoorbellPayload,
    EventOrigin,
    HealthPayload,
    OutboxHealth,
    names_any,
)
from edge.mqtt.queued_event import QueuedEvent, RemovedPeople, boot_clock
from edge.mqtt.reconnect import BrokerConnection
from edge.mqtt.retained import RetainedState
from edge.mqtt.snapshot import SnapshotPublisher
from edge.mqtt.topics import OFFLINE, Topics
from edge.records import Event, Image

_log = logging.getLogger("whosthere.mqtt")

_LOOP_S = 0.5
_FAREWELL_S = 1.0
_RING_S = 30
"""A ring that reaches nobody within so long is no news."""


class MqttPublisher:
    """The Publisher of a box: one thread that owns the outbox and the connection.

    `origin` may be replaced at any time; events handed over later carry the new one. `heartbeat` is the monotonic
    time of the thread's last turn. `clock` is the clock of `Event.at`; None: events are of this moment when they
    are handed over (recordings that are not replayed at their own pace have a time of their own).
    """

    def __init__(
        self,
        settings: MqttSettings,
        origin: EventOrigin,
        on_command: OnCommand,
        *,
        clock: Callable[[], float] | None = time.monotonic,
    ) -> None:
        self.origin = origin
        self.heartbeat = time.monotonic()
        self._settings = settings
        self._clock = clock
        self._stamp = boot_clock()
        self._wall_clock = WallClock([Path(settings.outbox.path), Path(__file__)])
        self._topics = Topics(settings.base_topic, origin.device_id)
        self._discovery = discovery_topic(settings.home_assistant.discovery_prefix, origin.device_id)
        self._announcer = announcer(settings, self._topics, origin)
        self._inbox = Inbox()
        self._thread: threading.Thread | None = None
        self._deadline: float | None = None
        self._departed = RemovedPeople()
        self._backlog = Outbox(Path(settings.outbox.path), settings.outbox.max_events)
        self._refusals = refusals = RefusedTopics()
        self._delivery = OutboxSender(self._backlog, self._topics, settings.event_expiry_s, self._stamp, refusals)
        self._link = BrokerConnection(
            settings,
            f"whosthere-{origin.device_id}",
            self._post,
            will=OutgoingMessage(self._topics.status, OFFLINE, retain=True),
            filters=self._filters(),
        )
        self._board = RetainedState(self._topics, self._announcer)
        self._outgoing = Outgoing(self._link, self._delivery, self._board, refusals)
        self._desk = CommandHandler(
            self._topics, on_command, self._inbox.put, self._outgoing.send, snapshots=settings.snapshot.enabled
        )
        self._pictures = SnapshotPublisher(settings.snapshot, self._show)

    @property
    def connected(self) -> bool:
        return self._link.connected

    @property
    def clock_set(self) -> bool:
        """Whether the times in payloads can be trusted."""
        return self._wall_clock.is_set()

    @property
    def settled(self) -> bool:
        """The broker has answered, or its absence has been logged."""
        return self._link.settled

    @property
    def outbox_health(self) -> OutboxHealth:
        """For the health message."""
        backlog = self._backlog
        return OutboxHealth(
            waiting=backlog.waiting,
            dropped=backlog.dropped + self._inbox.dropped,
            late=self._delivery.late,
            on_disk=backlog.on_disk,
        )

    def publish(self, event: Event) -> None:
        """Never blocks, never raises; dropped, and counted, when the publisher's thread is stuck."""
        age = max(self._clock() - event.at, 0.0) if self._clock else 0.0
        if not self._settings.snapshot.enabled:
            event = replace(event, picture=None)
        wall_offset = time.time() - age - event.at
        self._inbox.offer(QueuedEvent(event, wall_offset, self._stamp().earlier(age), self.origin, self.clock_set))

    def camera_state(self, online: bool) -> None:
        self._inbox.put(CameraState(online))

    def health(self, payload: HealthPayload) -> None:
        self._inbox.put(payload)

    def controls(self, payload: ControlsPayload) -> None:
        self._inbox.put(payload)

    def ring(self, payload: DoorbellPayload) -> None:
        self._inbox.put(payload)

    def people(self, people: Sequence[tuple[str, str]]) -> None:
        self._inbox.put(People(tuple(people)))

    def snapshot(self, image: Image) -> None:
        self._inbox.put(Picture(image))

    def start(self) -> None:
        """Raises ConfigError when the password or a certificate cannot be read; the broker may be away."""
        check_credentials(self._settings)
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        if self._thread is None:
            return
        self._inbox.put(Stop(time.monotonic() + timeout_s))
        self._thread.join(timeout_s + 4 * _FAREWELL_S)

    def _filters(self) -> list[str]:
        filters = [self._discovery, self._topics.commands, self._topics.people]
        if self._announcer:
            filters.append(self._announcer.birth_topic)
        if not (self._settings.snapshot.enabled and self._settings.snapshot.retain):
            # To find, and take back, a picture retained when the owner still allowed that.
            filters.append(self._topics.snapshot)
        return filters

    def _post(self, signal: Signal) -> None:
        self._inbox.put(self._desk.trimmed(signal))

    def _run(self) -> None:
        try:
            while not self._done(time.monotonic()):
                self._turn()
            self._farewell()
        except Exception:
            _log.critical("the publisher failed: nothing is published any more")
            raise

    def _turn(self) -> None:
        now = self.heartbeat = time.monotonic()
        self._backlog.tick(now)
        self._link.tick(now)
        self._outgoing.tick(now)
        self._handle(self._inbox.take(_LOOP_S), time.monotonic())

    def _handle(self, items: list[Item], now: float) -> None:
        """Events that came together go to disk in one transaction, before anything else is done with them."""
        happened = [item for item in items if isinstance(item, QueuedEvent)]
        if happened:
            self._backlog.add([entry for item in happened if (entry := self._departed.entry(item))], now)
        for item in items:
            self._handle_one(item, now)

    def _handle_one(self, item: Item, now: float) -> None:
        match item:
            case QueuedEvent():
                self._on_event(item)
            case CameraState():
                self._board.camera(online=item.online)
            case HealthPayload():
                self._board.health(msgspec.json.encode(item))
            case People():
                self._on_people(item.people, now)
            case ControlsPayload():
                self._board.controls(item)
            case DoorbellPayload():
                ring = OutgoingMessage(self._topics.doorbell, msgspec.json.encode(item), expiry_s=_RING_S)
                self._outgoing.send(ring, now)
            case CommandDone():
                self._desk.answer(item, now)
            case Picture():
                self._pictures.show(item.image)
            case Stop():
                self._deadline = item.deadline
            case _:
                self._on_signal(item, now)

    def _on_signal(self, signal: Signal, now: float) -> None:
        if isinstance(signal, Connected):
            if self._link.on_connected(signal, now):
                self._outgoing.connected(now)
        elif self._link.owns(signal.session):
            match signal:
                case Lost():
                    self._link.on_lost(signal, now)
                    self._outgoing.interrupted()
                case Acknowledged():
                    self._outgoing.answered(signal, now)
                case NotSubscribed():
                    self._refusals.note(signal.topic, signal.code, signal.name)
                case IncomingMessage():
                    self._on_arrived(signal, now)

    def _on_people(self, people: Sequence[tuple[str, str]], now: float) -> None:
        """Whoever has left the gallery is forgotten, in what is retained and in what waits."""
        left = self._board.people(people)
        self._departed.update(people, left)
        if left:
            # The last picture may show one of them.
            self._pictures.hide()
            self._backlog.forget(lambda entry: names_any(entry.payload, left), now)

    def _on_event(self, happened: QueuedEvent) -> None:
        self._board.event(happened.event)
        # At once, or a short ON is never seen when its OFF comes in the same batch.
        self._outgoing.tell(time.monotonic())
        if not self._departed.named_in(happened):
            self._pictures.event(happened.event)

    def _on_arrived(self, message: IncomingMessage, now: float) -> None:
        if self._announcer and message.topic == self._announcer.birth_topic:
            if message.payload == BORN and not message.retained:
                self._board.born(now)
        elif not self._desk.take(message, now) and message.retained and message.payload:
            self._board.found(message.topic, message.payload)

    def _show(self, picture: bytes) -> None:
        if self._settings.snapshot.retain:
            self._board.picture(picture)
        else:
            self._outgoing.send(OutgoingMessage(self._topics.snapshot, picture), time.monotonic())

    def _done(self, now: float) -> bool:
        """Asked to stop, and nothing more can be sent."""
        if self._deadline is None:
            return False
        link = self._link
        hopeless = not link.connected and not link.connecting
        return now >= self._deadline or hopeless or (link.connected and self._idle())

    def _idle(self) -> bool:
        return self._delivery.blocked or (self._backlog.waiting == 0 and not self._outgoing.busy)

    def _farewell(self) -> None:
        """Nobody is seen any more, and we are offline: said, acknowledged, and then the line is closed."""
        self._board.nobody()
        self._board.status(online=False)
        self._outgoing.tick(time.monotonic())
        limit = time.monotonic() + _FAREWELL_S
        while self._link.connected and self._outgoing.busy and time.monotonic() < limit:
            self._handle(self._inbox.take(_LOOP_S), time.monotonic())
        self._close_link()
        if self._backlog.in_memory:
            _log.error("%d events are lost: they could not be written to the outbox", self._backlog.in_memory)
        if self._backlog.waiting:
            _log.info("%d events wait in the outbox for the next start", self._backlog.waiting)
        self._backlog.close()

    def _close_link(self) -> None:
        """Returns when the broker has been told, or does not listen."""
        ended = not self._link.close()
        limit = time.monotonic() + _FAREWELL_S
        while not ended and time.monotonic() < limit:
            ended = any(isinstance(item, Lost) for item in self._inbox.take(_LOOP_S))
