"""The rule that binds a visit to the person in view: is a new look still of the same visitor?

A name belongs to the person in front of the camera now. Every look at a followed face is compared with what the visit
has gathered and, once the visit has a name, with the gallery. As soon as one look is clearly of another known person,
or two in a row are doubtful, the face gets a new visit.
"""

from enum import Enum

from edge.records import Match, Vector
from edge.visits.fusion import FusedFaces
from edge.visits.thresholds import LinkingThresholds

LOOKS_TO_SPLIT = 2
"""Doubtful looks in a row after which the face belongs to a visit of its own.

It is also the bound that docs/10-how-it-works.md states: no name stays attached to more looks of somebody else."""


class Verdict(Enum):
    """Whose face a look shows."""

    SAME = "same"
    DOUBTFUL = "doubtful"
    OTHER = "other"


def judge(
    faces: FusedFaces, embedding: Vector, person_id: str | None, match: Match, linking: LinkingThresholds
) -> Verdict:
    """Compare one look, a unit vector (d,), with a visit.

    `person_id` is the name that the visit carries for good, None for none yet; `match` is the gallery's answer to
    this look alone. A look is another person's if the gallery names somebody else and it is not like the visit. It is
    doubtful if only one of the two holds.
    """
    likeness = faces.similarity(embedding)
    named_other = person_id is not None and match.person is not None and match.person.person_id != person_id
    if named_other:
        return Verdict.OTHER if likeness < linking.same else Verdict.DOUBTFUL
    return Verdict.DOUBTFUL if likeness < linking.doubtful else Verdict.SAME
