"""Frame in, events out: everything that the inference thread does with a frame. Time is the frame's own."""

from collections.abc import Callable
from dataclasses import dataclass

from edge.config.faces import enrolment_limits
from edge.config.loading import Config
from edge.daemon.timings import Timings
from edge.events import ChallengeUpdate, Event
from edge.faces.analyser import Analyser
from edge.faces.appearance import AppearanceWatch
from edge.faces.detect import suppress_nested
from edge.faces.infrared import InfraredWatch
from edge.faces.liveness_watch import LivenessWatch
from edge.faces.motion import MotionGate
from edge.faces.tiles import TileTurns, without_bodies
from edge.frame import Frame
from edge.records import Face
from edge.sightings import SeenFace, Sighting
from edge.visits.challenge_runner import AskedChallenge, ChallengeRunner
from edge.visits.manager import VisitManager
from edge.visits.matcher import Matcher
from edge.visits.thresholds import LinkingThresholds
from edge.visits.tracker import Track, Tracker

SHARP_FROM_PX = 36.0
"""Faces smaller than this in the preview are followed in the full picture: the network sees 128 px around them."""
DOUBT = 0.15
"""What scores so far below `detect.min_score` is no face on the next look either: of 337 faces found in wider-dev with
another noise, none had scored less than 0.5 before (min_score 0.6)."""


@dataclass(frozen=True, slots=True, eq=False)
class ProcessedFrame:
    """The result of one frame."""

    events: list[Event]
    seen: list[SeenFace]
    detector_ran: bool
    """False: nothing moved, so the detector did not run."""


