"""Events to MQTT: the thread that keeps the contract of docs/40-mqtt.md."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from edge.config.mqtt import MqttSettings
from edge.events import Event
from edge.mqtt.challenge_payload import ChallengePayload
from edge.mqtt.client import IncomingMessage, OutgoingMessage, Signal, check_credentials
from edge.mqtt.clock import WallClock
from edge.mqtt.commands import CommandDone, CommandHandler, OnCommand, answers
from edge.mqtt.home_assistant.discovery import DiscoveryAnnouncer
from edge.mqtt.home_assistant.entity import BoxFeatures, described
from edge.mqtt.outbox import Outbox
from edge.mqtt.outbox_sender import OutboxSender
from edge.mqtt.payloads import ControlsPayload, DoorbellPayload, HealthPayload, OutboxHealth
from edge.mqtt.queued_event import Inbox, QueuedEvent, RemovedPeople, boot_clock
from edge.mqtt.reconnect import BrokerConnection, Delivery
from edge.mqtt.retained import RetainedState, RetainedTopics
from edge.mqtt.snapshot import SnapshotPublisher
from edge.mqtt.topics import OFFLINE, Topics
from edge.mqtt.visit_payloads import EventOrigin, names_others
from edge.records import Image

_log = logging.getLogger("whosthere.mqtt")

_LOOP_S = 0.5
_REST_S = 1.0  # With nothing under way. Shorter than the shortest `runtime.stall_s`.
_FAREWELL_S = 1.0
_NEWS_S = 30
"""A ring or a challenge that reaches nobody for this long is no longer news."""


class MqttPublisher:
    """The publisher of a box: one thread that owns the outbox and the connection.

    Its public methods may be called on any thread; none of them blocks on the network or raises, except `start`.
    `origin` may be replaced at any time; later events carry the new one. `heartbeat` is the monotonic time of the
    thread's last turn. `clock` is the clock of `Event.at`; None: events happen at the moment of `publish` (recordings
    that are not replayed at their own pace have a time of their own).
    """

    def __init__(
        self,
        settings: MqttSettings,
        origin: EventOrigin,
        on_command: OnCommand,
        *,
        clock: Callable[[], float] | None = time.monotonic,
        on_stored: Callable[[Event], None] = lambda _: None,
        features: BoxFeatures = BoxFeatures(),  # noqa: B008  (it is frozen)
    ) -> None:
        """`on_stored` gets each event once it is stored, on the publisher's thread; `features` go to Home Assistant."""
        self.origin = origin
        self.heartbeat = time.monotonic()
        self._settings = settings
        self._clock = clock
        self._on_stored = on_stored
        self._boot_clock = boot_clock()
        self._wall_clock = WallClock([Path(settings.outbox.path), Path(__file__)])
        self._topics = topics = Topics(settings.base_topic, origin.device_id)
        self._inbox = Inbox()
        self._thread: threading.Thread | None = None
        self._deadline: float | None = None
        self._removed_people = RemovedPeople()
        self._people_known = False
        self._retained = RetainedTopics()
        self._state = RetainedState(topics, self._retained)
        device = described(settings, topics, origin, features)
        self._discovery = DiscoveryAnnouncer(settings.home_assistant, device, self._retained)
        self._connection = self._connection_to_broker(f"whosthere-{origin.device_id}")
        self._outbox = Outbox(Path(settings.outbox.path), settings.outbox.max_events)
        self._sender = OutboxSender(self._outbox, self._connection, topics, settings.event_expiry_s, self._boot_clock)
        self._commands = CommandHandler(topics, on_command, self._on_done, snapshots=settings.snapshot.enabled)
        self._snapshots = SnapshotPublisher(settings.snapshot, self._publish_picture)

    @property
    def connected(self) -> bool:
        return self._connection.connected

    @property
    def clock_set(self) -> bool:
        """Whether the times in payloads can be trusted."""
        return self._wall_clock.is_set()

    @property
    def settled(self) -> bool:
        """The broker has answered, or its absence has been logged."""
        return self._connection.settled

    @property
    def outbox_health(self) -> OutboxHealth:
        """For the health message."""
        outbox = self._outbox
        return OutboxHealth(
            waiting=outbox.waiting,
            dropped=outbox.dropped + self._inbox.dropped,
            late=self._sender.late,
            on_disk=outbox.on_disk,
            replaced=outbox.replaced,
        )

    def publish(self, event: Event) -> None:
        """Queue an event; dropped, and counted, when the publisher's thread is stuck."""
        age = max(self._clock() - event.at, 0.0) if self._clock else 0.0
        picture = event.picture if self._settings.snapshot.enabled else None
        event = replace(event, picture=picture, good_faces=())
        wall_offset = time.time() - age - event.at
        self._inbox.offer(QueuedEvent(event, wall_offset, self._boot_clock().earlier(age), self.origin, self.clock_set))

    def camera_state(self, online: bool) -> None:
        """Whether the camera delivers frames."""
        self._inbox.put(partial(self._state.camera, online=online))

    def health(self, payload: HealthPayload) -> None:
        self._inbox.put(partial(self._state.health, payload))

    def controls(self, payload: ControlsPayload) -> None:
        """What can be set from outside; to be called again after every change."""
        self._inbox.put(partial(self._on_controls, payload))

    def at_once(self, payload: DoorbellPayload | ChallengePayload) -> None:
        """Publish a ring, or where a challenge stands: now or never."""
        topic = self._topics.doorbell if isinstance(payload, DoorbellPayload) else self._topics.challenge
        self._inbox.put(partial(self._send, OutgoingMessage(topic, msgspec.json.encode(payload), expiry_s=_NEWS_S)))

    def people(self, people: Sequence[tuple[str, str]]) -> None:
        """Everybody in the current gallery, as (id, name); to be called again after every change."""
        self._inbox.put(partial(self._on_people, tuple(people)))

    def snapshot(self, image: Image) -> None:
        """Publish a picture, if the owner allows pictures."""
        self._inbox.put(partial(self._snapshots.publish, image))

    def start(self) -> None:
        """Raises ConfigError when the password or a certificate cannot be read; the broker may be unreachable."""
        check_credentials(self._settings)
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Send what can be sent in time and say goodbye; returns when that is done."""
        if self._thread is None:
            return
        self._inbox.put(partial(self._stop_by, time.monotonic() + timeout_s))
        self._thread.join(timeout_s + 4 * _FAREWELL_S)

    def _connection_to_broker(self, client_id: str) -> BrokerConnection:
        topics, snapshot = self._topics, self._settings.snapshot
        filters = [*self._discovery.filters, topics.commands, topics.people]
        if not (snapshot.enabled and snapshot.retain):
            # To find, and clear, a picture retained when the owner still allowed that.
            filters.append(topics.snapshot)
        return BrokerConnection(
            self._settings,
            client_id,
            self._post,
            will=OutgoingMessage(topics.status, OFFLINE, retain=True),
            filters=filters,
            on_connected=self._on_connected,
            on_message=self._on_message,
        )

    def _post(self, signal: Signal) -> None:
        signal = self._commands.trimmed(signal)
        if not isinstance(signal, IncomingMessage) or self._inbox.has_room:
            self._inbox.put(lambda: self._connection.handle(signal, time.monotonic()))

    def _run(self) -> None:
        try:
            while not self._finished(time.monotonic()):
                now = self.heartbeat = time.monotonic()
                self._outbox.tick(now)
                self._connection.tick(now)
                self._sender.tick(now)
                self._discovery.tick(now)
                self._publish_retained()
                self._work(_REST_S if self._connection.connected and self._sender.idle else _LOOP_S)
            self._farewell()
        except Exception:
            _log.critical("the publisher failed: nothing is published any more")
            raise

    def _work(self, timeout_s: float) -> None:
        """Do what has been asked for; wait for it this long.

        Events that came together go to disk in one transaction, before anything else is done with them.
        """
        items = self._inbox.take(timeout_s)
        events = [item for item in items if isinstance(item, QueuedEvent)]
        if events:
            stored = [(event, entry) for event in events if (entry := self._removed_people.entry(event))]
            self._outbox.add([entry for _, entry in stored], time.monotonic())
            for queued, _ in stored:
                self._on_stored(queued.event)
        for item in items:
            if isinstance(item, QueuedEvent):
                self._on_event(item)
            else:
                item()

    def _on_event(self, queued: QueuedEvent) -> None:
        self._state.event(queued.event)
        # At once, or a short ON is never seen when its OFF comes in the same batch.
        self._publish_retained()
        if not self._removed_people.named_in(queued):
            self._snapshots.event(queued.event)

    def _on_controls(self, payload: ControlsPayload) -> None:
        self._state.controls(payload)
        self._discovery.controls(payload)

    def _on_people(self, people: Sequence[tuple[str, str]]) -> None:
        """People who are not in the gallery are removed from what is retained and from what waits.

        At the start that includes those who left it while the daemon was off.
        """
        starting, self._people_known = not self._people_known, True
        self._discovery.people(people)
        left = self._state.people(people)
        self._removed_people.update(people, left)
        if left:
            # The last picture may show one of them.
            self._snapshots.blank()
        if left or starting:
            known = frozenset(person for person, _ in people)
            self._sender.forget(lambda entry: names_others(entry.payload, known), time.monotonic())

    def _on_connected(self, now: float) -> None:
        self._sender.connected()
        self._retained.republish_all()
        self._discovery.connected(now)

    def _on_message(self, message: IncomingMessage, now: float) -> None:
        if self._discovery.receive(message, now) or self._commands.receive(message, now):
            return
        if message.retained and message.payload:
            self._state.found(message.topic)

    def _on_done(self, done: CommandDone) -> None:
        """Called on any thread."""
        self._inbox.put(partial(self._answer, done))

    def _answer(self, done: CommandDone) -> None:
        _log.info("command %s: %s", ascii(done.result.command)[1:-1], done.result.message)
        for message in answers(done, self._topics, self._settings.home_assistant.discovery_prefix):
            self._send(message)

    def _publish_picture(self, jpeg: bytes) -> None:
        if self._settings.snapshot.retain:
            self._state.picture(jpeg)
        else:
            self._send(OutgoingMessage(self._topics.snapshot, jpeg))

    def _publish_retained(self) -> None:
        self._retained.publish_changes(self._send)

    def _send(self, message: OutgoingMessage) -> bool:
        """Now or never: nothing is kept for a later connection."""
        return self._connection.publish(message, time.monotonic(), partial(self._on_delivery, message))

    def _on_delivery(self, message: OutgoingMessage, delivery: Delivery, _now: float) -> None:
        if delivery is Delivery.ACCEPTED:
            self._discovery.accepted(message)

    def _stop_by(self, deadline: float) -> None:
        self._deadline = deadline

    def _finished(self, now: float) -> bool:
        """Asked to stop, and nothing more can be sent."""
        if self._deadline is None:
            return False
        idle = self._sender.blocked or self._sender.idle
        return now >= self._deadline or self._connection.closed or (self._connection.connected and idle)

    def _farewell(self) -> None:
        """Publish that nobody is present and the box is offline, wait for the broker, and close the connection."""
        self._state.nobody()
        self._state.status(online=False)
        self._publish_retained()
        self._work_until(lambda: not (self._connection.connected and self._connection.busy))
        self._connection.close()
        self._work_until(lambda: self._connection.closed)
        if self._outbox.in_memory:
            _log.error("%d events are lost: they could not be written to the outbox", self._outbox.in_memory)
        if self._outbox.waiting:
            _log.info("%d events wait in the outbox for the next start", self._outbox.waiting)
        self._outbox.close()

    def _work_until(self, done: Callable[[], bool]) -> None:
        limit = time.monotonic() + _FAREWELL_S
        while not done() and time.monotonic() < limit:
            self._work(_LOOP_S)
