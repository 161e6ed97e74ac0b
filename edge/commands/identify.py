"""`whosthere identify`: who is in these pictures and videos."""

from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from pathlib import Path

import click
import msgspec

from edge.capture.clip import open_clip
from edge.capture.media_files import Media, expand, media
from edge.capture.photos import PhotoError, read_reduced
from edge.commands import identify_rows
from edge.commands.context import gallery_option
from edge.commands.identify_copies import Copies
from edge.commands.identify_labels import classify
from edge.commands.identify_rows import CsvFile, IdentifyRow, RowOutcome
from edge.config.loading import Config, load_config_or_defaults
from edge.errors import CameraError, UsageError, WhosthereError
from edge.faces.analyser import Analyser
from edge.faces.annotate import note
from edge.faces.loading import load_configured_analyser
from edge.galleries.additions import read_additions, with_additions
from edge.galleries.corrections import read_corrections
from edge.galleries.file import open_gallery
from edge.inspection.identify_picture import identify_image
from edge.inspection.identify_recording import identify_video
from edge.terminal import (
    config_option,
    echo,
    json_option,
    path_text,
    plural,
    print_json,
    print_left_out,
    progress,
    safe,
)
from edge.visits.matcher import Matcher, load_matcher

EXIT_CODES = """\b
Exit codes:
  0  every file was read, whether anybody in it is known or not
  1  some file could not be read, or a copy could not be written
  2  wrong usage
  3  config
  4  model or gallery
"""


FEWEST_FRAMES = 3
"""A visit needs a face in as many frames; a clip of fewer is answered like a photo."""


class IdentifyReport(msgspec.Struct, frozen=True):
    """`whosthere identify --json`."""

    gallery: str
    gallery_version: int
    embedder: str
    threshold: float
    min_margin: float
    rows: list[IdentifyRow]


@click.command(epilog=EXIT_CODES)
@gallery_option
@click.option(
    "--csv",
    "csv_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the rows to this CSV file: one per face or visit, with all figures.",
)
@click.option(
    "--annotate",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write a copy of every file into this folder, with boxes and names drawn on it.",
)
@click.option(
    "--classify",
    "by_label",
    is_flag=True,
    help="Print the label of each face and its probability, by the head of a label classifier, which "
    "`whosthere-converter convert` keeps. It takes photos only, and needs no gallery.",
)
@click.option(
    "--model",
    metavar="CARD",
    help="The card of the classifier, for --classify. Without it, the embedder that config.yaml names.",
)
@json_option
@config_option
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(
    gallery_path: Path | None,
    csv_path: Path | None,
    folder: Path | None,
    by_label: bool,
    model: str | None,
    as_json: bool,
    config_path: Path | None,
    paths: tuple[Path, ...],
) -> None:
    """Say who is in pictures and videos: as a table, as CSV, and on annotated copies.

    PATHS are images, videos, GIFs, or folders of them at any depth. An image gives one row per face. A video gives one
    row per visit, decided exactly as the daemon would decide.

    \b
      whosthere identify holiday.jpg
      whosthere identify --csv visitors.csv --annotate marked/ recordings/
      whosthere identify --classify --model mine/classifier-fp32.yaml holiday.jpg
    """
    loaded = load_config_or_defaults(config_path)
    copies = Copies(folder) if folder else None
    if by_label:
        if gallery_path:
            raise UsageError("--gallery: found with --classify, which asks a classifier; give one of them")
        _conclude(*classify(loaded, model, paths, csv_path, copies, as_json=as_json))
        return
    if model:
        raise UsageError("--model belongs to --classify; the embedder that a gallery belongs to is in config.yaml")
    path = gallery_path or loaded.gallery_path
    analyser = load_configured_analyser(loaded)
    gallery = open_gallery(path, analyser.embedder.id, loaded.gallery_keys, analyser.embedder.dimensions)
    embedder = analyser.embedder
    additions = read_additions(path, embedder.id, loaded.gallery_keys, embedder.dimensions)
    corrections = read_corrections(path, embedder.id, embedder.dimensions)
    matcher = load_matcher(loaded, embedder.card, with_additions(gallery, additions), corrections)
    left_out: list[str] = []
    files = [f for f in expand(paths, videos=True, left_out=left_out) if copies is None or not copies.holds(f[0])]
    print_left_out(left_out)
    batch = Batch(analyser, matcher, loaded.config, copies)
    rows: list[IdentifyRow] = []
    with closing(CsvFile(csv_path)) if csv_path else nullcontext() as table:
        for some in batch.run(files):
            rows += some
            if table is not None:
                table.add(some)
    if as_json:
        shown, version = path_text(path), gallery.header.version
        print_json(IdentifyReport(shown, version, analyser.embedder.name, matcher.threshold, matcher.min_margin, rows))
    else:
        echo(identify_rows.as_table(rows))
    bad = [(row.file, row.problem or "") for row in rows if row.outcome is RowOutcome.UNREADABLE]
    _conclude(bad, len(files))


