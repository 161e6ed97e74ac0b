"""Whose photos the networks of the table learn from, and whose judge them."""

import random
from pathlib import Path

from converter.datasets import DatasetError
from converter.people_folder import photos_by_person

LEAST_LEARNT, LEARNT_PHOTOS = 50, 5
JUDGES, JUDGES_PHOTOS = 60, 4
LEAST_PHOTOS = 3
SEED = 1


def shared_out(images: Path, folder: Path) -> tuple[Path, Path]:
    """(people to learn from, other people to judge by): two folders of links, made in `folder`.

    Of the people with three photos or more, 60 judge, with four photos each at most, and all others are learnt from,
    with five at most. Raises PeopleError, and DatasetError when fewer than 50 are left to learn from.
    """
    people = {name: photos for name, photos in photos_by_person(images).items() if len(photos) >= LEAST_PHOTOS}
    if len(people) < LEAST_LEARNT + JUDGES:
        raise DatasetError(
            f"{images}: found {len(people)} people with {LEAST_PHOTOS} photos or more; {LEAST_LEARNT + JUDGES} are "
            f"needed: {LEAST_LEARNT} to learn from, {JUDGES} to judge"
        )
    names = list(people)
    random.Random(SEED).shuffle(names)  # noqa: S311  (who is in a table)
    learnt, judges = folder / "learnt", folder / "judges"
    for place, chosen, most in ((judges, names[:JUDGES], JUDGES_PHOTOS), (learnt, names[JUDGES:], LEARNT_PHOTOS)):
        for name in chosen:
            (place / name).mkdir(parents=True, exist_ok=True)
            for photo in people[name][:most]:
                link = place / name / photo.name
                if not link.is_symlink():
                    link.symlink_to(photo.resolve())
    return learnt, judges