class FrameProcessor:
    """Owns every network and the state of all visits. Not thread-safe."""

    def __init__(
        self,
        analyser: Analyser,
        matcher: Matcher,
        linking: LinkingThresholds,
        config: Config,
        new_id: Callable[[], str],
        timings: Timings,
    ) -> None:
        self._analyser = analyser
        self._timings = timings
        self._min_score = config.detect.min_score
        self._full_interval_s = config.detect.full_interval_s
        self._motion = config.motion
        self._full_look_at = float("-inf")
        self._strange = False
        """Whether anything has moved since then that was not of a followed face."""
        self._max_looks = config.runtime.max_looks_per_frame
        self._gate = MotionGate(config.motion)
        self._glanced: Frame | None = None
        self._wanted = False
        """Whether the detector is still to run since the gate asked for it."""
        self._light = InfraredWatch()
        self._tiles = TileTurns(config.detect.tiles)
        self._tracker = Tracker(config.track)
        self._appearance = AppearanceWatch()
        pictures = (
            config.mqtt.snapshot.enabled
            or config.strangers.keep > 0
            or config.diary.pictures_days > 0
            or config.notify.pictures
        )
        good = enrolment_limits(config.quality) if config.strangers.group else None
        self._visits = VisitManager(config.visit, linking, matcher, new_id, pictures=pictures, good_faces=good)
        self._liveness = LivenessWatch(analyser.liveness) if config.liveness == "advise" else None
        self._challenges = ChallengeRunner(mirrored=config.camera.mirror)

    def use(self, matcher: Matcher) -> None:
        """Match against another gallery or threshold from now on. Decisions that were made stay."""
        self._visits.matcher = matcher

    @property
    def resting(self) -> bool:
        """Whether nobody is followed and no visit is open: until something moves, `tick` has nothing to do."""
        return not self._tracker.busy and self._visits.empty

    def glance(self, frame: Frame) -> bool:
        """Whether something moves, or the detector is due. `process` of the same frame follows, or of a later one.

        Cheap, and needs no network. The answer for a frame is remembered until it is processed.
        """
        if frame is not self._glanced:
            self._glanced = frame
            with self._timings.measure("motion"):
                if self._gate.wants_look(frame.glimpse, frame.captured_at, self._tracker.busy):
                    self._wanted = True
                    self._light.update(self._gate.half, frame.captured_at)
        return self._wanted

    def process(self, frame: Frame) -> ProcessedFrame:
        """Detect, track, analyse and decide."""
        now, look = frame.captured_at, self.glance(frame)
        self._glanced, self._wanted = None, False
        if not look:
            return ProcessedFrame(self.tick(now), [], detector_ran=False)
        tracks = self._tracker.update(self._detect(frame), now)
        close = {track.id for track in self._worth_a_look(tracks, self._changed(frame, tracks), now)}
        if self._liveness is not None:
            self._liveness.keep(self._tracker.alive())
        sightings = [self._sighting(frame, track, close=track.id in close) for track in tracks]
        with self._timings.measure("decide"):
            events = self._visits.update(sightings, self._tracker.alive(), now, frame.image)
            self._challenges.update(sightings, self._visits, now)
        return ProcessedFrame(events, [self._seen(sighting) for sighting in sightings], detector_ran=True)

    def _detect(self, frame: Frame) -> list[Face]:
        """Faces, in pixels of the image: of the whole preview every `detect.full_interval_s`, else of parts of it."""
        now, near = frame.captured_at, self._analyser.near
        followed = self._tracker.expected(now)
        height, width = frame.image.shape[:2]
        # What moves with a followed face is explained.
        strange = without_bodies(self._gate.moving, followed, width, height)
        whole = near is None or self._whole_is_due(now, followed=bool(followed), strange=bool(strange.any()))
        found: list[Face] = []
        if whole:
            self._full_look_at, self._strange = now, False
            with self._timings.measure("detect"):
                seen = self._analyser.detector.candidates(frame.preview)
            self._gate.searched(now, empty=all(face.score < self._min_score - DOUBT for face in seen))
            found = [face.scaled(frame.scale) for face in seen if face.score >= self._min_score]
        if near is None:
            return found
        far = [box for box in followed if box.short_side < SHARP_FROM_PX * frame.scale]
        close = [] if whole else [box.scaled(1 / frame.scale) for box in followed if box not in far]
        parts = self._tiles.choose(strange, width, height)
        if far or close or parts:
            with self._timings.measure("detect near"):
                found += [face.scaled(frame.scale) for face in near.detect(frame.preview, close)]
                found += near.detect(frame.image, far) + near.search(frame.image, parts)
        return suppress_nested(found)

    def _whole_is_due(self, now: float, *, followed: bool, strange: bool) -> bool:
        """Whether the whole picture should be searched. `strange`: something moves that is not of a followed face."""
        self._strange = self._strange or strange
        full_s, idle_s = self._full_interval_s, self._motion.idle_interval_s
        if not followed:
            always = strange or not self._motion.enabled
            return always or now - self._full_look_at >= min(full_s, idle_s)
        # A picture in which nothing strange has moved since shows what it showed then.
        calm = self._motion.enabled and full_s > 0 and not self._strange
        return now - self._full_look_at >= (max(full_s, idle_s) if calm else full_s)

    def tick(self, now: float) -> list[Event]:
        """Let time pass without a frame: tracks and visits still end."""
        self._tracker.expire(now)
        events = self._visits.update([], self._tracker.alive(), now)
        self._challenges.update([], self._visits, now)
        return events

    def ring(self, now: float) -> tuple[str, list[Event]]:
        """Somebody rang: the id of the visit and, if it begins now, its first event. Wakes the detector."""
        self._wake(now)
        return self._visits.ring(now)

    def challenge(self, asked: AskedChallenge, now: float) -> str:
        """Ask somebody in view to turn the head; a sentence about it. Raises UsageError when nobody can be asked."""
        self._wake(now)
        return self._challenges.begin(asked, self._visits, now)

    def _wake(self, now: float) -> None:
        self._gate.wake(now)
        self._full_look_at = float("-inf")

    def challenge_updates(self) -> list[ChallengeUpdate]:
        """What has happened in challenges since the last call."""
        return self._challenges.taken()

    def flush(self, now: float) -> list[Event]:
        """End every visit: there will be no more frames."""
        self._challenges.stop(self._visits, now)
        return self._visits.flush(now)

    def _changed(self, frame: Frame, tracks: list[Track]) -> set[int]:
        """The tracks that may not show the person of the last frame: the face jumped, or looks different.

        And the one that is being challenged, of which each frame counts.
        """
        boxes = {track.id: track.face.box.scaled(1 / frame.scale) for track in tracks}
        changed = self._appearance.changed(frame.preview, boxes) | {track.id for track in tracks if track.jumped}
        return changed | {track.id for track in tracks if self._challenges.follows(track.id, self._visits)}

    def _worth_a_look(self, tracks: list[Track], changed: set[int], now: float) -> list[Track]:
        """The faces that could change a decision, largest first, up to the limit per frame."""
        wanted = [track for track in tracks if self._visits.wants_look(track.id, now, changed=track.id in changed)]
        wanted.sort(key=lambda track: -track.face.box.area_px)
        return wanted[: self._max_looks]

    def _sighting(self, frame: Frame, track: Track, *, close: bool) -> Sighting:
        now, box = frame.captured_at, track.face.box
        if not close:
            return Sighting(track.id, now, box, track.first_seen_at)
        with self._timings.measure("landmarks"):
            # The whole picture and its past are a better judge of the light than one face.
            portrait = self._analyser.look(frame.image, track.face, infrared=self._light.infrared)
        if portrait.quality.usable:
            with self._timings.measure("embed"):
                portrait = self._analyser.embed(portrait)
        landmarks, cues = portrait.landmarks, None
        if self._liveness is not None:
            with self._timings.measure("liveness"):
                cues = self._liveness.look(track.id, frame, box, landmarks)
        return Sighting(track.id, now, box, track.first_seen_at, portrait.quality, portrait.embedding, landmarks, cues)

    def _seen(self, sighting: Sighting) -> SeenFace:
        visit_id, match = self._visits.label(sighting.track_id) or (None, None)
        return SeenFace(sighting.box, visit_id, match, sighting.quality)
