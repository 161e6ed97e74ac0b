"""Notifications as a part of the daemon: from its events and rings to the channels."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from edge.config.loading import LoadedConfig
from edge.daemon.gallery_manager import GalleryManager
from edge.daemon.subscribers import Background
from edge.events import Event
from edge.mqtt.payloads import DoorbellPayload
from edge.mqtt.queued_event import boot_clock
from edge.mqtt.visit_payloads import EventOrigin
from edge.notify.channels import open_channels
from edge.notify.courier import Courier, CourierState
from edge.notify.notice import Moment, Notice, kinds_of, ring_notice, visit_notice
from edge.records import Image

TIDY_S = 3600.0
ENOUGH_S = 3.0
"""How long the end of the daemon waits for what is under way."""


@dataclass(frozen=True, slots=True, eq=False)
class _Rung:
    """A ring, and what the camera saw then."""

    payload: DoorbellPayload
    picture: Image | None


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """Something to announce, and when it was heard of."""

    subject: Event | _Rung
    boot_s: float
    """When it happened, in seconds since boot."""
    wall: float
    """The same in seconds since the epoch."""
    clock_set: bool


class Notifications:
    """Hears about every event and ring; encodes pictures on one thread, and sends on one thread per channel."""

    def __init__(
        self,
        loaded: LoadedConfig,
        gallery: GalleryManager,
        origin: Callable[[], EventOrigin],
        clock_set: Callable[[], bool],
        clock: Callable[[], float] | None,
        page: Callable[[str], str | None],
    ) -> None:
        """`clock` is that of `Event.at`; None: a recording's own time. `page` gives the address of a visit's page.

        Raises ConfigError when a secret or a certificate cannot be read.
        """
        self._boot_clock = boot_clock()
        self._gallery = gallery
        self._origin = origin
        self._clock_set = clock_set
        self._clock = clock
        channels = open_channels(loaded.config.notify, page)
        self._couriers = [
            Courier(channel, loaded.config.notify.give_up_s, self._known, self._boot_s) for channel in channels
        ]
        self._pictures = any(channel.pictures for channel in channels)
        self._background = Background(
            "notify", self._announce, wants=lambda _: True, tidy=lambda: None, tidy_s=TIDY_S, close=lambda: None
        )

    @property
    def states(self) -> Mapping[str, CourierState]:
        """How each channel is doing, by its name."""
        return {courier.channel.name: courier.state for courier in self._couriers}

    @property
    def dropped(self) -> int:
        """Events that no channel got, because pictures could not be encoded fast enough."""
        return self._background.dropped

    def start(self) -> None:
        if self._couriers:
            self._background.start()
        for courier in self._couriers:
            courier.start()

    def stop(self, timeout_s: float) -> None:
        """Send what waits, for at most so long."""
        if self._couriers:
            self._background.stop(timeout_s)
        for courier in self._couriers:
            courier.ask_to_stop(min(timeout_s, ENOUGH_S))
        for courier in self._couriers:
            courier.join()

    def on_event(self, event: Event) -> None:
        if not self._couriers or not kinds_of(event):
            return
        age = max(self._clock() - event.at, 0.0) if self._clock else 0.0
        picture = event.picture if self._pictures else None
        self._hear(replace(event, picture=picture, good_faces=(), account=None), age)

    def on_ring(self, payload: DoorbellPayload, picture: Image | None) -> None:
        if self._couriers:
            self._hear(_Rung(payload, picture if self._pictures else None), 0.0)

    def _hear(self, subject: Event | _Rung, age_s: float) -> None:
        self._background.on_event(_Heard(subject, self._boot_s() - age_s, time.time() - age_s, self._clock_set()))

    def _announce(self, heard: _Heard) -> None:
        notice = self._notice(heard)
        for courier in self._couriers:
            courier.offer(notice)

    def _notice(self, heard: _Heard) -> Notice:
        subject = heard.subject
        if isinstance(subject, _Rung):
            return ring_notice(
                subject.payload, heard.boot_s, heard.wall, clock_set=heard.clock_set, picture=subject.picture
            )
        moment = Moment(heard.boot_s, heard.wall - subject.at, heard.clock_set)
        return visit_notice(subject, self._origin(), moment, picture=self._pictures)

    def _boot_s(self) -> float:
        return self._boot_clock().seconds

    def _known(self) -> frozenset[str]:
        return frozenset(person.id for person in self._gallery.matcher.gallery.people)
