"""`whosthere demo --web`: the real daemon on the clip, and the real page beside it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.commands.demo_web import PASSWORD
from support.http_client import Client

WAIT_S = 300.0
DEMO = [sys.executable, "-P", "-m", "edge", "demo", "--web", "--output"]


@contextmanager
def started(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", Client]]:
    """The demo, and a client of its page."""
    with subprocess.Popen([*DEMO, str(folder)], stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            address = next(line.split()[1] for line in demo.stdout if line.startswith("Open http://127.0.0.1:"))
            yield demo, Client(address.rstrip("/"))
        finally:
            demo.terminate()


@pytest.mark.slow
def test_the_clips_visitors_appear_on_the_page(tmp_path: Path) -> None:
    with started(tmp_path / "out") as (demo, client):
        assert client.log_in(PASSWORD).status == 303
        deadline = time.monotonic() + WAIT_S
        # Before its first visit a slow box may have no diary to read yet.
        while (answer := client.get("/api/visits")).status != 200 or not json.loads(answer.text):
            assert demo.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        visits = json.loads(answer.text)
        pictured = client.get(f"/visits/{visits[0]['visit_id']}/picture.jpg")

    assert pictured.headers["content-type"] == "image/jpeg"
    assert visits[0]["decision"] in {"recognized", "unknown"}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_page_and_the_daemon_end_with_the_demo(tmp_path: Path, number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"the shell that started the tests has them ignore {number.name}")
    with started(tmp_path / "out") as (demo, client):
        assert client.get("/login").status == 200
        demo.send_signal(number)
        assert demo.wait(WAIT_S) == 0
        with pytest.raises(ConnectionRefusedError):
            client.get("/login")


@pytest.mark.slow
def test_a_second_demo_in_the_same_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with started(folder) as (demo, client):
        gallery = (folder / "gallery.whg").stat().st_ino
        second = subprocess.run([*DEMO, str(folder)], capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert second.returncode == 2
        assert f"another demo is running in {folder}" in second.stderr
        assert (folder / "gallery.whg").stat().st_ino == gallery
        assert client.get("/login").status == 200
        assert demo.poll() is None
