"""A data set in one file, .tar, .tar.gz, .tgz or .zip, unpacked into a folder that is removed when the command ends.

An archive is somebody else's: nothing in it may name a place outside that folder, be a link or a device, or take more
room than photos need.
"""

import calendar
import gzip
import io
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from converter.datasets import DatasetError
from edge.capture.media_files import PHOTO_SUFFIXES, SYSTEM_FILES, SYSTEM_FOLDERS, VIDEO_SUFFIXES

TAR, TAR_GZ, ZIP = (".tar",), (".tar.gz", ".tgz"), (".zip",)
SUFFIXES = (*TAR, *TAR_GZ, *ZIP)
PREFIX = "whosthere-data-"
MOST_FILES = 2_000_000
MOST_BYTES = 200_000_000_000
"""For all files together."""
MOST_TIMES = 20
"""Photos are compressed already: an archive whose files are so many times as large as itself is none of photos."""
SPARE_BYTES = 100_000_000
"""What the files may have beyond that."""
DEEPEST = 20
CHUNK = 1 << 20
MEDIA = PHOTO_SUFFIXES | VIDEO_SUFFIXES
BROKEN = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, struct.error, NotImplementedError,
    ValueError, RuntimeError, OverflowError, MemoryError,
)  # fmt: skip
"""Whatever the readers of Python raise on damaged archives."""


class ArchiveError(DatasetError):
    """An archive is damaged, or holds what no data set needs."""


class ArchivedFile(NamedTuple):
    """One file of an archive."""

    name: str
    size: int
    """As the archive says."""
    modified: float
    content: IO[bytes]


def is_archive(path: Path) -> bool:
    """Whether a path names an archive that can be read as a folder of people."""
    return path.name.lower().endswith(SUFFIXES) and not path.is_dir()


def is_unpacked(path: Path) -> bool:
    """Whether a folder is one that `unpacked` made: it is gone when the command ends."""
    return any(part.startswith(PREFIX) for part in path.parts)


def as_packed(path: Path) -> Path:
    """A path in a folder that `unpacked` made, as it is in the archive: `the archive's folder/ARCHIVE/Ada/1.jpg`."""
    made = next(number for number, part in enumerate(path.parts) if part.startswith(PREFIX))
    return Path(*path.parts[made + 2 :])


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """Yield a temporary folder with what an archive holds; a single folder around everything is left out.

    The folders around it have the archive's name, and that of its own folder, so that messages name both. Raises
    ArchiveError naming the archive and the entry.
    """
    _sweep()
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", ignore_cleanup_errors=True) as made:
        inside, root = Path(made) / "inside", Path(made) / "as" / _plain(archive.resolve().parent.name)
        for folder in (inside, root):
            folder.mkdir(parents=True)
        _unpack(archive, inside)
        yield _innermost(inside).rename(root / archive.name)


def _plain(name: str) -> str:
    return name if name not in {"", ".", ".."} else "archive"


def _sweep() -> None:
    """Remove what a process left that was killed: nobody else would."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        number = folder.name.removeprefix(PREFIX).partition("-")[0]
        own = not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.getuid()
        if own and number.isdecimal() and not _runs(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        # It is somebody else's, or no process that there can be.
        return True
    return True


def _unpack(archive: Path, root: Path) -> None:
    limit = min(MOST_BYTES, archive.stat().st_size * MOST_TIMES + SPARE_BYTES)
    total = files = 0
    try:
        with _opened(archive) as entries:
            for entry in entries:
                files += 1
                if files > MOST_FILES:
                    raise ArchiveError(f"{archive}: found more than {MOST_FILES:,} files; allowed: as many")
                place = _place(archive, entry.name)
                if entry.size > limit - total:
                    raise _too_large(archive, entry.name)
                # What is passed over has to be unpacked too.
                total += entry.size if place is None else _write(archive, entry, root / place, limit - total)
    except BROKEN as error:
        raise ArchiveError(f"{archive}: damaged, or not what its name says: {_why(error)}") from error


def _why(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _place(archive: Path, name: str) -> PurePosixPath | None:
    """Where an entry goes, relative to the folder; None: nobody needs it. Raises ArchiveError."""
    place = PurePosixPath(name)
    wrong = place.is_absolute() or ".." in place.parts or "\\" in name or "\0" in name or not place.parts
    if wrong or len(place.parts) > DEEPEST or max(len(os.fsencode(part)) for part in place.parts) > 255:
        raise ArchiveError(
            f"{archive}: found an entry {name[:200]!r}; allowed: relative paths without `..` and backslashes, "
            f"of at most {DEEPEST} folders and 255 bytes each"
        )
    lower = [part.lower() for part in place.parts]
    hidden = any(part.startswith(".") or part in SYSTEM_FOLDERS for part in lower)
    return None if hidden or (lower[-1] in SYSTEM_FILES and lower[-1] != "person.yaml") else place


def _write(archive: Path, entry: ArchivedFile, path: Path, room: int) -> int:
    """Write one file, and return its size. Raises ArchiveError when it is there already, or needs too much room."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except (FileExistsError, NotADirectoryError) as error:
        raise ArchiveError(
            f"{archive}: found {entry.name!r} twice, or as a file and a folder; allowed: once"
        ) from error
    written = 0
    try:
        with os.fdopen(file, "wb") as out:
            while chunk := entry.content.read(CHUNK):
                written += len(chunk)
                if written > room:
                    raise _too_large(archive, entry.name)
                out.write(chunk)
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile):
            raise
        where = f"{tempfile.gettempdir()}: {error.strerror}; TMPDIR names another folder to unpack into"
        raise ArchiveError(f"{archive}: {entry.name!r} cannot be unpacked: {where}") from error
    with suppress(OSError, OverflowError, ValueError):
        os.utime(path, (entry.modified, entry.modified))
    return written


