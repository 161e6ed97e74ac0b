"""What lies on the disk but is not in force: a gallery that was refused, software that waits for a restart."""

import importlib.metadata
from pathlib import Path

from edge import __version__
from edge.config.sections import GalleryKeys
from edge.errors import GalleryError
from edge.galleries.file import open_gallery


class PendingUpdates:
    """Looks at a gallery's file again only when it has changed."""

    def __init__(self, gallery: Path, keys: GalleryKeys) -> None:
        self._gallery = gallery
        self._keys = keys
        self._seen: tuple[int, int] | None = None
        self._version: str | None = None

    def gallery_version(self) -> str | None:
        """Of the file; None when there is none that can be read."""
        try:
            status = self._gallery.stat()
            if (status.st_mtime_ns, status.st_ino) != self._seen:
                self._seen = status.st_mtime_ns, status.st_ino
                self._version = None
                self._version = str(open_gallery(self._gallery, None, self._keys).header.version)
        except OSError:
            self._seen = self._version = None
        except GalleryError:
            pass
        return self._version


def software_version() -> str | None:
    """As installed now; None when whosthere runs from a folder that was not installed."""
    try:
        installed = importlib.metadata.version("whosthere")
    except importlib.metadata.PackageNotFoundError:
        return None
    # A working copy keeps the version of the day on which it was installed.
    return installed if Path(__file__).is_relative_to(_site()) else __version__


def _site() -> Path:
    return Path(str(importlib.metadata.distribution("whosthere").locate_file("")))
