"""What lies on the disk but is not in use: a gallery that was refused, software that waits for a restart."""

import importlib.metadata
from pathlib import Path

from edge import __version__
from edge.config.sections import GalleryKeys
from edge.errors import GalleryError
from edge.galleries.file import open_gallery


def gallery_version(gallery: Path, keys: GalleryKeys) -> str | None:
    """The version of a gallery's file; None when there is none or it cannot be read. May verify a signature: slow."""
    try:
        return str(open_gallery(gallery, None, keys).header.version)
    except (OSError, GalleryError):
        return None


def software_version() -> str | None:
    """The version as installed now; None when whosthere runs from a folder that was not installed."""
    try:
        installed = importlib.metadata.version("whosthere")
    except importlib.metadata.PackageNotFoundError:
        return None
    # A working copy keeps the version of the day on which it was installed.
    return installed if Path(__file__).is_relative_to(_site()) else __version__


def _site() -> Path:
    return Path(str(importlib.metadata.distribution("whosthere").locate_file("")))
