"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path`, with its suffix; what was written there takes its place, unless the block fails.

    An OSError of the block names `path`: a full disk has no name of its own.
    """
    part = path.with_name(f"part-{os.getpid()}-{path.name}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        if error.filename is None or str(error.filename) == str(part):
            error.filename = str(path)
        raise
    finally:
        part.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file in one step. Raises OSError."""
    with replacing(path) as part:
        part.write_bytes(content)
