"""What docs/62-notifications.md shows is what happens."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge.config.notify import NtfySettings, WebhookSettings
from edge.events import Event, EventKind, StrangerVisits
from edge.mqtt.payloads import DoorbellPayload, rfc3339
from edge.notify.notice import Notice, ring_notice
from edge.notify.ntfy import NtfyChannel
from edge.notify.post import NotSent
from edge.notify.webhook import WebhookChannel
from edge.records import Candidate, Outcome, Problem
from support.notice_server import notice_server
from support.notices import notice
from support.ports import accepts, free_port
from support.publishing import event, match, recognized, until

PAGE = (Path(__file__).parents[1] / "docs" / "62-notifications.md").read_text()
ROWS = re.findall(r"^\| `(\w+)`[^|]*\| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
ADA, GRACE = Candidate("ada", "Ada", 0.7), Candidate("grace", "Grace", 0.6)
DAY = 86400.0


def shown(kind: str) -> Notice:
    events: dict[str, Event] = {
        "recognized": recognized(match=match(best=ADA)),
        "correction": recognized(match=match(best=ADA), corrects=1),
        "unknown": event(EventKind.UNKNOWN, match=match(Outcome.UNKNOWN)),
        "again": event(
            EventKind.UNKNOWN, match=match(Outcome.UNKNOWN), stranger=StrangerVisits(3, 6, 0, DAY, 4.1 * DAY)
        ),
        "uncertain": event(EventKind.UNCERTAIN, match=match(Outcome.UNCERTAIN, ADA, GRACE)),
        "no_usable_face": event(EventKind.NO_USABLE_FACE, problem=Problem.TOO_DARK),
    }
    if kind == "ring":
        ring = DoorbellPayload("ring", "1", "front-door", "button", None, rfc3339(0))
        return ring_notice(ring, 0.0, 0.0, clock_set=True, picture=None)
    return notice(events[kind])


def test_the_table_has_every_event() -> None:
    assert [kind for kind, _, _ in ROWS] == [
        "recognized", "unknown", "again", "uncertain", "no_usable_face", "correction", "ring",
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "title", "below"), ROWS, ids=[kind for kind, _, _ in ROWS])
def test_the_phone_shows_what_the_table_says(kind: str, title: str, below: str) -> None:
    with notice_server() as server:
        NtfyChannel(NtfySettings(server=server.url, topic="door"), lambda _: None).send(shown(kind), 0.0)
        [posted] = server.posted
    assert kind in shown(kind).kinds
    assert (posted.text("Title"), re.sub(r"\d\d:\d\d", "18:04", posted.body.decode())) == (title, below)


def test_the_receiver(tmp_path: Path) -> None:
    [script] = re.findall(r"```python\n(# door\.py.*?)```", PAGE, re.DOTALL)
    (tmp_path / "door.py").write_text(script)
    (tmp_path / "right").write_text("pepper")
    (tmp_path / "wrong").write_text("salt")
    port = free_port()
    command = [sys.executable, str(tmp_path / "door.py"), "pepper", str(port)]
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as receiver:
        assert receiver.stdout
        threading.Thread(target=said.extend, args=(receiver.stdout,), daemon=True).start()
        until(lambda: accepts(port))
        channels = [
            WebhookChannel(WebhookSettings(url=f"http://127.0.0.1:{port}", secret_file=str(tmp_path / name)))
            for name in ("right", "wrong")
        ]
        with pytest.raises(NotSent, match="status 403"):
            channels[1].send(notice(), 0.0)
        channels[0].send(notice(), 60.0)
        channels[0].send(notice(recognized(match=match(best=GRACE))), 0.0)
        until(lambda: bool(said))
        receiver.kill()
    assert said == ["Grace is at the door\n"]
