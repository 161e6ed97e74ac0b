"""Annotated copies of the files that `whosthere identify` and `whosthere enroll` read."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from edge.capture.media_files import IMAGE_SUFFIXES
from edge.capture.video_io import open_writer
from edge.errors import UsageError, WhosthereError
from edge.faces.annotate import Note, annotate, note
from edge.frame import Frame
from edge.records import Image
from edge.sightings import SeenFace

VIDEO_SUFFIX = ".mp4"


class Copies:
    """A folder of copies, named and arranged like the files. No copy replaces another one, or its original."""

    def __init__(self, folder: Path) -> None:
        """Make the folder if there is none. Raises UsageError when it cannot be made."""
        self._folder = folder
        self._given: set[Path] = set()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: this folder cannot be made: {error.strerror}") from error

    def holds(self, path: Path) -> bool:
        """Whether the file is a copy from this run or an earlier one."""
        return self._folder.resolve() in path.resolve().parents

    def image(self, original: Path, inside: Path, image: Image, notes: Iterable[Note]) -> Path:
        """Write a copy with notes drawn on it. Raises WhosthereError.

        `inside` is the picture's path in the folder given.
        """
        suffix = inside.suffix if inside.suffix.lower() in IMAGE_SUFFIXES else ".jpg"
        path = self._place(original, inside.with_suffix(suffix))
        _, content = cv2.imencode(suffix, annotate(image, notes))
        try:
            path.write_bytes(content.tobytes())
        except OSError as error:
            raise WhosthereError(f"{path}: cannot be written: {error.strerror}") from error
        return path

    def video(self, original: Path, inside: Path) -> "VideoCopy":
        """An annotated copy of a video, which takes its frames one by one."""
        return VideoCopy(self._place(original, inside.with_suffix(VIDEO_SUFFIX)))

    def _place(self, original: Path, inside: Path) -> Path:
        """A free name for a copy, in a folder that exists."""
        path, n = self._folder / inside, 2
        while path in self._given or (path.exists() and path.samefile(original)):
            path, n = self._folder / inside.with_stem(f"{inside.stem}-{n}"), n + 1
        self._given.add(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WhosthereError(f"{path.parent}: cannot be made: {error.strerror}") from error
        return path


class VideoCopy:
    """An MP4 with the size and frame rate of its original."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: cv2.VideoWriter | None = None

    def frame(self, frame: Frame, seen: Sequence[SeenFace], interval_s: float) -> None:
        """Add a frame with what was seen in it. Raises WhosthereError."""
        if self._writer is None:
            self._writer = self._opened(frame.image, 1 / interval_s)
        notes = [note(s.box, s.match, s.quality.problem if s.quality else None) for s in seen]
        self._writer.write(annotate(np.asarray(frame.image), notes))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.release()

    def _opened(self, image: Image, fps: float) -> cv2.VideoWriter:
        height, width = image.shape[:2]
        writer = open_writer(self.path, "mp4v", fps, (width, height))
        if not writer.isOpened():
            raise WhosthereError(f"{self.path}: the video cannot be written; check free space and permissions")
        return writer
