"""Pictures for the `snapshot` topic: which to send, and their JPEG bytes."""

from collections.abc import Callable

import cv2
import numpy as np

from edge.config.mqtt import SnapshotSettings
from edge.records import Event, EventKind, Image, read_only

_BLANK = 64, 48
"""Width and height of a picture of nothing."""


class SnapshotChooser:
    """Tells which events bring a better picture of their visit than the one already sent."""

    def __init__(self) -> None:
        self._sent: dict[str, float] = {}
        """Quality of the picture last sent, by visit."""

    def update(self, event: Event) -> Image | None:
        """The picture to send for this event; None: nothing new to show."""
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
    """What is to be seen on `snapshot`: nothing at all unless the owner allows pictures."""

    def __init__(self, settings: SnapshotSettings, send: Callable[[bytes], None]) -> None:
        """`send` gets a JPEG."""
        self._settings = settings
        self._send = send
        self._chooser = SnapshotChooser()

    def event(self, event: Event) -> None:
        """Show the visit's best picture, if this event brings it."""
        if self._settings.enabled and (picture := self._chooser.update(event)) is not None:
            self.show(picture)

    def show(self, image: Image) -> None:
        if self._settings.enabled:
            self._send(jpeg(image, self._settings))

    def hide(self) -> None:
        """Nobody is to be seen any more, neither at the broker nor with whoever remembers the last picture.

        A grey picture and not an empty message, on which Home Assistant answers with an error.
        """
        width, height = _BLANK
        self.show(read_only(np.full((height, width, 3), 128, np.uint8)))


def jpeg(image: Image, settings: SnapshotSettings) -> bytes:
    """`image` as JPEG, made smaller to `settings.width` but never larger."""
    height, width = image.shape[:2]
    if width > settings.width:
        size = settings.width, max(round(height * settings.width / width), 1)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, settings.quality])
    return data.tobytes()
