"""Enrolment at the box's own camera while the daemon runs: the coach looks at each frame, on the inference thread."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from edge.config.loading import LoadedConfig
from edge.daemon.subscribers import Guard
from edge.errors import UsageError
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.coach import Coach
from edge.faces.coached_frame import coach_frame
from edge.frame import Frame
from edge.galleries.gallery import Gallery
from edge.link.protocol import AskGuide, GuideNews, GuideShot
from edge.models.similarity import same_person
from edge.records import Box, Image
from edge.visits.thresholds import similarity_scale

Say = Callable[[GuideNews, bytes], None]

MARGIN = 0.4
"""How much of the surroundings the picture of a portrait shows on each side, as a part of the face's width."""
JPEG_QUALITY = 85


@dataclass(slots=True)
class _Course:
    """One enrolment."""

    coach: Coach
    say: Say
    within_s: float
    ends_at: float | None = None
    said: str = ""


class Guidance:
    """One person at a time. Visits go on meanwhile, with fewer frames per second."""

    def __init__(self, loaded: LoadedConfig, analyser: Analyser) -> None:
        self._analyser = analyser.for_enrolment()
        self._same = same_person(similarity_scale(loaded.config.match, analyser.embedder.card))
        self._course: _Course | None = None
        self._beginning = threading.Lock()
        self._guard = Guard("the guided enrolment")

    @property
    def under_way(self) -> bool:
        """Whether somebody is guided."""
        return self._course is not None

    def begin(self, asked: AskGuide, gallery: Gallery, say: Say) -> Callable[[], None]:
        """Begin to guide somebody; what is returned ends it. Any thread. Raises UsageError while another is guided."""
        person = gallery.named(asked.name)
        known = list(gallery.vectors(person)) if person else []
        course = _Course(Coach(asked.count, self._same, known), say, asked.within_s)
        with self._beginning:
            if self._course is not None:
                raise UsageError("somebody else is being enrolled at the camera; wait until that is over")
            self._course = course
        return partial(self._end, course)

    def on_frame(self, frame: Frame) -> None:
        """Coach the person who is guided, if any. Runs on the inference thread."""
        course = self._course
        if course is not None:
            self._guard.run(partial(self._step, course, frame))

    def _end(self, course: _Course) -> None:
        with self._beginning:
            if self._course is course:
                self._course = None

    def _step(self, course: _Course, frame: Frame) -> None:
        coach = course.coach
        if course.ends_at is None:
            course.ends_at = frame.captured_at + course.within_s
        advice, _ = coach_frame(coach, self._analyser, frame.image, frame.captured_at)
        late = frame.captured_at > course.ends_at
        over = coach.done or late
        text = f"the time is up; most often: {coach.main_trouble or 'nobody in view'}" if late else advice.text
        if over:
            self._end(course)
        if advice.taken is not None:
            shot, picture = self._shot(advice.taken), _portrait(frame.image, advice.taken.face.box)
            course.say(GuideNews(text, coach.taken, coach.count, over, shot, len(picture)), picture)
        elif over or text != course.said:
            course.say(GuideNews(text, coach.taken, coach.count, over), b"")
        course.said = text

    def _shot(self, portrait: AnalysedFace) -> GuideShot:
        quality, embedding = portrait.quality, portrait.embedding
        if embedding is None:
            raise ValueError("the coach takes only portraits with an embedding")
        return GuideShot(
            embedding=embedding.astype("<f4").tobytes(),
            embedder=self._analyser.embedder.id.sha256,
            quality=round(quality.score, 4),
            infrared=portrait.infrared,
            yaw=round(quality.pose.yaw, 1),
            brightness=round(quality.brightness, 1),
        )


def _portrait(image: Image, box: Box) -> bytes:
    """The face with its surroundings, as JPEG."""
    more = MARGIN * box.width
    left, top = max(0, round(box.left - more)), max(0, round(box.top - more))
    cut = image[top : round(box.bottom + more), left : round(box.right + more)]
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(cut), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.tobytes()
