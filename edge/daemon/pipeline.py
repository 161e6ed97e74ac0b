"""The two threads of the loop: capture fills a slot with frames, inference empties it.

While nothing goes on, inference rests, and capture glances at the frames in its place: one thread wakes up per frame.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Protocol

from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.latest import Latest
from edge.daemon.subscribers import EventSubscriber, Subscribers
from edge.daemon.timings import Timings
from edge.errors import WhosthereError
from edge.events import ChallengeUpdate, Event, EventKind
from edge.frame import Frame
from edge.mqtt.payloads import Source
from edge.sightings import SeenFace
from edge.visits.challenge_runner import AskedChallenge
from edge.visits.matcher import Matcher

log = logging.getLogger("whosthere.pipeline")

POLL_S = 0.5
REST_S = 1.5
"""How long the inference thread rests at most. Shorter than the shortest `runtime.stall_s`."""
WAIT_S = 0.2
RINGS = 4
"""Rings that can wait for the inference thread. An impatient visitor is one visitor."""
EARLY = 0.8
"""A frame may come this part of the interval early. Cameras keep no exact time, and the next one would be too late."""


Answer = Callable[[bool, str], None]
"""Takes whether what was asked for began, and a sentence about it."""


class Frames(Protocol):
    """A source of frames that survives outages of its camera."""

    def frames(self, stop: threading.Event) -> Iterator[Frame]:
        """Yield frames until `stop` is set or a recording ends."""
        ...


class Pipeline:
    """Both threads, and what other threads may ask of them."""

    def __init__(
        self,
        source: Frames,
        processor: FrameProcessor,
        timings: Timings,
        *,
        lossless: bool,
        max_fps: float,
        subscribers: Sequence[EventSubscriber],
        on_ring: Callable[[Source, str | None], None] = lambda *_: None,
        mark: Callable[[Event], Event] = lambda event: event,
        on_challenge: Callable[[ChallengeUpdate, float], None] = lambda *_: None,
        on_frame: Callable[[Frame, Sequence[SeenFace]], None] = lambda *_: None,
        wants_all: Callable[[], bool] = lambda: False,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        """`mark` adds to an event, on the inference thread, before any subscriber gets it.

        `on_challenge` gets each update of a challenge, and how many seconds ago it happened.
        `on_frame` gets each analysed frame with the faces in it, and each frame of a pause without; it must not block.
        It runs on the inference thread, or on the capture thread while that rests; not while `wants_all`.
        `on_end` is called on each thread when it ends.
        """
        self.paused = False
        self.frames = 0
        """Frames analysed so far."""
        self.visits = 0
        self.last_frame: Frame | None = None
        self.failure: BaseException | None = None
        """What ended a thread; the process cannot go on without it."""
        now = time.monotonic()
        self.heartbeats = {"capture": now, "inference": now}
        self._source = source
        self._processor = processor
        self._timings = timings
        self._lossless = lossless
        self._min_interval_s = EARLY / max_fps
        self._analysed_at = float("-inf")
        self.pace = 1.0
        """The part of `max_fps` to analyse, 0..1: less while the box is hot. Has no effect when `lossless`."""
        self._subscribers = Subscribers(subscribers)
        self._on_ring = on_ring
        self._mark = mark
        self._on_challenge = on_challenge
        self._on_frame = on_frame
        self._wants_all = wants_all
        self._on_end = on_end
        self._ended: list[str] = []
        self._rung: deque[Source] = deque(maxlen=RINGS)
        self._asked: deque[tuple[AskedChallenge, Answer]] = deque()
        self._slot: Latest[Frame] = Latest()
        self._stop = threading.Event()
        self._wanted_matcher: Matcher | None = None
        self._used_matcher: Matcher | None = None
        self._threads = [
            threading.Thread(target=self._guarded, args=(self._capture,), name="capture", daemon=True),
            threading.Thread(target=self._guarded, args=(self._infer,), name="inference", daemon=True),
        ]

    @property
    def dropped(self) -> int:
        """Frames that were replaced by a newer one before they were analysed."""
        return self._slot.dropped

    @property
    def frame_age_s(self) -> float | None:
        """Seconds since the last analysed frame was captured; None without one, and for a recording."""
        frame = self.last_frame
        return None if frame is None or self._lossless else max(0.0, time.monotonic() - frame.captured_at)

    @property
    def finished(self) -> bool:
        """Whether both threads have ended: the recording is over, or something failed."""
        return len(self._ended) == len(self._threads)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End the visits and the threads; False when a thread hangs."""
        self._stop.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return self.finished

    def use(self, matcher: Matcher) -> None:
        """Match against another gallery or threshold from the next frame on. Any thread."""
        self._wanted_matcher = matcher

    def ring(self, source: Source) -> None:
        """Somebody rang: start a visit at once and wake the detector. Any thread."""
        self._rung.append(source)
        self._slot.nudge()

    def challenge(self, asked: AskedChallenge, answer: Answer) -> None:
        """Ask somebody in view to turn the head; `answer` is called on the inference thread. Any thread."""
        self._asked.append((asked, answer))
        self._slot.nudge()

    def wait_for_camera(self, stop: threading.Event, seconds: float) -> None:
        """Wait before the camera is opened again, on the capture thread and with its heartbeat."""
        deadline = time.monotonic() + seconds
        while not stop.wait(min(WAIT_S, max(0.0, deadline - time.monotonic()))) and time.monotonic() < deadline:
            self._record_heartbeat()

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:  # noqa: BLE001  (a thread's top: the main thread reports it and ends the process)
            self.failure = self.failure or error
            self._stop.set()
        finally:
            self._slot.close()
            self._ended.append(threading.current_thread().name)
            self._on_end()

    def _record_heartbeat(self) -> None:
        self.heartbeats["capture"] = time.monotonic()

    def _capture(self) -> None:
        frames = self._source.frames(self._stop)
        with closing(frames):  # type: ignore[type-var]
            for frame in frames:
                self._record_heartbeat()
                if self._lossless:
                    self._hand_over(frame)
                else:
                    self._slot.put(frame, self._worth_waking)

    def _worth_waking(self, frame: Frame) -> bool:
        """Whether a frame that comes while the inference thread rests is its business. Runs on the capture thread."""
        if self._is_early(frame):
            return False
        if self._wants_all():
            return True
        if self.paused:
            self._let_pass(frame)
            return False
        if self._processor.glance(frame):
            return True
        self._finish(frame, self._lag(frame), ())
        return False

    def _hand_over(self, frame: Frame) -> None:
        while not self._slot.put_when_free(frame, POLL_S) and not self._stop.is_set():
            self._record_heartbeat()

    def _infer(self) -> None:
        while not (self._stop.is_set() or self._slot.finished):
            resting = self._processor.resting and not self._lossless
            frame = self._slot.take(REST_S if resting else POLL_S, resting=resting)
            self.heartbeats["inference"] = time.monotonic()
            self._swap_matcher()
            self._answer_rings(frame)
            self._answer_challenges(frame)
            if frame is None:
                self._pass_time()
            elif not self._is_early(frame):
                self._analyse(frame)
        self._end_visits()

    def _is_early(self, frame: Frame) -> bool:
        """Whether a frame comes too soon after the last one that was analysed."""
        passed_s = frame.captured_at - self._analysed_at
        return passed_s * (1.0 if self._lossless else self.pace) < self._min_interval_s

    def _answer_rings(self, frame: Frame | None) -> None:
        seen = frame or self.last_frame
        if self._rung and not (self._lossless and seen is None):
            now = seen.captured_at if self._lossless and seen else time.monotonic()
            visit_id, events = (None, []) if self.paused else self._processor.ring(now)
            while self._rung:
                self._on_ring(self._rung.popleft(), visit_id)
            self._publish(events, 0.0)

    def _answer_challenges(self, frame: Frame | None) -> None:
        seen = frame or self.last_frame
        while self._asked:
            asked, answer = self._asked.popleft()
            if self.paused or seen is None:
                answer(False, "paused" if self.paused else "the camera has not delivered a frame yet")
                continue
            try:
                text = self._processor.challenge(asked, seen.captured_at if self._lossless else time.monotonic())
            except WhosthereError as error:
                answer(False, str(error))
            else:
                answer(True, text)

    def _analyse(self, frame: Frame) -> None:
        if self.paused:
            self._publish(self._processor.tick(frame.captured_at), 0.0)
            self._let_pass(frame)
            return
        self.last_frame = frame
        processed = self._processor.process(frame)
        lag = self._lag(frame)
        self._publish(processed.events, lag)
        self._finish(frame, lag, processed.seen)

    def _let_pass(self, frame: Frame) -> None:
        """Hand on a frame of a pause, in which nobody is looked for."""
        self._analysed_at, self.last_frame = frame.captured_at, frame
        self._on_frame(frame, ())

    def _lag(self, frame: Frame) -> float:
        return 0.0 if self._lossless else max(0.0, time.monotonic() - frame.captured_at)

    def _finish(self, frame: Frame, lag: float, seen: Sequence[SeenFace]) -> None:
        """Count a frame, and hand it on."""
        self._analysed_at, self.last_frame = frame.captured_at, frame
        self._timings.add("frame", lag)
        self.frames += 1
        self._on_frame(frame, seen)

    def _pass_time(self) -> None:
        """No frame has come: visits still end. The time of a recording stands still meanwhile."""
        if not self._lossless:
            self._publish(self._processor.tick(time.monotonic()), 0.0)

    def _end_visits(self) -> None:
        now = self.last_frame.captured_at if self._lossless and self.last_frame else time.monotonic()
        self._publish(self._processor.flush(now), 0.0)

    def _publish(self, events: list[Event], lag: float) -> None:
        for event in events:
            ready = self._mark(replace(event, latency_s=event.latency_s + lag))
            self.visits += event.kind is EventKind.STARTED
            self._subscribers.on_event(ready)
        for update in self._processor.challenge_updates():
            self._on_challenge(update, lag)

    def _swap_matcher(self) -> None:
        # Compared rather than cleared: another thread may replace it at any moment, and that one must not be lost.
        matcher = self._wanted_matcher
        if matcher is not self._used_matcher and matcher is not None:
            self._processor.use(matcher)
            self._used_matcher = matcher