class Batch:
    """Identifies one file after another."""

    def __init__(self, analyser: Analyser, matcher: Matcher, config: Config, copies: Copies | None) -> None:
        self._analyser = analyser
        self._matcher = matcher
        self._config = config
        self._copies = copies

    def run(self, files: Sequence[tuple[Path, Path]]) -> Iterator[list[IdentifyRow]]:
        """The rows of each file; one that cannot be read has a row that says so."""
        for path, inside in progress(files, "Identifying"):
            shown = path_text(path)
            try:
                yield self._video(path, inside, shown) if is_video(path) else self._image(path, inside, shown)
            except PhotoError as error:
                yield [identify_rows.unreadable(shown, error.reason)]
            except CameraError as error:
                yield [identify_rows.unreadable(shown, str(error).removeprefix(f"{path}: "))]

    def _image(self, path: Path, inside: Path, shown: str) -> list[IdentifyRow]:
        image, reduction = read_reduced(path)
        faces = identify_image(self._analyser, self._matcher, image)
        if self._copies:
            notes = [note(face.box, face.match, face.quality.problem) for face in faces]
            self._copies.image(path, inside, image, notes)
        return identify_rows.of_image(shown, faces, reduction)

    def _video(self, path: Path, inside: Path, shown: str) -> list[IdentifyRow]:
        with closing(self._copies.video(path, inside)) if self._copies else nullcontext() as copy:
            on_frame = copy.frame if copy else None
            found = identify_video(self._analyser, self._matcher, self._config, path, on_frame)
        if found.error is None and not found.visits and 0 < found.frames < FEWEST_FRAMES:
            return self._short(path, shown)
        rows = identify_rows.of_video(shown, found.visits)
        if found.error is None:
            return rows
        broken = identify_rows.unreadable(shown, found.error.removeprefix(f"{path}: "))
        return [*(rows if found.visits else []), broken]

    def _short(self, path: Path, shown: str) -> list[IdentifyRow]:
        """The faces of a clip too short for a visit: those of its first frame, as of a photo."""
        with closing(open_clip(path, self._config.camera.fps)) as clip:
            clip.grab()
            faces = identify_image(self._analyser, self._matcher, clip.picture())
        return identify_rows.of_image(shown, faces)


def is_video(path: Path) -> bool:
    """Whether a file is a video, by its content or else by its name. What is neither is tried as a video."""
    kind = media(path)
    return kind is Media.VIDEO or (kind is None and path.is_file())


def _conclude(bad: Sequence[tuple[str, str]], files: int) -> None:
    """Raises WhosthereError that lists the files, each with the reason, that could not be read."""
    if bad:
        listed = "".join(f"\n  {safe(file)}: {reason}" for file, reason in bad)
        raise WhosthereError(f"{len(bad)} of {plural(files, 'file')} could not be read:{listed}")
