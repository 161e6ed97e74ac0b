"""`whosthere demo --web`: the real daemon on the clip, and the real page beside it."""

import json
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from edge.commands.demo_web import PASSWORD
from support.http_client import Client

WAIT_S = 300.0


def test_the_clips_visitors_appear_on_the_page(tmp_path: Path) -> None:
    words = ["demo", "--web", "--output", str(tmp_path / "out")]
    with ExitStack() as until:
        box = subprocess.Popen([sys.executable, "-P", "-m", "edge", *words], stdout=subprocess.PIPE, text=True)
        demo = until.enter_context(box)
        assert demo.stdout is not None
        until.callback(demo.kill)
        address = next(line.split()[1] for line in demo.stdout if line.startswith("Open http://127.0.0.1:"))
        client = Client(address.rstrip("/"))
        assert client.log_in(PASSWORD).status == 303
        deadline = time.monotonic() + WAIT_S
        # Before its first visit a slow box may have no diary to read yet.
        while (answer := client.get("/api/visits")).status != 200 or not json.loads(answer.text):
            assert demo.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        visits = json.loads(answer.text)
        pictured = client.get(f"/visits/{visits[0]['visit_id']}/picture.jpg")
        demo.send_signal(signal.SIGINT)
        demo.wait(60)

    assert demo.returncode == 0
    assert pictured.headers["content-type"] == "image/jpeg"
    assert visits[0]["decision"] in {"recognized", "unknown"}