def _too_large(archive: Path, name: str) -> ArchiveError:
    return ArchiveError(
        f"{archive}: found files of more than {MOST_TIMES} times its size at {name!r}; allowed: less, as photos are "
        "compressed already; unpack it yourself if you trust it, and give the folder"
    )


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[ArchivedFile]]:
    name = archive.name.lower()
    if name.endswith(ZIP):
        with zipfile.ZipFile(archive) as pack:
            yield _of_zip(archive, pack)
        return
    raw: Any = gzip.open(archive) if name.endswith(TAR_GZ) else archive.open("rb")  # noqa: SIM115
    with _Bounded(raw) as file, tarfile.open(fileobj=file, mode="r:") as tape:
        yield _of_tar(archive, tape)
        _check_end(file, tape.offset)


def _of_zip(archive: Path, pack: zipfile.ZipFile) -> Iterator[ArchivedFile]:
    for info in pack.infolist():
        if info.is_dir():
            continue
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
            raise _special(archive, info.filename)
        if info.flag_bits & 1:
            raise ArchiveError(f"{archive}: found {info.filename!r} encrypted; allowed: archives without a password")
        with pack.open(info) as content:
            yield ArchivedFile(info.filename, info.file_size, _zip_time(info), content)


def _zip_time(info: zipfile.ZipInfo) -> float:
    return float(calendar.timegm((*info.date_time, 0, 0, 0)))


def _of_tar(archive: Path, tape: Any) -> Iterator[ArchivedFile]:
    while (member := tape.next()) is not None:
        # It remembers all members otherwise.
        tape.members = []
        if member.isdir():
            continue
        if not member.isreg() or member.issparse():
            raise _special(archive, member.name)
        content = tape.extractfile(member)
        if content is not None:
            yield ArchivedFile(member.name, member.size, float(member.mtime), content)


def _check_end(file: "_Bounded", offset: int) -> None:
    """A damaged header looks like the end to tarfile. Reading on to the real one compares gzip's checksum too."""
    file.seek(offset)
    block = file.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE or block.strip(b"\0"):
        raise tarfile.ReadError("cut off, or damaged in the middle")
    for _ in range(20):
        if not file.read(CHUNK):
            break


def _special(archive: Path, name: str) -> ArchiveError:
    return ArchiveError(f"{archive}: found {name[:200]!r}, a link, device or sparse file; allowed: files and folders")


class _Bounded(io.RawIOBase):
    """A file that hands out so much at a time: a header can claim a name of gigabytes, which is read at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= 4 * CHUNK:
            raise tarfile.ReadError("a header claims to be larger than any is")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()


def _innermost(root: Path) -> Path:
    """The folder of people: not one that only holds another folder of folders."""
    while True:
        entries = list(root.iterdir())
        if len(entries) != 1 or not entries[0].is_dir():
            return root
        below = list(entries[0].iterdir())
        own = any(path.suffix.lower() in MEDIA or path.name == "person.yaml" for path in below if path.is_file())
        if own or not any(path.is_dir() for path in below):
            # A person's folder.
            return root
        root = entries[0]
