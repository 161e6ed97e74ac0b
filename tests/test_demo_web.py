"""`whosthere demo --web`: the real daemon on the clip, and the real page beside it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from edge.commands.demo_web import PASSWORD
from support.http_client import Client

WAIT_S = 300.0


def test_the_clips_visitors_appear_on_the_page(tmp_path: Path) -> None:
    words = ["demo", "--web", "--output", str(tmp_path / "out")]
    with subprocess.Popen([sys.executable, "-P", "-m", "edge", *words], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        address = next(line.split()[1] for line in demo.stdout if line.startswith("Open http://127.0.0.1:"))
        client = Client(address.rstrip("/"))
        assert client.log_in(PASSWORD).status == 303
        deadline = time.monotonic() + WAIT_S
        while not (visits := json.loads(client.get("/api/visits").text)):
            assert demo.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        pictured = client.get(f"/visits/{visits[0]['visit_id']}/picture.jpg")
        demo.send_signal(signal.SIGINT)
        demo.wait(60)

    assert demo.returncode == 0
    assert pictured.headers["content-type"] == "image/jpeg"
    assert visits[0]["decision"] in {"recognized", "unknown"}
