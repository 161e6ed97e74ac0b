"""How sure the box was of a visit, in words for people who do not know what a threshold is."""

import msgspec

from edge.diary.listing import VisitLine
from edge.events import EventKind
from edge.records import Doubt, Problem

_RATES = ((1e-5, "very sure"), (1e-4, "sure"), (1e-3, "fairly sure"))
"""At most so many strangers are this similar to somebody in the gallery."""
_SEEN = {
    Problem.TOO_SMALL: "too far away",
    Problem.TOO_BLURRED: "too blurred",
    Problem.TOO_DARK: "too dark",
    Problem.TOO_BRIGHT: "too bright",
    Problem.TURNED_AWAY: "turned away",
    Problem.CUT_OFF: "cut off",
    Problem.NOT_A_FACE: "covered",
}
_DOUBTS = {
    Doubt.FEW_FACES: ", but too few good faces were seen to be sure",
    Doubt.TAKEN: ", but another face in the picture had that name",
    Doubt.GROUPS: "; the faces did not agree",
    Doubt.REJECTED: ", but it is nearer to a visit that you said was not them",
}


class Certainty(msgspec.Struct, frozen=True):
    """`level` is 0 (not at all) to 3 (very sure)."""

    level: int
    word: str
    text: str
    """A sentence that says why."""


def certainty(line: VisitLine) -> Certainty:
    """How sure the box was of its last decision about a visit."""
    match line.decision:
        case EventKind.RECOGNIZED:
            return _named(line)
        case EventKind.UNKNOWN:
            return _stranger(line)
        case EventKind.UNCERTAIN:
            return Certainty(1, "not sure", _uncertain(line))
        case EventKind.NO_USABLE_FACE:
            return Certainty(0, "could not tell", _unseen(line))
    return Certainty(0, "could not tell", "No face was seen for long enough.")


def _named(line: VisitLine) -> Certainty:
    rate = line.false_match_rate
    if rate is None:
        return Certainty(2, "sure", "The similarity is above your threshold.")
    word = next((word for most, word in _RATES if rate <= most), "not very sure")
    level = {"very sure": 3, "sure": 2, "fairly sure": 2}.get(word, 1)
    # To two digits, which is as well as anybody knows it.
    strangers = max(1.0, float(f"{1 / rate:.2g}"))
    return Certainty(level, word, f"One stranger in {strangers:,.0f} looks this much like somebody you know.")


def _uncertain(line: VisitLine) -> str:
    likely = " or ".join(one.name for one in line.candidates)
    if not likely:
        return "The faces did not agree."
    what = _DOUBTS.get(line.doubt, "; too close to call") if line.doubt else ""
    return f"It may be {likely}{what}."


def _stranger(line: VisitLine) -> Certainty:
    if line.best is None or line.threshold is None:
        return Certainty(3, "a stranger", "Nobody is enrolled yet.")
    if line.best.similarity >= line.threshold:
        text = f"Much like {line.best.name}, but nearer to a visit that you said was not them."
        return Certainty(1, "not sure", text)
    if line.best.similarity >= line.threshold - 0.1:
        return Certainty(1, "not sure", f"Rather like {line.best.name}, but not enough for a name.")
    return Certainty(3, "a stranger", f"Nobody whom you have enrolled looks like this; {line.best.name} comes nearest.")


def _unseen(line: VisitLine) -> str:
    if not line.refused:
        return "No face was good enough."
    reason = max(line.refused, key=lambda name: line.refused[name])
    return f"Every face was unusable, most often {_SEEN.get(Problem(reason), reason)}."
