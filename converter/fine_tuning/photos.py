"""The photos that a network is fine-tuned on: most people are learnt from, the others judge."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from converter.datasets import DatasetError
from converter.people_folder import photos_by_person
from converter.training.crops import crop_all
from converter.training.dataset import Dataset
from edge.faces.framing import Framing
from edge.models.card import InputSpec
from edge.terminal import echo, plural

HELD_OUT = 0.2
LEAST_PEOPLE = 4
MOST_JUDGING = 300
"""How many crops judge at most: they are run after every epoch."""


class TuningPhotos(NamedTuple):
    """The crops of some people to learn from, and of others to judge by."""

    learnt: Dataset
    held_out: Dataset
    judging: list[int]
    """The crops of `held_out` that are run."""
    digest: str
    """Fingerprint of all crops and of who is in which set."""

    def described(self) -> str:
        """What was learnt from, in words."""
        return f"{plural(len(self.learnt), 'face')} of {plural(len(self.learnt.people), 'person', 'people')}"

    def judges(self) -> str:
        """What judges, in words."""
        people = plural(len(self.held_out.people), "other person", "other people")
        return f"{plural(len(self.judging), 'face')} of {people}"


def tuning_photos(folder: Path, spec: InputSpec, framing: Framing, cache: Path, seed: int) -> TuningPhotos:
    """Crop the face of every photo, one folder per person, and hold a fifth of the people out. Crops stay in `cache`.

    Raises PeopleError and DatasetError when there is nothing to learn from, or nobody to judge.
    """
    cache.mkdir(parents=True, exist_ok=True)
    found = crop_all(photos_by_person(folder), spec, framing, cache)
    for said in [*found.unreadable, *(f"{path}: no face in it" for path in found.faceless)]:
        echo(f"left out: {said}", err=True)
    people = len(found.dataset.people)
    if people < LEAST_PEOPLE:
        raise DatasetError(
            f"{folder}: people with a face in their photos: found {people}; at least {LEAST_PEOPLE} are needed to "
            "fine-tune: some are learnt from, the others judge"
        )
    shuffled = np.random.default_rng(seed).permutation(people).tolist()
    held = max(1, round(HELD_OUT * people))
    learnt, others = (found.dataset.of(sorted(part)) for part in (shuffled[held:], shuffled[:held]))
    judging = sorted({round(i) for i in np.linspace(0, len(others) - 1, MOST_JUDGING)})
    return TuningPhotos(learnt, others, judging, f"{found.digest}-{seed}")
