"""Faces of unknown visitors, kept for a while so that the owner can name them. Off by default."""

import contextlib
import logging
import os
import secrets
from pathlib import Path

from edge.config.visits import UnknownFacesSettings
from edge.events import Event, EventKind
from edge.records import Image, Outcome
from edge.visits.face_picture import encoded, face_of

log = logging.getLogger("whosthere.unknown_faces")


class UnknownFaces:
    """A folder with one picture per visit, named by the visit's id. Times are wall-clock seconds."""

    def __init__(self, folder: Path, settings: UnknownFacesSettings) -> None:
        self.folder = folder
        self._settings = settings
        self._failing = False

    def kept(self) -> list[Path]:
        """The pictures, oldest first."""
        return sorted(self.folder.glob("*.jpg")) if self.folder.is_dir() else []

    def wants(self, event: Event) -> bool:
        """Whether `take` would keep a face: of an unknown visitor's last event, if pictures are kept. Fast."""
        unknown = event.match is not None and event.match.outcome is Outcome.UNKNOWN
        ended = event.kind is EventKind.ENDED and event.picture is not None and not event.silenced
        # Pictures of a numbered stranger are kept with the others of the same one.
        return self._settings.keep > 0 and ended and unknown and event.stranger is None

    def take(self, event: Event, now: float) -> None:
        """Keep the face of an unknown visitor, and tidy. Encodes and writes a picture: not for the inference thread."""
        picture, box = event.picture, event.picture_box
        if not self.wants(event) or picture is None or box is None:
            return
        try:
            self._write(self.folder / f"{event.visit_id}.jpg", face_of(picture, box))
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.error("%s: pictures of unknown visitors cannot be kept: %s", self.folder, error.strerror)
            self._failing = True
        self.tidy(now)

    def tidy(self, now: float) -> None:
        """Remove pictures that are too old, and the oldest when there are too many."""
        kept = self.kept()
        surplus = set(kept[: max(0, len(kept) - self._settings.keep)])
        for path in [*kept, *self.folder.glob("*.part")]:
            with contextlib.suppress(OSError):
                if path in surplus or now - path.stat().st_mtime > self._settings.keep_hours * 3600:
                    path.unlink()

    def _write(self, path: Path, picture: Image) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = path.with_suffix(f".{secrets.token_hex(8)}.part")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(encoded(picture))
        beside.replace(path)
