"""The seam between the loop and whatever tells the world."""

from collections.abc import Sequence
from typing import Protocol

from edge.mqtt.payloads import ControlsPayload, DoorbellPayload, HealthPayload
from edge.records import Event, Image


class Publisher(Protocol):
    """Tells the world. Any thread may call any method; none blocks on the network and none raises."""

    def publish(self, event: Event) -> None: ...

    def camera_state(self, online: bool) -> None:
        """Does the camera deliver frames?"""
        ...

    def health(self, payload: HealthPayload) -> None: ...

    def controls(self, payload: ControlsPayload) -> None:
        """What can be set from outside; again after every change."""
        ...

    def ring(self, payload: DoorbellPayload) -> None:
        """Somebody rang: told now, or never."""
        ...

    def people(self, people: Sequence[tuple[str, str]]) -> None:
        """Everybody of the gallery in force, as (id, name); again after every change."""
        ...

    def snapshot(self, image: Image) -> None:
        """Show this picture, if the owner allows pictures at all."""
        ...

    def start(self) -> None: ...

    def stop(self, timeout_s: float) -> None:
        """Send what can be sent in time, say goodbye; returns when that is done."""
        ...
