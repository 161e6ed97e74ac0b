"""The photos and videos of one person's folder -> usable faces, and why the others are left out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags
from PIL import Image as Pillow

from converter.people_folder import PersonFolder
from converter.template_selection import Fate, PictureVerdict, Shot
from edge.capture.clip import VideoClip
from edge.capture.media_files import Media, media
from edge.capture.photos import PhotoError, read_photo, shrunk
from edge.errors import CameraError
from edge.faces.analyser import Analyser
from edge.faces.annotate import Note, Tone, annotate
from edge.faces.face_choice import ChosenFace
from edge.faces.likeness import LikenessBar
from edge.faces.photo_faces import PhotoFaces, Refusal, read_faces
from edge.faces.photo_set import EnrolmentPhoto, decide
from edge.galleries.names import printable
from edge.records import Image

# Its limit would refuse the largest photos that `edge.capture.limits` allows; it reads their EXIF data only.
Pillow.MAX_IMAGE_PIXELS = None
EARLIEST_YEAR = 1900
LONG_AGO = "1970-01-01T00:00:00Z"
"""The date of photos without one: neither the clock nor the file system may change a gallery's bytes."""
THUMBNAIL_PX = 112
FRAME_EVERY_S = 0.5
MAX_FRAMES = 120
HOW_TO_PICK = "write the number of the right face from the left in person.yaml, as `faces: {photo: number}`"


@dataclass(frozen=True, slots=True, eq=False)
class ReadPicture:
    """One picture, or frame of a video, with its faces."""

    path: Path
    source: str
    faces: PhotoFaces
    thumbnail: Image


@dataclass(frozen=True, slots=True, eq=False)
class StrayPicture:
    """A picture that is set aside."""

    read: ReadPicture
    face: ChosenFace
    reason: str


class PersonPictures:
    """Reads one person's pictures, then decides about all of them together."""

    def __init__(self, analyser: Analyser, bar: LikenessBar, person: PersonFolder) -> None:
        self._analyser = analyser
        self._bar = bar
        self._person = person
        self._read: list[ReadPicture] = []
        self._refused: list[PictureVerdict] = []
        self._strays: list[StrayPicture] = []

    def add(self, path: Path) -> None:
        """Read a photo or a video of the folder."""
        for source, image in self._images(path):
            try:
                faces = read_faces(self._analyser, image)
            except Refusal as error:
                self._refused.append(PictureVerdict(source, Fate.REFUSED, str(error), thumbnail(image)))
            else:
                self._read.append(ReadPicture(path, source, faces, numbered_thumbnail(image, faces)))

    def decide(self) -> list[Shot]:
        """The person's face in every picture where it is usable, and certain enough to be theirs."""
        picked = self._person.about.faces
        photos = [EnrolmentPhoto(one.faces, picked.get(one.source)) for one in self._read]
        limits = self._analyser.for_enrolment().limits
        shots = []
        for one, decision in zip(self._read, decide(photos, [], self._bar, limits, HOW_TO_PICK), strict=True):
            if decision.chosen is None:
                self._refused.append(PictureVerdict(one.source, Fate.REFUSED, decision.reason, one.thumbnail))
            elif decision.set_aside:
                self._strays.append(StrayPicture(one, decision.chosen, decision.reason))
            else:
                shots.append(self._shot(one, decision.chosen))
        return shots

    def left_out(
        self, shots: Mapping[str, Sequence[Shot]], names: Mapping[str, str], threshold: float
    ) -> list[PictureVerdict]:
        """The verdicts on all other pictures. One that is like somebody else's shots, by id, says whose."""
        others = {person: some for person, some in shots.items() if person != self._person.id}
        aside = [
            PictureVerdict(
                stray.read.source,
                Fate.SET_ASIDE,
                stray.reason + _whose(stray.face, others, names, threshold),
                stray.read.thumbnail,
                stray.face.portrait.quality.score,
            )
            for stray in self._strays
        ]
        return [*self._refused, *aside]

    def _shot(self, one: ReadPicture, face: ChosenFace) -> Shot:
        seen = face.portrait
        taken_at = _taken_at(one.path, self._person)
        return Shot(
            one.source, face.vector, seen.quality, thumbnail(seen.crop), taken_at, face.why, infrared=seen.infrared
        )

    def _images(self, path: Path) -> Iterator[tuple[str, Image]]:
        source = printable(path.relative_to(self._person.path).as_posix())
        try:
            if media(path) is Media.VIDEO:
                for at_s, frame in _frames(path):
                    yield f"{source}@{at_s:.1f}s", shrunk(frame)
            else:
                yield source, shrunk(read_photo(path))
        except PhotoError as error:
            self._refused.append(PictureVerdict(source, Fate.REFUSED, error.reason, _nothing()))
        except CameraError as error:
            self._refused.append(PictureVerdict(source, Fate.REFUSED, str(error), _nothing()))


def _whose(face: ChosenFace, others: Mapping[str, Sequence[Shot]], names: Mapping[str, str], threshold: float) -> str:
    """Say whom a face looks like, to go on with a sentence; empty: like nobody else."""
    alike = [(float(shot.vector @ face.vector), names[person]) for person, some in others.items() for shot in some]
    likeness, name = max(alike, default=(-1.0, ""))
    return f"; it looks like {name} (similarity {likeness:.2f})" if likeness >= threshold else ""


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


def numbered_thumbnail(image: Image, photo: PhotoFaces) -> Image:
    """The whole picture, as `thumbnail`; the faces of a picture with several bear their numbers."""
    small = thumbnail(image)
    if len(photo.faces) == 1:
        return small
    factor = THUMBNAIL_PX / max(image.shape[:2])
    left, top = ((THUMBNAIL_PX - side * factor) / 2 for side in (image.shape[1], image.shape[0]))
    boxes = [portrait.face.box.scaled(factor).moved(left, top) for portrait in photo.faces]
    return annotate(small, [Note(box, str(i), Tone.UNDECIDED) for i, box in enumerate(boxes, 1)])


def _nothing() -> Image:
    return np.full((THUMBNAIL_PX, THUMBNAIL_PX, 3), 40, np.uint8)
