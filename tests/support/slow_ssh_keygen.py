"""An `ssh-keygen` that passes every call on to the real one, but can be held up."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.publishing import until

SCRIPT = """#!/bin/sh
echo "$2" >> "{folder}/calls"
while [ -e "{folder}/hold" ]; do sleep 0.05; done
exec {real} "$@"
"""
CALLS_PER_CHECK = 3
"""What verifying one gallery takes."""


class SlowSshKeygen:
    """Lies in a folder that must come first in PATH."""

    def __init__(self, folder: Path) -> None:
        real = shutil.which("ssh-keygen")
        assert real is not None
        self._folder = folder
        self._hold = folder / "hold"
        self._calls = folder / "calls"
        self.path = f"{folder}:{os.environ['PATH']}"
        self._calls.touch()
        program = folder / "ssh-keygen"
        program.write_text(SCRIPT.format(folder=folder, real=real))
        program.chmod(0o755)

    @property
    def calls(self) -> int:
        return len(self._calls.read_text().splitlines())

    def hold(self) -> None:
        """Answer no call from now on."""
        self._hold.touch()

    def release(self) -> None:
        self._hold.unlink(missing_ok=True)

    def wait_for_call(self, after: int) -> None:
        """Wait until there have been more calls than `after`."""
        until(lambda: self.calls > after)


@contextmanager
def slow_ssh_keygen(folder: Path) -> Iterator[SlowSshKeygen]:
    folder.mkdir()
    program = SlowSshKeygen(folder)
    try:
        yield program
    finally:
        program.release()
