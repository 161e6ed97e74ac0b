"""The contact sheet of an enrolment: every photo, framed and labelled with its result."""

from pathlib import Path

import cv2
import numpy as np

from converter.enroll import Build
from converter.files import write_whole
from converter.person_pictures import THUMBNAIL_PX
from converter.template_selection import Fate, PictureVerdict
from edge.errors import WhosthereError
from edge.faces.annotate import FONT, drawable
from edge.records import Image
from edge.terminal import plural

COLUMNS = 8
GAP_PX = 10
LABEL_PX = 26
CAPTION_PX = 34
BORDER_PX = 4
MAX_HEIGHT_PX = 20_000
"""Viewers refuse larger ones."""
INK, PAPER = (30, 30, 30), 250
COLOURS = {
    Fate.IN: (76, 142, 38),
    Fate.DUPLICATE: (170, 170, 170),
    Fate.SURPLUS: (170, 170, 170),
    Fate.SET_ASIDE: (20, 130, 220),
    Fate.REFUSED: (54, 60, 200),
}


def write_sheet(build: Build, path: Path) -> None:
    """Write the sheet as PNG. Raises WhosthereError naming the file when it cannot be written."""
    try:
        write_whole(path, cv2.imencode(".png", contact_sheet(build))[1].tobytes())
    except OSError as error:
        raise WhosthereError(f"{path}: cannot be written: {error.strerror}") from error


def contact_sheet(build: Build) -> Image:
    """A row or more for each person, up to a height that can still be opened."""
    bands, height = [], 0
    for number, person in enumerate(build.people):
        title = f"{person.folder.name}: {person.templates} of {plural(len(person.verdicts), 'photo')} enrolled"
        one = band(title, person.verdicts)
        if height + one.shape[0] > MAX_HEIGHT_PX:
            bands.append(_label(f"... and {len(build.people) - number} more people"))
            break
        bands.append(one)
        height += one.shape[0]
    return np.vstack(bands) if bands else _label("nobody")


def _width() -> int:
    return COLUMNS * (THUMBNAIL_PX + GAP_PX) + GAP_PX


def _label(text: str) -> Image:
    strip = np.full((LABEL_PX + GAP_PX, _width(), 3), PAPER, np.uint8)
    cv2.putText(strip, drawable(text), (GAP_PX, LABEL_PX), FONT, 0.6, INK, 1, cv2.LINE_AA)
    return strip


def band(title: str, verdicts: list[PictureVerdict]) -> Image:
    """A title, and below it every picture with its result."""
    rows = [verdicts[i : i + COLUMNS] for i in range(0, len(verdicts), COLUMNS)]
    return np.vstack([_label(title), *(_row(row) for row in rows)])


def _row(verdicts: list[PictureVerdict]) -> Image:
    row = np.full((THUMBNAIL_PX + CAPTION_PX + GAP_PX, _width(), 3), PAPER, np.uint8)
    for column, verdict in enumerate(verdicts):
        left = GAP_PX + column * (THUMBNAIL_PX + GAP_PX)
        row[:THUMBNAIL_PX, left : left + THUMBNAIL_PX] = verdict.thumbnail
        corner = left + THUMBNAIL_PX - 1, THUMBNAIL_PX - 1
        cv2.rectangle(row, (left, 0), corner, COLOURS[verdict.fate], BORDER_PX)
        for line, text in enumerate((verdict.fate.value, verdict.source)):
            place = left, THUMBNAIL_PX + 14 * (line + 1)
            cv2.putText(row, drawable(_short(text)), place, FONT, 0.38, INK, 1, cv2.LINE_AA)
    return row


def _short(text: str, most: int = 17) -> str:
    return text if len(text) <= most else "..." + text[3 - most :]
