"""A folder of people -> a gallery, and the result for every photo. The same photos give the same bytes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import msgspec
import numpy as np
from PIL import ExifTags
from PIL import Image as Pillow

from converter.people_folder import PersonFolder
from converter.template_selection import Fate, PictureVerdict, Shot, select
from edge.capture.clip import VideoClip
from edge.capture.media_files import Media, media
from edge.capture.photos import PhotoError, read_photo, shrunk
from edge.errors import CameraError
from edge.faces.analyser import Analyser
from edge.faces.enrolment import Refusal, admit
from edge.galleries.gallery import EmbedderId, Gallery, Person, Template, lookalikes
from edge.galleries.names import printable
from edge.records import Image
from edge.terminal import progress

# Its limit would refuse the largest photos that `edge.capture.limits` allows; it reads their EXIF data only.
Pillow.MAX_IMAGE_PIXELS = None
EARLIEST_YEAR = 1900
LONG_AGO = "1970-01-01T00:00:00Z"
"""The date of photos without one: neither the clock nor the file system may change a gallery's bytes."""
THUMBNAIL_PX = 112
FRAME_EVERY_S = 0.5
MAX_FRAMES = 120
CLOSE = 0.1
"""Pairs of people who are closer than this to the threshold are reported."""


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """One person's photos with their results, and warnings about the person as a whole."""

    folder: PersonFolder
    verdicts: list[PictureVerdict]
    templates: int
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class ClosePair:
    """Two people who look alike."""

    names: tuple[str, str]
    similarity: float
    margin: float
    """How far they stay below the threshold; negative: one can be taken for the other."""


@dataclass(frozen=True, slots=True, eq=False)
class Build:
    """A gallery, and how it was made."""

    gallery: Gallery
    people: list[Enrolled]
    pairs: list[ClosePair]
    threshold: float


def build(
    people: list[PersonFolder],
    analyser: Analyser,
    threshold: Callable[[int], float],
    limit: int,
    now: datetime,
) -> Build:
    """Build version 1 of a gallery. `threshold` gives the similarity needed for a name with that many templates."""
    shots: dict[str, list[Shot]] = {person.id: [] for person in people}
    refused: dict[str, list[PictureVerdict]] = {person.id: [] for person in people}
    late = {person.id for person in people if person.expires_at is not None and person.expires_at <= now}
    wanted = [(person, path) for person in people if person.id not in late for path in person.pictures]
    for person, path in progress(wanted, "photos"):
        for source, image in _pictures(person, path, refused[person.id]):
            _admit(analyser, person, path, source, image, shots[person.id], refused[person.id])
    similarity = threshold(min(limit * max(1, len(people)), max(1, sum(map(len, shots.values())))))
    selection = select(shots, {person.id: person.name for person in people}, similarity, limit)
    known = [_person(person, selection.chosen[person.id]) for person in people if selection.chosen[person.id]]
    at = max((template.added_at for person, _ in known for template in person.templates), default=LONG_AGO)
    gallery = Gallery.of(1, at, analyser.embedder.id, analyser.embedder.dimensions, known)
    enrolled = [
        Enrolled(
            person,
            sorted(selection.verdicts[person.id] + refused[person.id], key=lambda v: _natural(v.source)),
            len(selection.chosen[person.id]),
            _warnings(person, len(selection.chosen[person.id]), late=person.id in late),
        )
        for person in people
    ]
    in_force = threshold(len(gallery.embeddings))
    pairs = [
        ClosePair((a.name, b.name), likeness, in_force - likeness)
        for a, b, likeness in lookalikes(gallery, in_force - CLOSE)
    ]
    return Build(gallery, enrolled, pairs, in_force)


def successor(gallery: Gallery, previous: Gallery | None, version: int | None) -> Gallery:
    """The gallery with its version: `version`, else one more than the previous one, or the same if nothing changed."""
    if version is None and previous is not None:
        same = _contents(gallery) == _contents(previous)
        version = previous.header.version + (0 if same else 1)
    header = gallery.header
    people = [(person, vectors) for person, vectors in gallery.known()]
    dimensions = gallery.embeddings.shape[1]
    return Gallery.of(version or 1, header.created_at, header.embedder, dimensions, people)


def _contents(gallery: Gallery) -> tuple[EmbedderId, list[Person], bytes]:
    return gallery.header.embedder, gallery.people, gallery.embeddings.tobytes()


