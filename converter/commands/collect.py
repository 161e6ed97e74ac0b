"""`whosthere-converter collect`: a camera or a video -> photos of a person for a data set."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import cv2
import numpy as np

from converter.collect import Collected, GoodPhoto, collect
from converter.contact_sheet import band
from converter.datasets import DatasetError
from converter.files import write_whole
from edge.bare_address import ExistingPath
from edge.capture.camera import EndOfRecording
from edge.capture.registry import open_camera
from edge.config.camera import CameraSettings
from edge.config.loading import load_config_or_defaults
from edge.errors import UsageError
from edge.faces.likeness import LikenessBar
from edge.faces.loading import load_configured_analyser
from edge.galleries import names
from edge.records import Image
from edge.terminal import NumberRange, config_option, echo, plural
from edge.visits.thresholds import similarity_scale

JPEG_QUALITY = 95
NUMBERED = re.compile(r"[0-9]{1,9}")
"""The names of photos that were collected; others have their own."""

EXIT_CODES = """\b
Exit codes:
  0  the photos are written
  1  no frame could be used
  3  config
  4  a model is at fault
  5  the camera cannot be used
"""


@click.command("collect", epilog=EXIT_CODES)
@click.option("--person", required=True, help="The name of the person: that of their folder.")
@click.option("--camera", help="The camera: a source as in config.yaml, such as v4l2:0 or rtsp://....")
@click.option("--video", type=ExistingPath(), help="A video, or a folder of frames, instead of a camera.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DATASET",
    help="The data set: the folder of people. The photos go in DATASET/NAME.",
)
@click.option(
    "--count", type=click.IntRange(1, 200), default=24, show_default=True, help="How many photos to choose at most."
)
@click.option(
    "--every",
    "every_s",
    type=NumberRange(0.05, 60),
    default=0.3,
    show_default=True,
    help="How many seconds lie between two frames that are looked at.",
)
@click.option(
    "--start",
    "start_s",
    type=NumberRange(0),
    default=0.0,
    show_default=True,
    help="At which second of the camera or the video to begin.",
)
@click.option(
    "--seconds",
    type=NumberRange(1, 3600),
    default=60.0,
    show_default=True,
    help="How many seconds of the camera or the video to use.",
)
@config_option
def command(
    person: str, camera: str | None, video: Path | None, output: Path, count: int, every_s: float, start_s: float,
    seconds: float, config_path: Path | None,
) -> None:  # fmt: skip
    """Collect photos of one person for `train`, `enroll` and `evaluate`: good ones that differ in pose and light.

    A frame counts only if it shows one face, good enough for a template. Faces unlike most of the others are left out.
    Photos that are there already stay. A contact sheet beside DATASET shows every good face and its result.

    \b
    Example:
      whosthere-converter collect --video ada.mp4 --person "Ada Lovelace" -o dataset
    """
    if bool(camera) == bool(video):
        raise UsageError("found neither or both of --camera and --video; give one of them")
    if every_s > seconds:
        raise UsageError(f"--every: found {every_s:g}; allowed: at most the {seconds:g} of --seconds")
    if problem := names.problem(person):
        raise UsageError(f"--person: found {person!r}, which cannot be a name: {problem}")
    if "/" in person or person.startswith("."):
        raise UsageError(f"--person: found {person!r}; allowed: what can be the name of a folder, and is not hidden")
    loaded = load_config_or_defaults(config_path)
    analyser = load_configured_analyser(loaded)
    bar = LikenessBar(similarity_scale(loaded.config.match, analyser.embedder.card))
    settings = CameraSettings(source=camera or str(video), realtime=False, loop=False)
    found = collect(_frames(settings, every_s, start_s, start_s + seconds), analyser, bar, count)
    reasons = ", ".join(f"{why}: {times}" for why, times in found.refused.most_common())
    if not found.photos:
        raise DatasetError(f"no usable face in {plural(found.frames, 'frame')} ({reasons or 'there are none'})")
    folder = output / names.tidy(person)
    written = _write(found.photos, folder)
    sheet = output.with_name(f"{output.name}-{folder.name}.png")
    write_whole(sheet, _sheet(folder.name, found))
    echo(
        f"{folder}: {plural(len(written), 'photo')}, {written[0].name} to {written[-1].name}, "
        f"from {plural(found.frames, 'frame')}; {sheet}"
    )
    if reasons:
        echo(f"frames left out: {reasons}", err=True)


def _frames(settings: CameraSettings, every_s: float, start_s: float, end_s: float) -> Iterator[tuple[float, Image]]:
    """(seconds from the first frame, picture), spaced out, in a part of what there is. Raises CameraError."""
    with closing(open_camera(settings)) as source:
        began, due = None, start_s
        while True:
            try:
                frame = source.read()
            except EndOfRecording:
                return
            began = frame.captured_at if began is None else began
            at_s = frame.captured_at - began
            if at_s > end_s:
                return
            if at_s >= due:
                due = at_s + every_s
                yield at_s, frame.image


def _write(photos: list[GoodPhoto], folder: Path) -> list[Path]:
    """Write the photos beside those that are there, with the next free numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = [int(path.stem) for path in folder.glob("*.jpg") if NUMBERED.fullmatch(path.stem)]
    paths = []
    for number, photo in enumerate(photos, max(taken, default=0) + 1):
        paths.append(folder / f"{number:04}.jpg")
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        write_whole(paths[-1], cv2.imencode(".jpg", photo.picture, quality)[1].tobytes())
    return paths


def _sheet(name: str, found: Collected) -> bytes:
    title = f"{name}: {len(found.photos)} of {len(found.verdicts)} good faces, {plural(found.frames, 'frame')}"
    return cv2.imencode(".png", np.asarray(band(title, found.verdicts)))[1].tobytes()
