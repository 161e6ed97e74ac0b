"""`/metrics`: what the real daemon counts, through the page, and who may see it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.config import typed_yaml
from edge.metrics.text import metrics_text
from support.broker import Listener, running_broker
from support.daemon import TOPIC, running, visits, write_config
from support.http_client import Client
from support.linked import linked
from support.notice_server import notice_server
from support.web import running_page, write_web_config
from test_metrics import counted, read, snapshot

PAGE = (Path(__file__).parents[1] / "docs" / "73-metrics.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
TOKEN = "0123456789abcdef"  # noqa: S105


def test_the_page_shows_what_the_daemon_counts(tmp_path: Path, demo_gallery: Path) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener, notice_server() as phone:
        config = write_config(
            tmp_path,
            broker,
            demo_gallery,
            camera={"realtime": True, "loop": True},
            link={"enabled": True, "path": str(tmp_path / "link.sock")},
            notify={"ntfy": {"server": phone.url, "topic": "door"}},
            web={"path": str(tmp_path / "web"), "metrics": {"enabled": True}},
        )
        with running_page(config, tmp_path) as page:
            assert read(Client(page.address).get("/metrics").text.encode()) == {"whosthere_daemon_up": {(): 0}}
            with running(config):
                listener.publish(f"{TOPIC}/command/ring", b"")
                listener.wait_for(f"{TOPIC}/camera", b"online")
                listener.publish(f"{TOPIC}/command/ring", b"")
                listener.wait_for(f"{TOPIC}/doorbell")
                listener.wait(lambda: any(visit["event_type"] == "recognized" for visit in visits(listener)))
                phone.wait_for(2)
                answer = Client(page.address).get("/metrics")
    found = read(answer.text.encode())
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert found["whosthere_daemon_up"] == found["whosthere_camera_up"] == found["whosthere_broker_up"] == {(): 1}
    assert found["whosthere_frames_total"][()] > 0 and found["whosthere_faces_total"][()] > 0
    assert found["whosthere_decisions_total"][("recognized",)] >= 1
    assert found["whosthere_name_latency_seconds_count"][()] >= 1
    assert found["whosthere_rings_total"][()] >= 1
    assert found["whosthere_notices_sent_total"][("ntfy",)] >= 1
    assert found["whosthere_gallery_people"] == {(): 3}
    assert "Obama" not in answer.text and "obama" not in answer.text


def test_only_this_machine_or_those_with_the_token(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(f"{TOKEN}\n")
    link = {"path": str(tmp_path / "link.sock")}
    for settings in ({"enabled": True}, {"enabled": True, "token_file": str(token)}, {}):
        config = write_web_config(tmp_path, link=link, web={"path": str(tmp_path / "web"), "metrics": settings})
        with linked(tmp_path), running_page(config, tmp_path) as page:
            client = Client(page.address)
            found = {
                "plain": client.get("/metrics").status,
                "by a proxy": client.get("/metrics", X_Forwarded_For="192.0.2.1").status,
                "right": client.get("/metrics", Authorization=f"Bearer {TOKEN}").status,
                "wrong": client.get("/metrics", Authorization=f"Bearer {TOKEN}0").status,
                "odd": client.get("/metrics", Authorization="Bearer \u00e9\u00ff").status,
                "other": client.get("/metrics", Authorization=f"Basic {TOKEN}").status,
                "form": client.post("/metrics").status,
            }
            if "token_file" in settings:
                expected = [401, 401, 200, 401, 401, 401]
                token.write_text("short")
                assert client.get("/metrics", Authorization="Bearer short").status == 409
            else:
                expected = [200, 403, 200, 200, 200, 200] if settings else [404] * 6
            assert list(found.values())[:6] == expected, settings
            assert found["form"] in (401, 405)


def test_every_metric_of_the_page_exists_and_is_described() -> None:
    families = set(re.findall(r"^# TYPE (\w+)", metrics_text(snapshot(counted())).decode(), re.MULTILINE))
    known = families | {"whosthere_name_latency_seconds_bucket", "whosthere_strangers_kept"}
    named = set(re.findall(r"\bwhosthere_\w+", PAGE))
    assert named <= known
    assert families - named == set(), "each is described"


def test_the_examples_for_prometheus_are_yaml(tmp_path: Path) -> None:
    _, scrape, rules = (typed_yaml.parse(text) for text in BLOCKS)
    [job] = scrape["scrape_configs"]
    assert job["authorization"]["credentials_file"] and job["static_configs"][0]["targets"]
    [group] = rules["groups"]
    assert len(group["rules"]) == 6
    for rule in group["rules"]:
        assert rule["expr"].count("(") == rule["expr"].count(")"), rule["alert"]
        assert set(rule) <= {"alert", "expr", "for", "annotations"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_prometheus_itself_takes_them(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(BLOCKS[2])
    (tmp_path / "metrics-token").write_text(TOKEN)
    scrape = BLOCKS[1].replace("/etc/prometheus/metrics-token", str(tmp_path / "metrics-token"))
    (tmp_path / "prometheus.yml").write_text(f"rule_files: [{json.dumps(str(tmp_path / 'rules.yml'))}]\n{scrape}")
    done = subprocess.run(
        ["promtool", "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "6 rules found" in done.stdout, done.stdout + done.stderr
    text = metrics_text(snapshot(counted()))
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
