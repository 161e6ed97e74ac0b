"""Enrolment with the live camera: counts down, says what is wrong, takes the good portraits."""

import sys

import click

from edge.capture.camera import Camera, EndOfRecording
from edge.capture.registry import open_camera
from edge.config.camera import CameraSettings
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.coach import Coach
from edge.faces.coached_frame import coach_frame
from edge.faces.enrolment import Intake
from edge.faces.face_choice import ChosenFace
from edge.models.similarity import same_person
from edge.people.enroll_result import PhotoOutcome, PhotoReport

SOURCE = "camera"


class StatusLine:
    """A line on standard error that is replaced as it changes; without a terminal, a new line for each change."""

    def __init__(self) -> None:
        self._moves = sys.stderr.isatty()
        self._text = ""

    def show(self, text: str) -> None:
        if text == self._text:
            return
        self._text = text
        click.echo(f"\r{text}\x1b[K" if self._moves else text, nl=not self._moves, err=True)

    def end(self) -> None:
        if self._moves and self._text:
            click.echo(err=True)


def take_portraits(
    settings: CameraSettings,
    analyser: Analyser,
    intake: Intake,
    count: int,
    timeout_s: float,
    at: str,
) -> tuple[list[PhotoReport], str | None]:
    """Take portraits into the intake. Returns them, and why there are too few; None when there are enough.

    Raises CameraError when the camera cannot be opened, or fails.
    """
    camera = open_camera(settings)
    coach, line = Coach(count, same_person(intake.bar.calibration), intake.known), StatusLine()
    try:
        reports = _watch(camera, analyser.for_enrolment(), intake, coach, line, timeout_s, at)
    finally:
        camera.close()
        line.end()
    return reports, None if coach.done else _too_few(coach, len(reports))


def _watch(
    camera: Camera, analyser: Analyser, intake: Intake, coach: Coach, line: StatusLine, timeout_s: float, at: str
) -> list[PhotoReport]:
    reports: list[PhotoReport] = []
    ends_at: float | None = None
    while not coach.done:
        try:
            frame = camera.read()
        except EndOfRecording:
            break
        ends_at = ends_at or frame.captured_at + timeout_s
        if frame.captured_at > ends_at:
            break
        advice, chosen = coach_frame(coach, analyser, frame.image, frame.captured_at)
        line.show(advice.text)
        if advice.taken is not None:
            intake.add(SOURCE, advice.taken, at)
            reports.append(_report(advice.taken, chosen))
    return reports


def _report(taken: AnalysedFace, chosen: ChosenFace | None) -> PhotoReport:
    quality = taken.quality.score
    if chosen is None:
        return PhotoReport(SOURCE, PhotoOutcome.ENROLLED, quality=quality, faces=1, face=1)
    return PhotoReport(
        SOURCE,
        PhotoOutcome.ENROLLED,
        quality=quality,
        faces=chosen.of,
        face=chosen.number,
        choice=chosen.why,
        by_size=True,
    )


def _too_few(coach: Coach, taken: int) -> str:
    mostly = f"; most often: {coach.main_trouble}" if coach.main_trouble else ""
    return f"only {taken} of {coach.count} portraits before the time or the recording ended{mostly}"
