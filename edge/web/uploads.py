"""Photos that were sent to the page: kept for a quarter of an hour, so that it can show the outcome of each."""

import contextlib
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from edge.capture.file_type import HEAD_BYTES, FileType, file_type
from edge.errors import WhosthereError
from edge.galleries.names import printable

KEEP_S = 900.0
MAX_NAME = 80
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16}")
_CHUNK = 262_144
_SHOWN = {FileType.JPEG: "image/jpeg", FileType.PNG: "image/png", FileType.WEBP: "image/webp"}
"""What every browser shows, and as what."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upload:
    """A few photos in a folder that only the page can read."""

    token: str
    folder: Path

    @property
    def photos(self) -> list[Path]:
        """In the order in which they were sent."""
        return sorted(self.folder.glob("[0-9][0-9]/*"))

    def write(self, result: msgspec.Struct) -> None:
        """Note the outcome."""
        (self.folder / "result.json").write_bytes(msgspec.json.encode(result))

    def result(self, kind: type[T]) -> T:
        """The outcome. Raises HTTPException when nobody knows."""
        try:
            return msgspec.json.decode((self.folder / "result.json").read_bytes(), type=kind)
        except (OSError, msgspec.DecodeError) as error:
            raise HTTPException(404, "these photos are not kept any more") from error

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class Uploads:
    """All of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def take(self, files: Sequence[UploadFile]) -> Upload:
        """Keep these files. Raises WhosthereError when the disk is full."""
        self.sweep()
        token = secrets.token_urlsafe(12)
        upload = Upload(token, self._folder / token)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            upload.folder.mkdir(mode=0o700)
            for number, file in enumerate(files):
                place = upload.folder / f"{number:02}"
                place.mkdir(mode=0o700)
                with (place / safe_name(file.filename or "")).open("xb") as copy:
                    while chunk := await file.read(_CHUNK):
                        copy.write(chunk)
        except OSError as error:
            upload.remove()
            raise WhosthereError(f"the photos cannot be kept: {error.strerror}") from error
        return upload

    def find(self, token: str) -> Upload:
        """Raises HTTPException when its time is over."""
        self.sweep()
        if not _TOKEN.fullmatch(token) or not (self._folder / token).is_dir():
            raise HTTPException(404, "these photos are not kept any more")
        return Upload(token, self._folder / token)

    def sweep(self) -> None:
        """Remove those whose time is over."""
        with contextlib.suppress(OSError):
            for path in list(self._folder.iterdir()):
                if time.time() - path.stat().st_mtime > KEEP_S:
                    shutil.rmtree(path, ignore_errors=True)


def safe_name(name: str) -> str:
    """A file's name of the browser's choosing as one that can do no harm here; it marks the template."""
    last = PurePosixPath(name.replace("\\", "/")).name
    text = re.sub(r"[/\0]", "_", printable(last)).lstrip(".-")
    while len(text.encode(errors="replace")) > MAX_NAME:
        text = text[1:]
    return text.encode(errors="replace").decode() or "photo"


def shown_as(path: Path) -> str | None:
    """The media type under which a browser may show a photo; None: none does."""
    with path.open("rb") as file:
        return _SHOWN.get(file_type(file.read(HEAD_BYTES)))
