"""`whosthere verify`: is the person in front of the camera, or in a file, who they say they are?"""

import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from edge.capture.camera import EndOfRecording
from edge.capture.media_files import Media, media
from edge.capture.photos import PhotoError, read_reduced
from edge.capture.registry import open_camera
from edge.commands.context import gallery_option
from edge.commands.enroll_camera import StatusLine
from edge.commands.verify_window import open_window
from edge.config.camera import CameraSettings
from edge.config.loading import LoadedConfig, load_config_or_defaults
from edge.errors import CameraError, GalleryError
from edge.faces.analyser import Analyser
from edge.faces.loading import load_configured_analyser
from edge.galleries.additions import read_additions, with_additions
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery, Person
from edge.galleries.names import nobody_called
from edge.inspection.identity_check import CheckedLook, IdentityCheck, only
from edge.records import Image
from edge.terminal import NumberRange, config_option, echo, json_option, plural, print_json
from edge.visits.matcher import load_matcher
from edge.visits.thresholds import linking_thresholds, similarity_scale

EXIT_CODES = """\b
Exit codes:
  0  it is the person
  1  it is not, or nobody could be seen well enough
  2  wrong usage
  3  config
  4  model or gallery
  5  the camera gives no pictures, or FILE cannot be read
"""


class VerificationReport(msgspec.Struct, frozen=True):
    """`whosthere verify --json`."""

    person_id: str
    person_name: str
    verified: bool
    similarity: float | None
    """All usable faces together, compared with the person; None: there was no usable face."""
    threshold: float
    false_match_rate: float | None
    """How often somebody else is as similar to this person."""
    usable_faces: int
    seconds: float | None
    """From the first picture to the answer; None for a photo."""
    problem: str | None
    """Why most faces could not be used, when none or too few could."""


@click.command(epilog=EXIT_CODES)
@click.option("--person", required=True, metavar="NAME", help="Whom to look for: a name or an id of the gallery.")
@click.option("--camera", is_flag=True, help="Look through the camera of config.yaml. Stop the service first.")
@click.option(
    "--timeout",
    "timeout_s",
    type=NumberRange(1, 3600),
    default=10.0,
    show_default=True,
    help="Give up after this many seconds of video. A recording may end sooner.",
)
@click.option(
    "--window/--no-window",
    default=None,
    help="Show the pictures in a window, with box, landmarks and similarity.  [default: if there is a display, and "
    "OpenCV can open windows]",
)
@gallery_option
@json_option
@config_option
@click.argument("file", required=False, type=click.Path(path_type=Path))
def command(
    person: str,
    camera: bool,
    timeout_s: float,
    window: bool | None,
    gallery_path: Path | None,
    as_json: bool,
    config_path: Path | None,
    file: Path | None,
) -> None:
    """Check that somebody is who they say they are, live or in FILE.

    FILE is a photo, a video, or a folder of a video's pictures.

    Compares the largest face with that person alone, so that the threshold is lower than where anybody may come. Video
    needs as many usable faces as a visit (visit.min_faces), and the answer comes as soon as they suffice.

    \b
      whosthere verify --person "Ada Lovelace" --camera
      whosthere verify --person ada-lovelace --json selfie.jpg
    """
    if camera == (file is not None):
        raise click.UsageError("found neither or both of FILE and --camera; give one of them")
    loaded = load_config_or_defaults(config_path)
    analyser = load_configured_analyser(loaded)
    wanted = _person(loaded, gallery_path, analyser, person)
    still = file is not None and not file.is_dir() and media(file) is not Media.VIDEO
    if still and window:
        raise click.UsageError(f"--window: found with {file}, a photo; allowed with a video or --camera")
    check = _check(loaded, analyser, *wanted, min_faces=1 if still else loaded.config.visit.min_faces)
    if file is not None and still:
        seconds = None
        check.look(_photo(file), 0.0)
    else:
        source = loaded if file is None else _with_source(loaded, file)
        seconds = _watch(source, check, wanted[1], timeout_s, window=window)
    report = _report(check, wanted[1], seconds)
    print_json(report) if as_json else echo(_in_words(report))
    if not report.verified:
        sys.exit(1)


