"""What can be set from outside while the daemon runs: pausing, and the bounds of how sure a name must be."""

import threading
import time

from edge.errors import UsageError
from edge.mqtt.payloads import ControlsPayload, rfc3339
from edge.visits.matcher import Matcher
from edge.visits.thresholds import Bounds


def check_target(target: float, allowed: Bounds | None) -> None:
    """Raises UsageError when a false-alarm target has no meaning."""
    if allowed is None:
        raise UsageError("the embedder is not calibrated, or match.threshold is set: there is no target to set")
    if not allowed.low <= target <= allowed.high:
        raise UsageError(
            f"false_alarm_target: found {target:g}; the calibration and this gallery allow "
            f"{allowed.low:.2g} to {allowed.high:.2g}"
        )


class Controls:
    """Pausing: it outlives no restart. Any thread; times are monotonic seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paused = False
        self._until: float | None = None

    @property
    def paused(self) -> bool:
        return self._paused

    def pause(self, for_s: float | None, now: float) -> str:
        """Until somebody resumes, or for so long."""
        with self._lock:
            self._paused, self._until = True, None if for_s is None else now + for_s
        return "paused: nobody is looked for" + ("" if for_s is None else f" for {for_s:g} s")

    def resume(self) -> str:
        with self._lock:
            self._paused, self._until = False, None
        return "watching"

    def tick(self, now: float) -> bool:
        """True: the time of a pause is over."""
        with self._lock:
            if self._until is None or now < self._until:
                return False
            self._paused, self._until = False, None
            return True

    def payload(self, device_id: str, matcher: Matcher, target: float, allowed: Bounds | None) -> ControlsPayload:
        """As it is in force now, for the broker."""
        with self._lock:
            left = None if self._until is None else self._until - time.monotonic()
            return ControlsPayload(
                device_id=device_id,
                paused=self._paused,
                paused_until=None if left is None else rfc3339(time.time() + left),
                false_alarm_target=target,
                false_alarm_min=None if allowed is None else float(f"{allowed.low:.3g}"),
                false_alarm_max=None if allowed is None else float(f"{allowed.high:.3g}"),
                threshold=round(matcher.threshold, 4),
            )
