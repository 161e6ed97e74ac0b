"""The central face of every picture of a data set, by the box's own stages, cached by the picture's content."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.embedding_cache import fingerprint
from converter.exits import Interrupted
from converter.files import write_whole
from edge.capture.photos import PhotoError, decode_photo, read_content, shrunk
from edge.config.faces import DetectSettings, QualitySettings
from edge.config.sections import ModelSettings
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.loading import load_analyser
from edge.records import Face, Image, Problem, Quality
from edge.terminal import print_left_out, progress

DETECTORS = ("blazeface-back", "blazeface-short-range")
SAVED_EVERY = 500
"""After how many pictures the cache is saved: at most this many are lost in a power cut."""


class FaceRecord(msgspec.Struct, frozen=True, array_like=True):
    """The central face of one picture, as the stages saw it."""

    vector: bytes
    """float32, of length one; empty: no face was found."""
    score: float = 0.0
    eye_distance_px: float = 0.0
    sharpness: float = 0.0
    brightness: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    presence: float = 0.0
    off_axis: float = 0.0
    problem: Problem | None = None


NO_FACE = FaceRecord(b"")


@dataclass(frozen=True, slots=True, eq=False)
class PlacedPicture:
    """A picture of a face whose five points are known: no detector looks for it."""

    name: Path
    """What the picture is called; such a file may not exist."""
    content: bytes | Path
    """The encoded picture, or the file that holds it."""
    five: NDArray[np.float32]
    """(5, 2): eyes, nose, mouth corners; in px, or in shares of the sides where none is above 1."""


@dataclass(frozen=True, slots=True)
class EmbeddedFaces:
    """The faces of some pictures."""

    records: dict[Path, FaceRecord]
    dimensions: int

    def matrix(self, pictures: Iterable[Path]) -> NDArray[np.float32]:
        """(n, dimensions), unit vectors; NaN where no face was found."""
        nothing = np.full(self.dimensions, np.nan, np.float32).tobytes()
        rows = b"".join(self.records[p].vector or nothing for p in pictures)
        return np.frombuffer(rows, np.float32).reshape(-1, self.dimensions)

    def missed(self) -> list[Path]:
        """The pictures in which no face was found."""
        return [picture for picture, face in self.records.items() if not face.vector]


class CachingEmbedder:
    """The stages, with a cache of what they returned."""

    def __init__(self, models: ModelSettings, detection: DetectSettings, cache: Path | None = None) -> None:
        """`cache` is a folder; None: nothing is kept. Raises ModelError."""
        self._analyser = load_analyser(models, detection, QualitySettings())
        self._cache = cache / f"{fingerprint(models, detection)[:32]}.msgpack" if cache else None
        self._faces = _read(self._cache) if self._cache else {}
        self._saved = len(self._faces)

    def embed(
        self, pictures: Iterable[Path], change: Callable[[Image], Image] | None = None, changed_how: str = ""
    ) -> EmbeddedFaces:
        """The central face of each picture; with `change`, of the changed picture.

        `changed_how` names the change for the cache; without it the faces of changed pictures are not cached.
        A picture that cannot be read counts as one without a face, and is listed on standard error.
        """
        records: dict[Path, FaceRecord] = {}
        with _saving([self]), _listing_unreadable() as unreadable:
            for picture in _in_order(pictures):
                try:
                    records[picture] = self._face_of(picture, change, changed_how)
                except PhotoError as error:
                    unreadable.append(str(error))
                    records[picture] = NO_FACE
        return EmbeddedFaces(records, self._analyser.embedder.dimensions)

    @property
    def cached(self) -> int:
        """How many faces the cache holds, or will when it is saved."""
        return len(self._faces) if self._cache else 0

    def holds(self, key: str) -> bool:
        """Whether the picture whose bytes have this SHA-256 was embedded before."""
        return key in self._faces

    def embed_placed(self, pictures: Iterable[PlacedPicture]) -> EmbeddedFaces:
        """The faces of pictures whose five points are known, by name.

        A picture that cannot be read counts as one without a face, and is listed on standard error.
        """
        records: dict[Path, FaceRecord] = {}
        with _saving([self]), _listing_unreadable() as unreadable:
            for picture in progress(list(pictures), "faces"):
                try:
                    records[picture.name] = self._placed_face(picture)
                except PhotoError as error:
                    unreadable.append(str(error))
                    records[picture.name] = NO_FACE
        return EmbeddedFaces(records, self._analyser.embedder.dimensions)

    def _placed_face(self, picture: PlacedPicture) -> FaceRecord:
        content = read_content(picture.content) if isinstance(picture.content, Path) else picture.content
        key = hashlib.sha256(content + picture.five.tobytes()).hexdigest() + " placed"
        if key not in self._faces:
            image = decode_photo(content, picture.name)
            sides = np.array(image.shape[1::-1], np.float32)
            five = picture.five * sides if picture.five.max() <= 1 else picture.five
            embedder = self._analyser.embedder
            (vector,) = embedder.embed([embedder.crop_at(image, five)])
            self._faces[key] = FaceRecord(vector.tobytes())
        return self._faces[key]

    def add(self, key: str, image: Image, seen: AnalysedFace | None) -> None:
        """Embed a face that another embedder found; None: there was none."""
        if seen is None:
            self._faces[key] = NO_FACE
            return
        embedder = self._analyser.embedder
        (vector,) = embedder.embed([embedder.crop(image, seen.landmarks)])
        self._faces[key] = _described(FaceRecord(vector.tobytes(), score=seen.face.score), seen.quality)

    def save(self) -> None:
        """Write what is new to the cache file."""
        if self._cache and len(self._faces) > self._saved:
            _write(self._cache, self._faces)
            self._saved = len(self._faces)

    def faces_of(self, keys: Mapping[Path, str | None]) -> EmbeddedFaces:
        """The faces of pictures that are all in the cache, by the SHA-256 of each; None: it cannot be read."""
        records = {path: self._faces[key] if key else NO_FACE for path, key in keys.items()}
        return EmbeddedFaces(records, self._analyser.embedder.dimensions)

    def central_portrait(self, image: Image) -> AnalysedFace | None:
        """The face nearest to the middle, not embedded; None: no face was found."""
        faces = self._analyser.detector.detect(image)
        return self._analyser.look(image, central(faces, image)) if faces else None

    def _face_of(self, picture: Path, change: Callable[[Image], Image] | None, changed_how: str) -> FaceRecord:
        content = read_content(picture)
        key = hashlib.sha256(content).hexdigest() + (f" {changed_how}" if changed_how else "")
        if key in self._faces and bool(change) == bool(changed_how):
            return self._faces[key]
        image = shrunk(decode_photo(content, picture))
        seen = embed_central(self._analyser, change(image) if change else image)
        if bool(change) == bool(changed_how):
            self._faces[key] = seen
        return seen


def embed_with_all(embedders: Sequence[CachingEmbedder], pictures: Iterable[Path]) -> list[EmbeddedFaces]:
    """The central face of each picture, found once and embedded by several networks.

    What was done is kept when it is interrupted. A picture that cannot be read counts as one without a face, and is
    listed on standard error.
    """
    keys: dict[Path, str | None] = {}
    with _saving(embedders), _listing_unreadable() as unreadable:
        for number, picture in enumerate(_in_order(pictures), 1):
            try:
                keys[picture] = _embed_once(embedders, picture)
            except PhotoError as error:
                unreadable.append(str(error))
                keys[picture] = None
            if number % SAVED_EVERY == 0:
                for embedder in embedders:
                    embedder.save()
    return [embedder.faces_of(keys) for embedder in embedders]


def _embed_once(embedders: Sequence[CachingEmbedder], picture: Path) -> str:
    """Let all embedders know the picture's central face; returns the SHA-256 of its bytes. Raises PhotoError."""
    content = read_content(picture)
    key = hashlib.sha256(content).hexdigest()
    lacking = [embedder for embedder in embedders if not embedder.holds(key)]
    if lacking:
        image = shrunk(decode_photo(content, picture))
        seen = lacking[0].central_portrait(image)
        for embedder in lacking:
            embedder.add(key, image, seen)
    return key


