"""What doctor makes of what systemd says of the daemon."""

from pathlib import Path

import pytest

from edge.config import typed_yaml
from edge.inspection.doctor_report import Service
from edge.inspection.service import parse, service_hints
from support.portraits import whosthere

RUNNING = """LoadState=loaded
ActiveState=active
SubState=running
NRestarts=0
StatusText=watching, 3 people known, 4 visits, broker connected
"""


def test_all_is_well() -> None:
    found = parse(RUNNING)
    assert found == Service("active", "running", 0, "watching, 3 people known, 4 visits, broker connected")
    assert service_hints(found) == []


def test_no_such_unit() -> None:
    assert parse(RUNNING.replace("LoadState=loaded", "LoadState=not-found")) is None
    assert parse("") is None


@pytest.mark.parametrize(
    ("service", "hints"),
    [
        (Service("failed", "failed", 0, "config.yaml: camera.rotation: found 45"), ["camera.rotation: found 45; fix"]),
        (Service("failed", "failed", 5, ""), ["journalctl -u whosthere"]),
        (Service("inactive", "dead", 0, ""), ["systemctl start whosthere"]),
        (Service("active", "running", 7, "watching"), ["restarted the service 7 times"]),
        (
            Service("active", "running", 0, "no_camera, 3 people known, 0 visits, no broker"),
            ["the camera delivers nothing: `whosthere check`", "events wait in the outbox; `whosthere check`"],
        ),
        (Service("active", "running", 0, "watching, last frame 4 s ago, broker connected"), ["has gone silent"]),
    ],
    ids=lambda value: value.status if isinstance(value, Service) else "",
)
def test_what_is_wrong_is_told_with_what_to_do(service: Service, hints: list[str]) -> None:
    found = service_hints(service)
    assert len(found) == len(hints)
    assert all(part in hint for part, hint in zip(hints, found, strict=True))


def test_doctor_asks_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f"#!/bin/sh\n[ \"$1 $2\" = 'show whosthere.service' ] && cat <<'EOF'\n{RUNNING}EOF\n")
    systemctl.chmod(0o755)
    config = tmp_path / "config.yaml"
    config.write_text(typed_yaml.dump({"device_id": "door"}))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    shown = whosthere("doctor", "--config", config).stdout
    assert "service        active (running)" in shown
    assert "watching, 3 people known, 4 visits, broker connected" in shown
