"""What enrolling somebody came to, photo by photo."""

from enum import StrEnum

import msgspec

from edge.galleries.coverage import Coverage


class PhotoOutcome(StrEnum):
    """What happened to one photo."""

    ENROLLED = "enrolled"
    ALREADY_IN = "already_in"
    REFUSED = "refused"
    SET_ASIDE = "set_aside"
    """Its face is good, but unlike the person's other photos."""


class PhotoReport(msgspec.Struct, frozen=True):
    """One photo, or one portrait from the camera."""

    photo: str
    result: PhotoOutcome
    reason: str | None = None
    """Why it was not enrolled; None: it was."""
    quality: float | None = None
    similarity: float | None = None
    """The similarity to the person's nearest other template; None for the first."""
    faces: int | None = None
    """How many faces the photo has that may be the person's; None: it could not be read, or has none."""
    face: int | None = None
    """Which of them was enrolled, from 1, from left to right."""
    choice: str | None = None
    """Why that one, in words; None: it is the only one."""
    by_size: bool = False
    """It was chosen only because it is the largest: somebody should look whether it is the person."""


class Likeness(msgspec.Struct, frozen=True):
    """Two templates that are less, or more, alike than they should be."""

    photo: str
    person_id: str
    person_name: str
    """Whose the other template is."""
    other: str
    similarity: float


class EnrollReport(msgspec.Struct, frozen=True):
    """`whosthere enroll --json`."""

    gallery: str
    version: int
    written: bool
    dry_run: bool
    person_id: str
    person_name: str
    new_person: bool
    similar_names: list[str]
    """Other people, as NAME (ID), whose names differ from a new person's only in case, accents or signs."""
    templates: int
    """How many the person has now."""
    photos: list[PhotoReport]
    shortfall: str | None
    """With --camera: why there are fewer portraits than requested."""
    threshold: float
    """The similarity that a name needs; two people with more than that look alike."""
    same_person_threshold: float
    outliers: list[Likeness]
    """Templates of this person that are unlike all their others."""
    lookalikes: list[Likeness]
    """Templates of this person that are like somebody else's."""
    coverage: Coverage
    """Which views of the person all their templates show."""

    def count(self, result: PhotoOutcome) -> int:
        return sum(photo.result is result for photo in self.photos)
