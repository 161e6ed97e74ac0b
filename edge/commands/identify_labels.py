"""`whosthere identify --classify`: the label of each face, by a label classifier's own head."""

from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from enum import StrEnum
from pathlib import Path

import msgspec

from edge.capture.media_files import expand
from edge.capture.photos import PhotoError, read_reduced
from edge.commands.identify_copies import Copies
from edge.commands.identify_rows import CsvFile
from edge.config.loading import LoadedConfig
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.annotate import Note, Tone
from edge.faces.label_classifier import LabelClassifier
from edge.faces.loading import load_configured_analyser
from edge.faces.still_image import all_portraits
from edge.models.embedder_choice import choose_embedder
from edge.terminal import echo, path_text, print_json, print_left_out, progress, table


class LabelOutcome(StrEnum):
    """The `outcome` of a row."""

    LABELLED = "labelled"
    NO_USABLE_FACE = "no_usable_face"
    NO_FACE = "no_face"
    UNREADABLE = "unreadable"


class LabelRow(msgspec.Struct, frozen=True, kw_only=True):
    """One face and its label; the fields are the columns of the CSV file."""

    file: str
    outcome: LabelOutcome
    face: int | None = None
    """1, 2, ... from left to right."""
    label: str | None = None
    """The most probable one. A classifier calls strangers by one of its labels too."""
    probability: float | None = None
    second_label: str | None = None
    second_probability: float | None = None
    quality: float | None = None
    problem: str | None = None
    """Why a face is not usable, or a file not readable."""
    detection_score: float | None = None
    left_px: int | None = None
    top_px: int | None = None
    width_px: int | None = None
    height_px: int | None = None


class LabelReport(msgspec.Struct, frozen=True):
    """`whosthere identify --classify --json`."""

    embedder: str
    labels: list[str]
    rows: list[LabelRow]


def classify(
    loaded: LoadedConfig, model: str | None, paths: Sequence[Path], csv_path: Path | None, copies: Copies | None,
    *, as_json: bool,
) -> tuple[list[tuple[str, str]], int]:  # fmt: skip
    """Print the label of every face in the photos. Return (file, why) of those that cannot be read, and how many were.

    `model`: the card of the classifier; None: the embedder of config.yaml. Raises ModelError and WhosthereError.
    """
    loaded = _with_embedder(loaded, model)
    analyser = load_configured_analyser(loaded)
    classifier = LabelClassifier(analyser.embedder, choose_embedder(loaded.config.models, loaded.base).path)
    left_out: list[str] = []
    files = [f for f in expand(paths, videos=False, left_out=left_out) if copies is None or not copies.holds(f[0])]
    print_left_out(left_out)
    rows: list[LabelRow] = []
    with closing(CsvFile(csv_path, LabelRow.__struct_fields__)) if csv_path else nullcontext() as written:
        for some in _rows(files, analyser, classifier, copies):
            rows += some
            if written is not None:
                written.add(some)
    if as_json:
        print_json(LabelReport(analyser.embedder.name, classifier.labels, rows))
    else:
        echo(_table(rows))
    bad = [(row.file, row.problem or "") for row in rows if row.outcome is LabelOutcome.UNREADABLE]
    return bad, len(files)


def _with_embedder(loaded: LoadedConfig, model: str | None) -> LoadedConfig:
    if model is None:
        return loaded
    # A path is relative to where the command runs, not to config.yaml.
    named = str(Path(model).absolute()) if model.endswith((".yaml", ".yml")) else model
    models = msgspec.structs.replace(loaded.config.models, embedder=named)
    return msgspec.structs.replace(loaded, config=msgspec.structs.replace(loaded.config, models=models))


def _rows(
    files: Sequence[tuple[Path, Path]], analyser: Analyser, classifier: LabelClassifier, copies: Copies | None
) -> Iterator[list[LabelRow]]:
    for path, inside in progress(files, "Classifying"):
        shown = path_text(path)
        try:
            image, reduction = read_reduced(path)
        except PhotoError as error:
            yield [LabelRow(file=shown, outcome=LabelOutcome.UNREADABLE, problem=error.reason)]
            continue
        faces = sorted(all_portraits(analyser, image), key=lambda face: face.face.box.centre)
        found = [_row(shown, number, face, classifier, reduction) for number, face in enumerate(faces, 1)]
        if copies:
            copies.image(path, inside, image, [_note(face, row) for face, row in zip(faces, found, strict=True)])
        yield found or [LabelRow(file=shown, outcome=LabelOutcome.NO_FACE)]


def _row(file: str, number: int, face: AnalysedFace, classifier: LabelClassifier, reduction: int) -> LabelRow:
    box = face.face.box.scaled(reduction)
    usable = face.quality.usable
    first, second, *_ = classifier.ranked(face.crop) if usable else (None, None)
    return LabelRow(
        file=file,
        outcome=LabelOutcome.LABELLED if usable else LabelOutcome.NO_USABLE_FACE,
        face=number,
        label=first.label if first else None,
        probability=round(first.probability, 4) if first else None,
        second_label=second.label if second else None,
        second_probability=round(second.probability, 4) if second else None,
        quality=round(face.quality.score, 4),
        problem=face.quality.problem,
        detection_score=round(face.face.score, 4),
        left_px=round(box.left),
        top_px=round(box.top),
        width_px=round(box.width),
        height_px=round(box.height),
    )


def _note(face: AnalysedFace, row: LabelRow) -> Note:
    if row.label is None:
        return Note(face.face.box, (row.problem or "").replace("_", " "), Tone.UNDECIDED)
    return Note(face.face.box, f"{row.label} {row.probability:.0%}", Tone.KNOWN)


HEADINGS = ("file", "face", "label", "probability", "second", "probability", "quality", "box")


def _table(rows: Sequence[LabelRow]) -> str:
    return table(HEADINGS, [_cells(row) for row in rows], frozenset({3, 5, 6}))


def _cells(row: LabelRow) -> tuple[str, ...]:
    box = (row.left_px, row.top_px, row.width_px, row.height_px)
    said = (row.problem if row.outcome is LabelOutcome.NO_USABLE_FACE else row.outcome) or row.outcome
    return (
        row.file,
        "" if row.face is None else str(row.face),
        row.label or f"{'not usable: ' * (row.outcome is LabelOutcome.NO_USABLE_FACE)}{said.replace('_', ' ')}",
        "" if row.probability is None else f"{row.probability:.1%}",
        row.second_label or "",
        "" if row.second_probability is None else f"{row.second_probability:.1%}",
        "" if row.quality is None else f"{row.quality:.2f}",
        "" if row.left_px is None else ",".join(str(v) for v in box),
    )
