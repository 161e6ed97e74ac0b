"""Environments for the tools of other frameworks: made by pip once, whole or not at all, and used again."""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from converter.embedding_cache import default_cache
from converter.importing.pip_progress import follow
from edge.errors import ModelError, WhosthereError
from edge.terminal import echo, warn

PINS = Path(__file__).parent / "pins"
OLDEST, NEWEST = (3, 11), (3, 13)
"""The versions of Python for which the pinned packages exist."""


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What an environment is made of."""

    name: str
    packages: tuple[str, ...]
    """What pip is asked for; the versions of these and of all that they need are in `pins`."""
    modules: tuple[str, ...]
    """What must import before the environment counts as whole."""
    gigabytes: float
    """About what it takes on the disk."""
    pins: Path

    @property
    def versions(self) -> dict[str, str]:
        """Package -> version."""
        lines = (line.partition("#")[0].strip() for line in self.pins.read_text(encoding="utf-8").splitlines())
        return {name: version for name, _, version in (line.partition("==") for line in lines if line)}

    def described(self) -> str:
        """`onnx2tf 2.6.9, onnxruntime 1.26.0`."""
        return ", ".join(f"{name} {self.versions[name]}" for name in self.packages)


ONNX = Toolchain("onnx", ("onnx2tf", "onnx", "onnxruntime"), ("onnx2tf", "onnxruntime"), 0.9, PINS / "onnx.txt")
TORCH = Toolchain("torch", ("torch", "onnx", "onnxscript"), ("torch", "onnxscript"), 1.5, PINS / "torch.txt")


def folder_of_environments() -> Path:
    """Where they are: beside the cache of embeddings."""
    return default_cache().parent / "import"


def python_of(chain: Toolchain) -> Path:
    """The interpreter of the environment, which is made first if there is none, or one with other pins.

    Raises ModelError when it cannot be made; nothing half-made is ever used.
    """
    folder = folder_of_environments() / f"{_family(chain)}-{_key(chain)}"
    if python := _whole(folder):
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(folder.parent / f"{chain.name}.lock"):
        return _whole(folder) or _made(chain, folder)


def _family(chain: Toolchain) -> str:
    return f"{chain.name}-python{sys.version_info[0]}.{sys.version_info[1]}"


def _key(chain: Toolchain) -> str:
    parts = [chain.pins.read_text(encoding="utf-8"), *chain.packages, platform.machine(), platform.system()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _whole(folder: Path) -> Path | None:
    """Its interpreter. A folder has this name only once it was complete; its Python may have been removed since."""
    python = folder / "bin" / "python"
    return python if python.exists() else None


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Wait until no other process makes an environment. The kernel drops the lock of a process that was killed."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            echo("another whosthere-converter is installing the same tools: waiting for it", err=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _made(chain: Toolchain, folder: Path) -> Path:
    _require_room(chain, folder.parent)
    echo(
        f"installing {chain.described()} and what they need, once, into {folder}: about {chain.gigabytes:g} GB on the "
        "disk; some minutes with a fast network",
        err=True,
    )
    # A name of its own: pip may outlive a command that was killed, and go on writing into the old folder.
    part = Path(tempfile.mkdtemp(prefix=f"part-{chain.name}-", dir=folder.parent))
    try:
        _venv(part)
        _install(chain, part / "bin" / "python")
        _try_out(chain, part / "bin" / "python")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        _remove_leftovers(chain, folder)
    return folder / "bin" / "python"


def _require_room(chain: Toolchain, root: Path) -> None:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        found, allowed = ".".join(map(str, sys.version_info[:2])), " to ".join(f"3.{v[1]}" for v in (OLDEST, NEWEST))
        raise ModelError(f"importing needs another Python: found {found}; allowed: {allowed}")
    free = shutil.disk_usage(root).free / 1e9
    if free < chain.gigabytes:
        needed = f"{free:.1f} GB free; {chain.gigabytes:g} GB are needed for {chain.described()}"
        raise ModelError(f"{root}: {needed}; make room, or set XDG_CACHE_HOME to a folder on another disk")


def _remove_leftovers(chain: Toolchain, folder: Path) -> None:
    """What was half-made, here or by a command that was killed; and environments with older pins, if this is whole."""
    stale = [*folder.parent.glob(f"part-{chain.name}-*")]
    if _whole(folder):
        stale += [path for path in folder.parent.glob(f"{_family(chain)}-*") if path != folder]
    for path in stale:
        shutil.rmtree(path, ignore_errors=True)
        if path.exists():
            warn(f"{path}: cannot be removed; it is not used any more")


def _venv(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "venv", folder], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        why = _last_line(done.stdout + done.stderr)
        raise ModelError(f"{folder}: no virtual environment could be made: {why}; on Debian: apt install python3-venv")


def _install(chain: Toolchain, python: Path) -> None:
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", *_download_options(chain)]
    problem = follow([str(python), "-m", "pip", "install", *options], _quiet_environment(), len(chain.versions))
    if problem:
        raise ModelError(f"pip could not install {chain.described()}: {problem}; nothing was kept. {_elsewhere(chain)}")


def _download_options(chain: Toolchain) -> list[str]:
    # onnx2tf asks for Python 3.12, but has nothing that 3.11 lacks: `make test-import` runs it there. Wheels only:
    # no package runs code of its own while it is being installed.
    return ["--ignore-requires-python", "--only-binary", ":all:", "--constraint", str(chain.pins), *chain.packages]


def _elsewhere(chain: Toolchain) -> str:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    command = f"{version} -m pip download -d wheels {' '.join(_download_options(chain))}"
    return (
        f"Without a network: run `{command}` on a machine that has one, with the same system, copy the folder `wheels` "
        "here, and set PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels for this command"
    )


def _try_out(chain: Toolchain, python: Path) -> None:
    command = [str(python), "-I", "-c", f"import {', '.join(chain.modules)}"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        why = _last_line(done.stderr) or f"exit code {done.returncode}"
        raise WhosthereError(f"{chain.described()} were installed, but do not run on this machine: {why}")


def _quiet_environment() -> dict[str, str]:
    """This process's, without what would lead pip or Python out of the environment."""
    leading = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_DRY_RUN"}
    return {name: value for name, value in os.environ.items() if name not in leading}


def _last_line(text: str) -> str:
    with suppress(IndexError):
        return text.strip().splitlines()[-1].strip()
    return ""