def _person(loaded: LoadedConfig, path: Path | None, analyser: Analyser, name: str) -> tuple[Gallery, Person]:
    """Raises GalleryError when nobody who has not expired is called that."""
    path = path or loaded.gallery_path
    embedder = analyser.embedder
    gallery = open_gallery(path, embedder.id, loaded.gallery_keys, embedder.dimensions)
    additions = read_additions(path, embedder.id, loaded.gallery_keys, embedder.dimensions)
    everybody = with_additions(gallery, additions)
    found = everybody.person(name)
    if found is None:
        raise GalleryError(f"{path}: {nobody_called(name, (p.name for p in everybody.people))}")
    if found not in everybody.unexpired(datetime.now(UTC)).people:
        raise GalleryError(f"{path}: the consent of {found.name} expired on {found.expires_at:%Y-%m-%d}")
    return everybody, found


def _check(loaded: LoadedConfig, analyser: Analyser, gallery: Gallery, person: Person, min_faces: int) -> IdentityCheck:
    embedder = analyser.embedder
    matcher = load_matcher(loaded, embedder.card, only(gallery, person))
    linking = linking_thresholds(similarity_scale(loaded.config.match, embedder.card))
    return IdentityCheck(analyser, matcher, linking, min_faces)


def _photo(file: Path) -> Image:
    try:
        return read_reduced(file)[0]
    except PhotoError as error:
        raise CameraError(str(error)) from error


def _with_source(loaded: LoadedConfig, file: Path) -> LoadedConfig:
    """A file is no picture of the box's camera: it is not turned, cut or played over and over as that one."""
    known = loaded.config.camera
    camera = CameraSettings(
        source=str(file.resolve()), fps=known.fps, preview_width=known.preview_width, realtime=False
    )
    return msgspec.structs.replace(loaded, config=msgspec.structs.replace(loaded.config, camera=camera))


def _watch(
    loaded: LoadedConfig, check: IdentityCheck, person: Person, timeout_s: float, *, window: bool | None
) -> float:
    """Look until the person is verified or the time is up; the seconds of video that took. Raises CameraError."""
    shown, line = open_window(window), StatusLine()
    began = now = None
    try:
        for image, at in _frames(loaded):
            began = at if began is None else began
            now = at
            look = check.look(image, at)
            line.show(_status(check, look))
            closed = shown is not None and not shown.show(image, look, check, person.name)
            if check.verified or closed or at - began >= timeout_s:
                break
    finally:
        line.end()
        if shown is not None:
            shown.close()
    return 0.0 if began is None or now is None else now - began


def _frames(loaded: LoadedConfig) -> Iterator[tuple[Image, float]]:
    with closing(open_camera(loaded.config.camera)) as camera:
        while True:
            try:
                frame = camera.read()
            except EndOfRecording:
                return
            yield frame.image, frame.captured_at


def _status(check: IdentityCheck, look: CheckedLook) -> str:
    if look.face is None:
        return "nobody is in view"
    if look.similarity is None:
        problem = look.face.quality.problem
        return f"not usable: {problem.replace('_', ' ') if problem else 'unclear'}"
    best = check.match.best if check.match else None
    fused = f", together {best.similarity:.2f}" if best else ""
    return f"similarity {look.similarity:.2f}{fused}, needed {check.threshold:.2f}; {plural(check.faces.count, 'face')}"


def _report(check: IdentityCheck, person: Person, seconds: float | None) -> VerificationReport:
    best = check.match.best if check.match else None
    main = check.faces.main_problem
    return VerificationReport(
        person.id,
        person.name,
        check.verified,
        round(best.similarity, 4) if best else None,
        round(check.threshold, 4),
        check.match.false_match_rate if check.match else None,
        check.faces.count,
        None if seconds is None else round(seconds, 2),
        main.value if main and not check.verified else None,
    )


def _in_words(report: VerificationReport) -> str:
    after = "" if report.seconds is None else f" after {report.seconds:.1f} s"
    if report.similarity is None:
        why = f"most often: {report.problem.replace('_', ' ')}" if report.problem else "nobody was seen"
        return f"not {report.person_name}: no usable face{after}; {why}"
    faces = plural(report.usable_faces, "usable face")
    said = f"similarity {report.similarity:.2f}, needed {report.threshold:.2f}, {faces}{after}"
    if report.verified:
        return f"{report.person_name}: {said}"
    few = "; too few usable faces" if report.similarity >= report.threshold else ""
    return f"not {report.person_name}: {said}{few}"
