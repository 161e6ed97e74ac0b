"""The box's web page as a process, with a diary to show."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.config import typed_yaml
from edge.web.password import set_password
from support.ports import free_port

PASSWORD = "front door, back door"  # noqa: S105


@dataclass(frozen=True)
class WebPage:
    """A running page."""

    address: str
    """Without a slash at its end."""
    config: Path
    folder: Path
    process: subprocess.Popen[str]


def write_web_config(folder: Path, gallery: Path | None = None, **sections: dict[str, object]) -> Path:
    """A config.yaml for the page alone; `sections` are merged over it."""
    document: dict[str, dict[str, object] | str] = {
        "device_id": "front-door",
        "gallery": {"path": str(gallery or folder / "gallery.whg")},
        "diary": {"path": str(folder / "diary.sqlite3"), "pictures_days": 30, "embeddings_days": 30},
        "strangers": {"path": str(folder / "strangers")},
        "mqtt": {"outbox": {"path": str(folder / "outbox.sqlite3")}},
        "web": {"path": str(folder / "web")},
    }
    for name, values in sections.items():
        before = document.get(name, {})
        document[name] = {**(before if isinstance(before, dict) else {}), **values}
    path = folder / "config.yaml"
    path.write_text(typed_yaml.dump(document))
    return path


@contextmanager
def running_page(config: Path, folder: Path, *, password: str | None = PASSWORD) -> Iterator[WebPage]:
    """`whosthere web` on a free port of this machine, with a password."""
    if password is not None:
        set_password(folder / "web", password)
    port = free_port()
    words = ["web", "--config", str(config), "--listen", f"127.0.0.1:{port}"]
    with (folder / "web.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "edge", *words], stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "http" in line, (folder / "web.log").read_text()
    try:
        yield WebPage(line.split()[-1].rstrip("/"), config, folder, process)
    finally:
        process.terminate()
        process.wait(30)
