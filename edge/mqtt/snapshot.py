"""Pictures for the `snapshot` topic: which ones to publish, and their JPEG bytes."""

from collections.abc import Callable

import cv2
import numpy as np

from edge.config.mqtt import SnapshotSettings
from edge.events import Event, EventKind
from edge.records import Image, read_only

_BLANK = 64, 48
"""Width and height of the grey picture, in pixels."""


class SnapshotChooser:
    """Picks the events with a better picture of their visit than the one already published."""

    def __init__(self) -> None:
        self._sent: dict[str, float] = {}
        """Quality of the picture last published, by visit."""

    def update(self, event: Event) -> Image | None:
        """The picture to publish for this event; None: there is no better one."""
        best = self._sent.get(event.visit_id, -1.0)
        quality = event.quality.score if event.quality else 0.0
        if event.kind is EventKind.ENDED:
            self._sent.pop(event.visit_id, None)
        if event.kind is EventKind.STARTED or event.picture is None or quality <= best:
            return None
        if event.kind is not EventKind.ENDED:
            self._sent[event.visit_id] = quality
        return event.picture


class SnapshotPublisher:
    """Publishes pictures on `snapshot`: none at all unless the owner allows pictures."""

    def __init__(self, settings: SnapshotSettings, send: Callable[[bytes], None]) -> None:
        """`send` gets a JPEG file."""
        self._settings = settings
        self._send = send
        self._chooser = SnapshotChooser()

    def event(self, event: Event) -> None:
        """Publish the event's picture if it is the best of its visit so far."""
        if self._settings.enabled and (picture := self._chooser.update(event)) is not None:
            self.publish(picture)

    def publish(self, image: Image) -> None:
        if self._settings.enabled:
            self._send(jpeg(image, self._settings))

    def blank(self) -> None:
        """Replace the last picture by a grey one, at the broker and wherever it is still shown.

        An empty message will not do: Home Assistant shows an error for it.
        """
        width, height = _BLANK
        self.publish(read_only(np.full((height, width, 3), 128, np.uint8)))


def jpeg(image: Image, settings: SnapshotSettings) -> bytes:
    """A JPEG file of `image`, scaled down to `settings.width` but never up."""
    height, width = image.shape[:2]
    if width > settings.width:
        size = settings.width, max(round(height * settings.width / width), 1)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, settings.quality])
    return data.tobytes()
