"""A stand-in for Coral's Edge TPU and its library, built from C, that can be unplugged."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("stub_edgetpu.c")


class Stick:
    """A device on USB, and the library that finds it."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("gcc") is None:
            pytest.skip("gcc is not installed (Debian: apt-get install gcc): the stand-in cannot be built")
        self.library = str(folder / "libedgetpu.so.1")
        self._there = folder / "stick"
        self._log = folder / "stick.log"
        subprocess.run(["gcc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", self.library, SOURCE], check=True)
        self.plug_in()

    def plug_in(self) -> None:
        self._there.touch()

    def unplug(self) -> None:
        self._there.unlink()

    @property
    def log(self) -> list[str]:
        """What was asked of it."""
        return self._log.read_text().split("\n")[:-1] if self._log.exists() else []
