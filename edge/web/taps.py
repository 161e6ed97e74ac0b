"""Errors for a phone: what says which command to run says here what to tap instead.

The texts come from code that the command line uses as well. What nothing on the page can do keeps its command.
"""

import re

_SAID = "“What you have said” on the page Visits"
_TAPS: tuple[tuple[str, str], ...] = (
    (r"use `visit name`", "tap “This is …”"),
    (r"`whosthere visits` lists them", "the page Visits has them all"),
    (r"`whosthere visit undo` takes that back", f"{_SAID} takes that back"),
    (r"\(`whosthere visit undo \S+?`\)", f"({_SAID})"),
    (r"`whosthere visit corrections`", _SAID),
    (r"`whosthere strangers list` shows all", "the page Strangers shows all"),
    (r"make one with `whosthere enroll --gallery [^`]*`", "add somebody on the page People"),
    (r"see `whosthere gallery show`", "see the page People"),
    (r"`whosthere gallery remove` one of them", "remove or merge one of them on the page People"),
    (r"with `whosthere enroll --camera`", "at the box's own camera, on the page People"),
    (r"`whosthere gallery list` shows ids and names", "the page People shows who is there"),
    (r"`journalctl -u whosthere -n 50` says why", "“Show the log” on the page Box says why"),
    (
        r"; give this photo alone, with --face and the number of the right face from the left(, or crop the photo)?",
        "; crop it to one face",
    ),
)
_PATTERNS = tuple((re.compile(pattern), tap) for pattern, tap in _TAPS)


def as_taps(text: str) -> str:
    """The text with taps in the place of commands."""
    for pattern, tap in _PATTERNS:
        text = pattern.sub(lambda _, tap=tap: tap, text)  # type: ignore[misc]
    return text
