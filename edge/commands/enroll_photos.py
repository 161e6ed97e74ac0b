"""Enrolment from photos: reads them, decides about all of them together, and takes what is new."""

from collections.abc import Sequence
from pathlib import Path

from edge.capture.media_files import expand
from edge.capture.photos import PhotoError, read_photo, shrunk
from edge.commands.identify_copies import Copies
from edge.errors import UsageError
from edge.faces.analyser import Analyser
from edge.faces.annotate import Note, Tone
from edge.faces.enrolment import Intake
from edge.faces.face_choice import ChosenFace
from edge.faces.photo_faces import PhotoFaces, Refusal, read_faces
from edge.people.enroll_result import PhotoReport
from edge.people.photo_intake import decide_all, enter
from edge.terminal import path_text, print_left_out, progress

PhotoFile = tuple[Path, Path]
"""A photo's path, and its path within the folder that was given."""


def take_photos(
    paths: Sequence[Path], picked: int | None, analyser: Analyser, intake: Intake, at: str, copies: Copies | None
) -> list[PhotoReport]:
    """Enrol photos into the intake, and report on each. With `copies`, mark the faces of photos that have several.

    `picked` is the number of the face to take. Raises UsageError when it comes with several photos.
    """
    left_out: list[str] = []
    files = [f for f in expand(paths, videos=False, left_out=left_out) if copies is None or not copies.holds(f[0])]
    print_left_out(left_out)
    if picked is not None and len(files) != 1:
        raise UsageError(f"--face: found {len(files)} photos; allowed: one, because every photo has its own faces")
    read = [_read(path, analyser) for path, _ in progress(files, "Reading photos")]
    decisions = decide_all(read, picked, analyser, intake)
    reports = []
    for file, faces, decision in zip(files, read, decisions, strict=True):
        if copies is not None and isinstance(faces, PhotoFaces) and len(faces.faces) > 1:
            mark(file, faces, decision.chosen if decision else None, copies)
        shown, source = path_text(file[0]), str(file[1])
        reports.append(enter(shown, source, faces, decision, intake, at))
    return reports


def _read(path: Path, analyser: Analyser) -> PhotoFaces | str:
    """The faces of a photo, or why it cannot be used."""
    try:
        return read_faces(analyser, shrunk(read_photo(path)))
    except PhotoError as error:
        return error.reason
    except Refusal as error:
        return str(error)


def mark(file: PhotoFile, faces: PhotoFaces, chosen: ChosenFace | None, copies: Copies) -> None:
    """Write a copy of a photo with the number of every face, the chosen one in the colour of known people."""
    notes = [
        Note(portrait.face.box, str(i), Tone.KNOWN if chosen and chosen.number == i else Tone.UNDECIDED)
        for i, portrait in enumerate(faces.faces, 1)
    ]
    copies.image(*file, shrunk(read_photo(file[0])), notes)
