"""`whosthere demo --web`: the demo's clip over and over, with the page on a loopback port."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from edge.config.config_text import Value, rewrite
from edge.demo.box import FOLDER, SCRIPT, daemon, make_gallery, write_config
from edge.demo.broker import embedded_broker
from edge.demo.expected import read_script
from edge.errors import WhosthereError
from edge.terminal import echo
from edge.web.password import set_password

PASSWORD = "demo demo"  # noqa: S105  (of a page that only this machine can reach)
PORT = 8480
POLL_S = 0.3


def serve(folder: Path, embedder: str | None) -> None:
    """Run broker, daemon and page until Ctrl-C. Raises WhosthereError when one of them ends on its own."""
    gallery = folder / "gallery.whg"
    click.echo("Enrolling three people, one photo each ...")
    make_gallery(gallery)
    with embedded_broker() as port:
        clip = FOLDER / read_script(SCRIPT).clip
        config = write_config(folder, clip, gallery, port, embedder, fast=False)
        rewrite(config, _settings(folder))
        set_password(folder / "web", PASSWORD)
        with daemon(config, folder / "daemon.log") as door, _page(config, folder / "web.log") as (page, address):
            echo(f"\nOpen {address} and log in with the password: {PASSWORD}")
            click.echo("Visitors come every few seconds; the clip starts over. Ctrl-C ends it.")
            with contextlib.suppress(KeyboardInterrupt):
                _wait({"daemon": door, "page": page}, folder)


def _settings(folder: Path) -> dict[str, Value]:
    """What a page needs to be worth looking at. Only the demo keeps pictures and embeddings without being asked."""
    return {
        "camera.loop": True,
        "diary.pictures_days": 1,
        "diary.embeddings_days": 1,
        "strangers.group": True,
        "strangers.keep": 9,
        "strangers.path": str(folder / "strangers"),
        "web.path": str(folder / "web"),
    }


@contextmanager
def _page(config: Path, log: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """`whosthere web` as a process, and its address. It has the usual port, or another one if that is taken."""
    process, line = _started(config, log, PORT)
    try:
        if "http" not in line and "already in use" in log.read_text(errors="replace"):
            process.wait()
            process, line = _started(config, log, _free_port())
        if "http" not in line:
            raise WhosthereError(f"the page did not start; see {log}:\n{log.read_text(errors='replace')[-2000:]}")
        yield process, line.split()[-1]
    finally:
        process.terminate()
        process.wait()


def _started(config: Path, log: Path, port: int) -> tuple["subprocess.Popen[str]", str]:
    """The page as a process, and the first line that it prints: empty when it did not start."""
    words = [sys.executable, "-P", "-m", "edge", "web", "--config", str(config), "--listen", f"127.0.0.1:{port}"]
    with log.open("w") as errors:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True)
    return process, process.stdout.readline() if process.stdout else ""


def _wait(processes: dict[str, "subprocess.Popen[bytes] | subprocess.Popen[str]"], folder: Path) -> None:
    while True:
        for name, process in processes.items():
            if process.poll() is not None:
                raise WhosthereError(f"the {name} ended with exit code {process.returncode}; see the logs in {folder}")
        time.sleep(POLL_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found
