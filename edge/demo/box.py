"""The demo's box: a gallery from bundled portraits, a config, and the real daemon as a process."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.config import typed_yaml
from edge.errors import WhosthereError

FOLDER = Path(__file__).parent
PORTRAITS = FOLDER / "portraits" / "enroll"
SCRIPT = FOLDER / "clip.json"
NAMES = {"barack-obama": "Barack Obama", "grace-hopper": "Grace Hopper", "joe-biden": "Joe Biden"}
DEVICE = "demo-door"
STOP_S = 15.0


def make_gallery(path: Path, config: Path | None = None) -> list[list[str]]:
    """Enrol each person from one portrait, with the networks of `config` if given. Returns the commands run."""
    path.unlink(missing_ok=True)
    common = ["enroll", *(["--config", str(config)] if config else []), "--gallery", str(path)]
    commands = [
        [*common, "--person", name, *map(str, sorted((PORTRAITS / person_id).glob("*.jpg")))]
        for person_id, name in NAMES.items()
    ]
    for command in commands:
        whosthere(command)
    return commands


def write_config(folder: Path, clip: Path, gallery: Path, port: int, embedder: str | None, fast: bool) -> Path:
    """Write the demo's config.yaml, special only in its broker, which speaks just MQTT 3.1.1, and in its short gap."""
    document: dict[str, object] = {
        "device_id": DEVICE,
        "camera": {"source": str(clip), "name": "front door", "realtime": not fast},
        "gallery": {"path": str(gallery)},
        "visit": {"gap_s": 2.0},
        "mqtt": {
            "host": "127.0.0.1",
            "port": port,
            "protocol": "3.1.1",
            "health_interval_s": 2.0,
            "outbox": {"path": str(folder / "outbox.sqlite3")},
        },
        "diary": {"path": str(folder / "diary.sqlite3")},
        "link": {"path": str(folder / "link.sock")},
    }
    if embedder:
        document["models"] = {"embedder": embedder}
    path = folder / "config.yaml"
    path.write_text(typed_yaml.dump(document), encoding="utf-8")
    return path


def whosthere(arguments: list[str]) -> str:
    """Run a whosthere command and return what it printed. Raises WhosthereError with its output if it failed."""
    done = subprocess.run(_command(arguments), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise WhosthereError(
            f"whosthere {arguments[0]} ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


@contextmanager
def daemon(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `whosthere run` as a process; it is stopped at the end of the body if it still runs."""
    with log.open("wb") as output:
        process = subprocess.Popen(_command(["run", "--config", str(config)]), stderr=output, stdout=output)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-P", "-m", "edge", *arguments]
