"""Boxes and names drawn on a picture."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

import cv2

from edge.galleries.names import plain
from edge.records import Box, Image, Match, Outcome, Problem

FONT = cv2.FONT_HERSHEY_SIMPLEX
MIN_TEXT_PX = 11
"""Smaller letters are unreadable."""


class Tone(Enum):
    """Colours, BGR."""

    KNOWN = (76, 142, 38)
    UNKNOWN = (54, 60, 200)
    UNCERTAIN = (20, 130, 220)
    UNDECIDED = (120, 120, 120)


_TONES = {
    Outcome.RECOGNIZED: Tone.KNOWN,
    Outcome.UNKNOWN: Tone.UNKNOWN,
    Outcome.UNCERTAIN: Tone.UNCERTAIN,
}


@dataclass(frozen=True, slots=True)
class Note:
    """A mark on one face."""

    box: Box
    text: str
    """May be empty: only a box is drawn."""
    tone: Tone


def note(box: Box, match: Match | None, problem: Problem | None = None) -> Note:
    """Make the note for a face: the match if there is one, otherwise the problem, otherwise no text."""
    if match is not None:
        return Note(box, _caption(match), _TONES[match.outcome])
    return Note(box, problem.value.replace("_", " ") if problem else "", Tone.UNDECIDED)


def _caption(match: Match) -> str:
    best = match.best
    if best is None or match.outcome is Outcome.UNKNOWN:
        return "unknown" + (f" {best.similarity:.2f}" if best else "")
    names = " or ".join(candidate.name for candidate in match.contenders)
    return f"{names}? {best.similarity:.2f}" if names else f"{best.name} {best.similarity:.2f}"


def annotate(image: Image, notes: Iterable[Note]) -> Image:
    """Draw notes on a copy of a BGR picture, in sizes that suit the picture."""
    canvas = image.copy()
    short_side = min(image.shape[:2])
    line = max(1, round(short_side / 240))
    text_px = max(MIN_TEXT_PX, round(short_side / 30))
    notes = list(notes)
    for each in notes:
        box = each.box
        corners = (round(box.left), round(box.top)), (round(box.right), round(box.bottom))
        cv2.rectangle(canvas, *corners, each.tone.value, line, cv2.LINE_AA)
    # All boxes first, so that none crosses a neighbour's name.
    patches: list[Box] = []
    for each in notes:
        if each.text:
            patches.append(_label(canvas, each, text_px, patches))
    return canvas


def _label(canvas: Image, each: Note, text_px: int, others: list[Box]) -> Box:
    """Write the text on a patch next to the box; return the patch."""
    text = drawable(each.text)
    scale, weight = _fitting(text, text_px, canvas.shape[1])
    (across, up), below = cv2.getTextSize(text, FONT, scale, weight)
    pad = max(2, up // 3)
    patch = _free_place(each.box, across + 2 * pad, up + below + pad, canvas.shape[:2], others)
    left, top = round(patch.left), round(patch.top)
    cv2.rectangle(canvas, (left, top), (round(patch.right), round(patch.bottom)), each.tone.value, cv2.FILLED)
    origin = (left + pad, top + pad // 2 + up)
    cv2.putText(canvas, text, origin, FONT, scale, (255, 255, 255), weight, cv2.LINE_AA)
    return patch


def _free_place(box: Box, width: int, height: int, size: tuple[int, ...], others: list[Box]) -> Box:
    """Find a place where a patch covers no other: above or below the box, flush with its left or right side."""
    corners = itertools.product((box.top - height, box.bottom), (box.left, box.right - width))
    places = [Box(left, top, left + width, top + height) for top, left in corners]
    picture = Box(0, 0, size[1], size[0])
    clamped = [_inside(place, picture) for place in places]
    free = [place for place in clamped if not any(place.overlap_px(other) for other in others)]
    whole = [place for place in free if not place.overlap_px(box)]
    return (whole or free or clamped)[0]


def _inside(box: Box, picture: Box) -> Box:
    """Move a box into the picture, by whole pixels."""
    left = max(0, min(round(box.left), round(picture.right - box.width)))
    top = max(0, min(round(box.top), round(picture.bottom - box.height)))
    return Box(left, top, left + box.width, top + box.height)


def _fitting(text: str, text_px: int, width: int) -> tuple[float, int]:
    """Return font scale and stroke for letters of that height, or smaller if the text would not fit in the picture."""
    weight = max(1, round(text_px / 14))
    (across, up), _ = cv2.getTextSize(text, FONT, 1.0, 1)
    scale = min(text_px / max(1, up), 0.94 * width / max(1, across))
    return scale, weight


def drawable(text: str) -> str:
    """Return as much of a text as OpenCV can draw: all of it from version 5, only plain Latin letters before."""
    return text if int(cv2.__version__.split(".")[0]) >= 5 else plain(text)
