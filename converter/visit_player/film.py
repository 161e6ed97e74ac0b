"""A recording with a truth that somebody wrote down: who is where in which frames."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from converter.visit_player.script import Actor
from edge.capture.clip import open_clip
from edge.errors import WhosthereError
from edge.records import Box, Image

COLUMNS = ("first", "last", "left", "top", "right", "bottom", "person")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person's face is while a shot lasts: fractions of the picture, 0..1."""

    first: int
    """Frames, from 0; both ends belong to it."""
    last: int
    left: float
    top: float
    right: float
    bottom: float
    person: str

    def holds(self, frame: int, x: float, y: float) -> bool:
        return self.first <= frame <= self.last and self.left <= x <= self.right and self.top <= y <= self.bottom


class FilmTake:
    """A recording as something to be played. Where places overlap, the first one in the list counts."""

    kind = "film"
    number = 0

    def __init__(self, path: Path, places: Sequence[Place], enrolled: Mapping[str, Sequence[Path]]) -> None:
        """Raises WhosthereError when somebody is enrolled whom the truth does not name."""
        people = list(dict.fromkeys(place.person for place in places))
        strange = [name for name in enrolled if name not in people]
        if strange:
            raise WhosthereError(f"found nobody called {strange[0]!r} in the truth; in it: {', '.join(people)}")
        self.enrolled = enrolled
        self.actors = tuple(Actor(name, name in enrolled, ()) for name in people)
        self._path = path
        self._places = places
        self._size = (1.0, 1.0)
        self._frame = 0

    def frames(self) -> Iterator[tuple[float, Image]]:
        """(seconds, BGR frame) as recorded. Raises CameraError when it cannot be read to its end."""
        clip = open_clip(self._path, 10.0)
        try:
            self._frame = -1
            while (at := clip.grab()) is not None:
                image = clip.picture()
                self._frame += 1
                self._size = (float(image.shape[1]), float(image.shape[0]))
                yield at, image
        finally:
            clip.close()

    def actor_at(self, at: float, box: Box | None) -> Actor | None:
        """Whose face lies under the middle of a box in the current frame."""
        if box is None:
            return None
        x, y = box.centre[0] / self._size[0], box.centre[1] / self._size[1]
        person = next((place.person for place in self._places if place.holds(self._frame, x, y)), None)
        return next((actor for actor in self.actors if actor.person == person), None)


def read_places(path: Path) -> list[Place]:
    """Read a truth file: CSV with the columns of COLUMNS. Raises WhosthereError naming the line."""
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WhosthereError(f"{path}: cannot be read: {error}") from error
    if not rows:
        raise WhosthereError(f"{path}: found no line; needed: the columns {','.join(COLUMNS)}, one line per person")
    return [_place(path, number, row) for number, row in enumerate(rows, 2)]


def _place(path: Path, line: int, row: Mapping[str, str | None]) -> Place:
    try:
        first, last = int(row["first"] or ""), int(row["last"] or "")
        edges = [float(row[name] or "") for name in COLUMNS[2:6]]
    except (KeyError, ValueError) as error:
        raise WhosthereError(f"{path}, line {line}: found {error}; needed: {','.join(COLUMNS)}") from error
    person = (row["person"] or "").strip()
    if not person or first > last or not (0 <= edges[0] < edges[2] <= 1 and 0 <= edges[1] < edges[3] <= 1):
        raise WhosthereError(f"{path}, line {line}: needed: a person, first <= last, and edges that rise within 0..1")
    return Place(first, last, edges[0], edges[1], edges[2], edges[3], person)
