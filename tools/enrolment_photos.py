"""Measure what enrolment makes of close crops, and of photos with bystanders, made from a folder of people.

    python -m tools.enrolment_photos IMAGES [--people N]

IMAGES holds one folder per person, as lfw-dev/images does. Everything is drawn the same way every time.

Close crops: the central face with 0.9 to 2.0 times its box; how often it counts as several faces.
Snapshots: a person's face of 180 to 260 pixels, and on either side one of a bystander, of 40 to 120 pixels.
Crowds: a person's face of 60 to 260 pixels, and one to three bystanders' of 40 to 260, in random order: the largest may
be anybody's. Either is a picture of 1,280 by 720, enrolled alone, and beside two other photos of the person.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np

from converter.embeddings import central
from converter.people_folder import photos_by_person
from edge.capture.photos import read_photo
from edge.config.loading import Config
from edge.config.visits import MatchSettings
from edge.faces.analyser import Analyser
from edge.faces.likeness import LikenessBar
from edge.faces.loading import load_analyser
from edge.faces.photo_faces import PhotoFaces, Refusal, read_faces
from edge.faces.photo_set import EnrolmentPhoto, PhotoDecision, decide
from edge.records import Box, Image
from edge.visits.thresholds import similarity_scale

WIDTH, HEIGHT = 1280, 720
AROUND = 1.9
"""Side of the square that is cut out around a face, in box widths."""
FACTORS = (0.9, 1.0, 1.15, 1.3, 1.6, 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Composite:
    """A made photo, and where the person is in it."""

    image: Image
    place: Box
    others: list[Path]
    """Two other photos of the person."""


@click.command()
@click.argument("images", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--people", default=150, show_default=True, help="How many close crops of each size, and composites.")
def main(images: Path, people: int) -> None:
    """Measure enrolment on the photos of IMAGES."""
    config = Config()
    analyser = load_analyser(config.models, config.detect, config.quality)
    everybody = photos_by_person(images)
    rng = np.random.default_rng(0)
    names = [list(everybody)[i] for i in rng.permutation(len(everybody))]
    crops(analyser, [everybody[name][0] for name in names[:people]])
    for crowd in (False, True):
        counts: dict[str, Counter[str]] = {"alone": Counter(), "beside two photos": Counter()}
        for composite in composites(analyser, everybody, names, people, rng, crowd=crowd):
            for how, others in (("alone", []), ("beside two photos", composite.others)):
                counts[how][outcome(analyser, composite, others)] += 1
        kind = "crowds" if crowd else "snapshots"
        for how, count in counts.items():
            click.echo(f"{sum(count.values())} {kind} {how}: " + ", ".join(f"{n} {what}" for what, n in count.items()))


def crops(analyser: Analyser, pictures: list[Path]) -> None:
    for factor in FACTORS:
        counts: Counter[str] = Counter()
        for picture in pictures:
            image = read_photo(picture)
            found = analyser.detector.detect(image)
            if not found:
                continue
            try:
                faces = len(read_faces(analyser, cut(image, central(found, image).box, factor)).faces)
            except Refusal:
                faces = 0
            counts["one face" if faces == 1 else "several" if faces else "none"] += 1
        click.echo(f"close crops of {factor} box widths: " + ", ".join(f"{n} {what}" for what, n in counts.items()))


def composites(
    analyser: Analyser,
    everybody: dict[str, list[Path]],
    names: list[str],
    count: int,
    rng: np.random.Generator,
    *,
    crowd: bool,
) -> Iterator[Composite]:
    able = [name for name in names if len(everybody[name]) >= 3]
    for i in range(count):
        person = able[i % len(able)]
        size = int(rng.integers(1, 4)) if crowd else 2
        strangers = [name for name in rng.choice(names, size, replace=False) if name != person]
        first, *others = [everybody[person][j] for j in rng.permutation(len(everybody[person]))[:3]]
        pictures = [everybody[name][0] for name in strangers]
        pieces = [(first, rng.uniform(60 if crowd else 180, 260))]
        pieces += [(path, rng.uniform(40, 260 if crowd else 120)) for path in pictures]
        order = list(rng.permutation(len(pieces))) if crowd else [1, 0, *range(2, len(pieces))]
        yield _composite(analyser, pieces, order, others, rng)


def _composite(
    analyser: Analyser,
    pieces: list[tuple[Path, float]],
    order: list[int],
    others: list[Path],
    rng: np.random.Generator,
) -> Composite:
    """Place the pieces, (picture, width of the face in px), in that order; the first one is the person's."""
    canvas: Image = np.full((HEIGHT, WIDTH, 3), 96, np.uint8)
    place, column = Box(0, 0, 0, 0), WIDTH // len(pieces)
    for slot, index in enumerate(order):
        path, face_px = pieces[index]
        image = read_photo(path)
        found = analyser.detector.detect(image)
        box = central(found, image).box if found else Box(75, 75, 175, 175)
        side = round(min(face_px * AROUND, column - 4, HEIGHT - 4))
        part = cv2.resize(cut(image, box, AROUND), (side, side), interpolation=cv2.INTER_AREA)
        left = slot * column + int(rng.integers(0, column - side))
        top = int(rng.integers(0, HEIGHT - side))
        canvas[top : top + side, left : left + side] = part
        if index == 0:
            place = Box(left, top, left + side, top + side)
    return Composite(canvas, place, others)


def cut(image: Image, box: Box, factor: float) -> Image:
    """A square of `factor` box widths around a face, as far as the picture goes."""
    (x, y), half = box.centre, box.width * factor / 2
    height, width = image.shape[:2]
    left, top = max(0, round(x - half)), max(0, round(y - half))
    return np.ascontiguousarray(image[top : min(height, round(y + half)), left : min(width, round(x + half))])


def outcome(analyser: Analyser, composite: Composite, others: list[Path]) -> str:
    """What enrolment makes of the composite."""
    photos = [EnrolmentPhoto(faces) for path in others if (faces := _faces(analyser, read_photo(path)))]
    faces = _faces(analyser, composite.image)
    if faces is None:
        return "refused"
    bar = LikenessBar(similarity_scale(MatchSettings(), analyser.embedder.card))
    *_, last = decide([*photos, EnrolmentPhoto(faces)], [], bar, analyser.for_enrolment().limits, "")
    return _told(last, composite.place)


def _faces(analyser: Analyser, image: Image) -> PhotoFaces | None:
    try:
        return read_faces(analyser, image)
    except Refusal:
        return None


def _told(decision: PhotoDecision, place: Box) -> str:
    if decision.chosen is None or decision.set_aside:
        return "set aside" if decision.set_aside else "refused"
    x, y = decision.chosen.portrait.face.box.centre
    right = place.left <= x <= place.right and place.top <= y <= place.bottom
    how = "by size" if decision.chosen.by_size else "by likeness" if decision.chosen.why else "without a word"
    return f"{'rightly' if right else 'WRONGLY'} taken {how}"


if __name__ == "__main__":
    main()