@contextmanager
def _listing_unreadable() -> Iterator[list[str]]:
    """Yield a list of what is wrong with pictures, and print it at the end."""
    unreadable: list[str] = []
    yield unreadable
    print_left_out([f"{said}; it counts as a picture without a face" for said in unreadable])


def _in_order(pictures: Iterable[Path]) -> Iterable[Path]:
    """Each picture once, in the same order every time, with a progress bar on a terminal."""
    return progress(sorted(set(pictures)), "faces")


@contextmanager
def _saving(embedders: Sequence[CachingEmbedder]) -> Iterator[None]:
    """Save the caches, however the block ends. Raises Interrupted, which says how much was kept."""
    try:
        yield
    except KeyboardInterrupt as error:
        known = min(embedder.cached for embedder in embedders)
        kept = f"; {known} faces are kept, and the same command goes on from there" if known else ""
        raise Interrupted(f"interrupted{kept}") from error
    finally:
        for embedder in embedders:
            embedder.save()


def embed_central(analyser: Analyser, image: Image) -> FaceRecord:
    """Embedding and quality of the central face, usable or not."""
    faces = analyser.detector.detect(image)
    if not faces:
        return NO_FACE
    portrait = analyser.embed(analyser.look(image, central(faces, image)))
    vector = b"" if portrait.embedding is None else portrait.embedding.tobytes()
    return _described(FaceRecord(vector, score=portrait.face.score), portrait.quality)


def _described(seen: FaceRecord, q: Quality) -> FaceRecord:
    return msgspec.structs.replace(
        seen,
        eye_distance_px=q.eye_distance_px,
        sharpness=q.sharpness,
        brightness=q.brightness,
        yaw=q.pose.yaw,
        pitch=q.pose.pitch,
        presence=q.presence,
        off_axis=q.pose.off_axis,
        problem=q.problem,
    )


def central(faces: list[Face], image: Image) -> Face:
    """The face nearest to the middle of the picture: by LFW's rule, the person whom it shows."""
    height, width = image.shape[:2]
    return min(faces, key=lambda f: abs(f.box.centre[0] - width / 2) + abs(f.box.centre[1] - height / 2))


def _read(path: Path) -> dict[str, FaceRecord]:
    """The cache; empty when there is none yet, or it is damaged."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=dict[str, FaceRecord])
    except (OSError, msgspec.DecodeError):
        return {}


def _write(path: Path, known: dict[str, FaceRecord]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.msgpack.encode(known))
