"""Notes on a picture: the right words in the right colour, inside the picture, not on a neighbouring face."""

import numpy as np
import pytest

from edge.faces.annotate import Note, Tone, annotate, note
from edge.records import Box, Candidate, Doubt, Match, Outcome, Problem

ADA, BEN = Candidate("ada", "Ada Lovelace", 0.81), Candidate("ben", "Ben", 0.79)
UNSURE = Tone.UNCERTAIN
BOX = Box(200, 150, 300, 280)


@pytest.mark.parametrize(
    ("match", "problem", "text", "tone"),
    [
        (Match(Outcome.RECOGNIZED, ADA, BEN, 0.5, None), None, "Ada Lovelace 0.81", Tone.KNOWN),
        (Match(Outcome.UNKNOWN, Candidate("ben", "Ben", 0.2), None, 0.5, None), None, "unknown 0.20", Tone.UNKNOWN),
        (Match(Outcome.UNKNOWN, None, None, 0.5, None), None, "unknown", Tone.UNKNOWN),
        (Match(Outcome.UNCERTAIN, ADA, BEN, 0.5, None), None, "Ada Lovelace or Ben? 0.81", Tone.UNCERTAIN),
        (
            Match(Outcome.UNCERTAIN, ADA, BEN, 0.8, None, Doubt.MARGIN),
            None,
            "Ada Lovelace or Ben? 0.81",
            Tone.UNCERTAIN,
        ),
        (Match(Outcome.UNCERTAIN, ADA, BEN, 0.8, None, Doubt.TAKEN), None, "Ada Lovelace? 0.81", Tone.UNCERTAIN),
        (None, Problem.TOO_BLURRED, "too blurred", Tone.UNDECIDED),
        (None, None, "", Tone.UNDECIDED),
    ],
)
def test_the_words(match: Match | None, problem: Problem | None, text: str, tone: Tone) -> None:
    assert note(BOX, match, problem) == Note(BOX, text, tone)


def test_a_copy_is_drawn_on_around_the_face_and_not_over_it() -> None:
    image = np.full((480, 640, 3), 255, np.uint8)
    image.flags.writeable = False
    marked = annotate(image, [Note(BOX, "Ada", Tone.KNOWN)])
    assert image.min() == 255
    changed = np.argwhere((marked != image).any(axis=2))
    assert changed.min(axis=0)[0] < 150
    inside = marked[156:274, 206:294]
    assert (inside == 255).all()
    assert (marked[150:281, 200] == Tone.KNOWN.value).all()


@pytest.mark.parametrize("corner", [(0, 0), (580, 0), (0, 420), (580, 420), (-30, -30), (620, 460)])
def test_the_words_stay_in_the_picture(corner: tuple[int, int]) -> None:
    left, top = corner
    image = np.zeros((480, 640, 3), np.uint8)
    marked = annotate(image, [Note(Box(left, top, left + 60, top + 60), "Ada Lovelace 0.81", Tone.UNKNOWN)])
    assert (marked > 180).all(axis=2).sum() > 100


@pytest.mark.parametrize("size", [(1, 1), (20, 30), (40, 4000), (3000, 2000)])
def test_any_size_of_picture_and_name(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    notes = [
        Note(Box(0, 0, size[1] / 2, size[0] / 2), "Grace Hopper " * 20, Tone.KNOWN),
        Note(BOX, "山田 Zoë", Tone.KNOWN),
    ]
    assert annotate(image, notes).shape == image.shape


def test_neighbours_names_do_not_cover_each_other() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    tones = (Tone.KNOWN, Tone.UNKNOWN)
    notes = [Note(BOX.moved(75 * i, 8 * i), "Ada Lovelace 0.81", tone) for i, tone in enumerate(tones)]
    together = annotate(image, notes)
    for each in notes:
        alone = (annotate(image, [each]) == each.tone.value).all(axis=2).sum()
        drawn = (together == each.tone.value).all(axis=2).sum()
        assert drawn > 0.85 * alone
