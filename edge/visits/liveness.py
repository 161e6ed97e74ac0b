"""Is it a living person, or a print or a screen? What one visit shows, cue by cue, and one score from all of them.

The limits below follow from what the cues measure, and every cue has the same weight: no data set was fitted. What the
score is worth is measured in docs/50-accuracy.md. It is advice, and says little about a good replay.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from edge.sightings import LivenessLook, LivenessScore
from edge.visits.relief import turn_between

CUE_WEIGHT = 2.0
"""Log-odds of one cue at its full strength: one alone moves the score from 0.5 to 0.12 or 0.88."""
KEPT = 48
"""Looks kept per visit; beyond that, every second one is dropped."""
MIN_LOOKS = 3
"""A cue that was measured in fewer looks says nothing."""

REPLAYED = 0.5
"""The most that a cue counts in favour if a clip on a screen shows it as well: depth, and blinks."""
MIN_FORESHORTENING = 0.39
"""Sine of 23 degrees. A face that has turned less says nothing about its depth."""
FLAT_DEPTH, SOLID_DEPTH = 0.08, 0.20
"""Limits of `Turn.depth`. By geometry a plane has 0 and a head, whose nose stands out by a fifth of its height, about
0.3. The landmark network adds up to 0.08 of its own, as it always imagines a head."""
STAYS, FOLLOWS = 0.75, 0.3
"""Correlation of the surroundings with themselves where they were, and how much better they fit where the face went."""
BORDER_SIDES = 2
"""Straight edges beside, above and below a face; a wall behind a person shows up to two."""
BLINK = 0.72
"""An eye that is less open than this share of the usual, for a moment, is closed."""
BLINK_S = 0.6
BLINK_TURN_DEG = 8.0
"""A head that nods more than this seems to close its eyes."""
MOIRE, MOIRE_FULL = 2.2, 2.8
"""Decades by which the highest peak of the face's spectrum stands above its ring; noise alone reaches 2.1 (1 % of
photos)."""


@dataclass(slots=True)
class LivenessEvidence:
    """Grows by one look at a time."""

    looks: list[LivenessLook] = field(default_factory=list)

    def add(self, look: LivenessLook) -> None:
        self.looks.append(look)
        if len(self.looks) > KEPT:
            del self.looks[1::2]

    def absorb(self, other: "LivenessEvidence") -> None:
        """Add what another visit of the same person showed."""
        for look in other.looks:
            self.add(look)

    def score(self) -> LivenessScore | None:
        """None: no cue could be measured."""
        cues = {name: value for name, cue in CUES.items() if (value := cue(self.looks)) is not None}
        if not cues:
            return None
        odds = CUE_WEIGHT * sum(cues.values())
        return LivenessScore(1 / (1 + math.exp(-odds)), cues)


def depth(looks: Sequence[LivenessLook]) -> float | None:
    """Whether the face that turned has depth."""
    if not looks:
        return None
    front = min(looks, key=lambda look: look.pose.off_axis)
    turns = (turn_between(front.mesh, look.mesh) for look in looks if look is not front)
    seen = [turn.depth for turn in turns if turn.foreshortening >= MIN_FORESHORTENING]
    if len(seen) < MIN_LOOKS:
        return None
    middle = (FLAT_DEPTH + SOLID_DEPTH) / 2
    solid = _limited((statistics.median(seen) - middle) / (SOLID_DEPTH - middle))
    return min(solid, REPLAYED)


def surroundings(looks: Sequence[LivenessLook]) -> float | None:
    """Whether what is around the face stayed where it was when the face moved, or went with it."""
    seen = [look.surroundings for look in looks if look.surroundings is not None]
    if len(seen) < MIN_LOOKS:
        return None
    stays = statistics.median(fit.stays for fit in seen)
    goes = statistics.median(fit.follows for fit in seen)
    if stays >= STAYS and stays > goes:
        return 1.0
    return min(0.0, _limited((stays - goes) / FOLLOWS))


def border(looks: Sequence[LivenessLook]) -> float | None:
    """Whether straight edges enclose the face on three sides or four."""
    seen = [look.border for look in looks if look.border is not None]
    if len(seen) < MIN_LOOKS:
        return None
    return min(0.0, (BORDER_SIDES - statistics.median(seen)) / 2)


def glow(looks: Sequence[LivenessLook]) -> float | None:
    """Whether face and background shine alike, and the dark begins at an edge around both."""
    seen = [look.glow for look in looks if look.glow is not None]
    if len(seen) < MIN_LOOKS:
        return None
    return -1.0 if sum(seen) > len(seen) / 2 else 0.0


def moire(looks: Sequence[LivenessLook]) -> float | None:
    """Whether the face's texture has a period of its own, as dots and screens have."""
    seen = [look.moire for look in looks if look.moire is not None]
    if len(seen) < MIN_LOOKS:
        return None
    return min(0.0, _limited((MOIRE - statistics.median(seen)) / (MOIRE_FULL - MOIRE)))


def blinks(looks: Sequence[LivenessLook]) -> float | None:
    """Whether the eyes closed and opened again; a person who does not blink for a while is no print for that."""
    if len(looks) < 2 * MIN_LOOKS:
        return None
    usual = statistics.median(look.eyes_open for look in looks)
    for before, look in itertools.pairwise(looks):
        closed = look.eyes_open < BLINK * usual and before.eyes_open > (BLINK + 1) / 2 * usual
        if closed and _opens_again(before, [after for after in looks if 0 < after.at - before.at <= BLINK_S], usual):
            return REPLAYED
    return None


def _opens_again(before: LivenessLook, after: Sequence[LivenessLook], usual: float) -> bool:
    still = all(abs(look.pose.pitch - before.pose.pitch) <= BLINK_TURN_DEG for look in after)
    return still and any(look.eyes_open > (BLINK + 1) / 2 * usual for look in after[1:])


def network(looks: Sequence[LivenessLook]) -> float | None:
    """What the owner's own network says, if there is one: it counts twice."""
    seen = [look.network for look in looks if look.network is not None]
    return 2 * _limited((statistics.fmean(seen) - 0.5) / 0.3) if seen else None


def _limited(value: float) -> float:
    return min(max(value, -1.0), 1.0)


CUES: dict[str, Callable[[Sequence[LivenessLook]], float | None]] = {
    "depth": depth,
    "surroundings": surroundings,
    "border": border,
    "glow": glow,
    "moire": moire,
    "blinks": blinks,
    "network": network,
}
"""All cues by the name that `whosthere-converter evaluate-liveness` shows."""