def _person(
    person: PersonFolder, chosen: list[Shot]
) -> tuple[Person, list[np.ndarray[tuple[int], np.dtype[np.float32]]]]:
    templates = [Template(shot.source, round(shot.quality.score, 4), shot.taken_at, shot.infrared) for shot in chosen]
    notes = "\n".join(map(printable, person.about.notes.splitlines()))
    consent = person.about.consent
    if consent is not None:
        given_by, purpose = printable(consent.given_by), printable(consent.purpose)
        consent = msgspec.structs.replace(consent, given_by=given_by, purpose=purpose)
    return (
        Person(person.id, person.name, templates, notes, consent, person.expires_at),
        [shot.vector for shot in chosen],
    )


def _warnings(person: PersonFolder, templates: int, *, late: bool) -> list[str]:
    if late:
        return [f"left out: person.yaml allows recognition only before {person.expires_at:%Y-%m-%d}"]
    found = [
        f"its id is {person.id}, because {known.name} ({known.id}) has a similar name; if they are one person, rename "
        f"{known.name} in the old gallery first: `whosthere gallery rename`"
        for known in person.similar
    ]
    if person.about.consent is None:
        found.append("person.yaml states no consent")
    if not templates:
        found.append("left out: none of the photos can be used")
    elif templates < 3:
        found.append("add photos until there are at least three, some in daylight and some in lamplight")
    return found


def _pictures(person: PersonFolder, path: Path, refused: list[PictureVerdict]) -> Iterator[tuple[str, Image]]:
    source = printable(path.relative_to(person.path).as_posix())
    try:
        if media(path) is Media.VIDEO:
            for at_s, frame in _frames(path):
                yield f"{source}@{at_s:.1f}s", shrunk(frame)
        else:
            yield source, shrunk(read_photo(path))
    except PhotoError as error:
        refused.append(PictureVerdict(source, Fate.REFUSED, error.reason, _nothing()))
    except CameraError as error:
        refused.append(PictureVerdict(source, Fate.REFUSED, str(error), _nothing()))


def _frames(path: Path) -> Iterator[tuple[float, Image]]:
    """Two frames per second, for a minute at most."""
    clip = VideoClip(path)
    try:
        due, count = 0.0, 0
        while count < MAX_FRAMES and (at_s := clip.grab()) is not None:
            if at_s >= due:
                due, count = at_s + FRAME_EVERY_S, count + 1
                yield at_s, clip.picture()
    finally:
        clip.close()


def _admit(
    analyser: Analyser,
    person: PersonFolder,
    path: Path,
    source: str,
    image: Image,
    shots: list[Shot],
    refused: list[PictureVerdict],
) -> None:
    try:
        portrait = admit(analyser, image)
    except Refusal as error:
        refused.append(PictureVerdict(source, Fate.REFUSED, str(error), thumbnail(image)))
        return
    if portrait.embedding is not None:
        crop = thumbnail(portrait.crop)
        taken_at = _taken_at(path, person)
        shots.append(Shot(source, portrait.embedding, portrait.quality, crop, taken_at, portrait.infrared))


def _taken_at(path: Path, person: PersonFolder) -> str:
    """When the photo was taken: by its EXIF data (local time, read as UTC), else the day of consent. RFC 3339."""
    try:
        with Pillow.open(path) as photo:
            noted = photo.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal)
    except (OSError, SyntaxError, ValueError):
        noted = None
    if taken := _exif_date(str(noted)):
        return taken
    consent = person.about.consent
    return f"{consent.given_on:%Y-%m-%d}T00:00:00Z" if consent else LONG_AGO


def _exif_date(text: str) -> str | None:
    """A date of EXIF data as RFC 3339; None when it is none: cameras without a clock write 0000:00:00."""
    try:
        taken = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return f"{taken:%Y-%m-%dT%H:%M:%SZ}" if taken.year >= EARLIEST_YEAR else None


def thumbnail(image: Image) -> Image:
    """The whole picture, centred in a square of THUMBNAIL_PX."""
    height, width = image.shape[:2]
    factor = THUMBNAIL_PX / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    square = _nothing()
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    top, left = (THUMBNAIL_PX - size[1]) // 2, (THUMBNAIL_PX - size[0]) // 2
    square[top : top + size[1], left : left + size[0]] = small
    return square


def _nothing() -> Image:
    return np.full((THUMBNAIL_PX, THUMBNAIL_PX, 3), 40, np.uint8)


def _natural(source: str) -> list[tuple[int, str]]:
    return [(int(n or 0), text.lower()) for n, text in re.findall(r"(\d+)|(\D+)", source)]
