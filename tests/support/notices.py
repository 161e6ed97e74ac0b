"""Notices of events, as the daemon would make them."""

import time
from typing import Any

from edge.events import Event
from edge.notify.notice import Moment, Notice, visit_notice
from support.publishing import ORIGIN, recognized


def notice(event: Event | None = None, *, age_s: float = 0.0, picture: bool = False, **moment: Any) -> Notice:
    """The notice of an event (Ada is recognised) that happened this long ago."""
    event = event or recognized()
    values = {"at": time.monotonic() - age_s, "wall_offset": time.time() - age_s - event.at, "clock_set": True}
    return visit_notice(event, ORIGIN, Moment(**(values | moment)), picture=picture)
