"""Whose photos the networks of the table learn from, and whose judge them."""

import random
from pathlib import Path

from converter.datasets import DatasetError
from converter.people_folder import photos_by_person

SAMPLE = 260
LEARNT, LEARNT_PHOTOS = 50, 5
JUDGES, JUDGES_PHOTOS = 60, 4
LEAST_PHOTOS = 3
SEED = 1


def shared_out(images: Path, folder: Path) -> tuple[Path, Path]:
    """(people to learn from, other people to judge by): two folders of links, made in `folder`.

    A sample of people with three photos or more, in the order of their names: the first 50, with five photos at most,
    are learnt from, and the next 60, with four at most, judge. Raises PeopleError, and DatasetError when there are too
    few.
    """
    people = {name: photos for name, photos in photos_by_person(images).items() if len(photos) >= LEAST_PHOTOS}
    if len(people) < LEARNT + JUDGES:
        raise DatasetError(
            f"{images}: found {len(people)} people with {LEAST_PHOTOS} photos or more; {LEARNT + JUDGES} are needed: "
            f"{LEARNT} to learn from, {JUDGES} to judge"
        )
    names = list(people)
    random.Random(SEED).shuffle(names)  # noqa: S311  (who is in a table)
    sample = sorted(names[:SAMPLE])
    learnt, judges = folder / "learnt", folder / "judges"
    for place, chosen, most in (
        (learnt, sample[:LEARNT], LEARNT_PHOTOS),
        (judges, sample[LEARNT : LEARNT + JUDGES], JUDGES_PHOTOS),
    ):
        for name in chosen:
            (place / name).mkdir(parents=True, exist_ok=True)
            for photo in people[name][:most]:
                link = place / name / photo.name
                if not link.is_symlink():
                    link.symlink_to(photo.resolve())
    return learnt, judges
