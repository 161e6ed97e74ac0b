"""Pictures for the `snapshot` topic: which to send, and their JPEG bytes."""

import cv2
import numpy as np

from edge.publish.settings import SnapshotSettings
from edge.records import Event, EventKind, Image


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


def jpeg(image: Image, settings: SnapshotSettings) -> bytes:
    """`image` as JPEG, made smaller to `settings.width` but never larger."""
    height, width = image.shape[:2]
    if width > settings.width:
        size = settings.width, max(round(height * settings.width / width), 1)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, settings.quality])
    return data.tobytes()
