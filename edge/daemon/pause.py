"""Whether the box looks for faces at all."""

import threading


class PauseTimer:
    """A pause, with or without an end. Any thread; times are monotonic seconds; no restart remembers it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paused = False
        self._until: float | None = None

    @property
    def paused(self) -> bool:
        return self._paused

    def pause(self, for_s: float | None, now: float) -> str:
        """Pause for so long, or until somebody resumes; returns what to reply."""
        with self._lock:
            self._paused, self._until = True, None if for_s is None else now + for_s
        return "paused until `resume`" if for_s is None else f"paused for {for_s:g} s"

    def resume(self) -> str:
        """End the pause; returns what to reply."""
        with self._lock:
            self._paused, self._until = False, None
        return "watching"

    def tick(self, now: float) -> bool:
        """End a pause whose time is up; whether it was ended."""
        with self._lock:
            if self._until is None or now < self._until:
                return False
            self._paused, self._until = False, None
            return True

    def left_s(self, now: float) -> float | None:
        """How long the pause lasts yet, in seconds; None: there is none, or it has no end."""
        with self._lock:
            return None if self._until is None else self._until - now
