"""What systemd knows of the daemon on this box, and what to do about it."""

import subprocess

from edge.daemon.health import NO_BROKER, STALE
from edge.inspection.doctor_report import Service

UNIT = "whosthere.service"
WAIT_S = 5.0
SHOWN = "LoadState,ActiveState,SubState,NRestarts,StatusText"


def service() -> Service | None:
    """The state of the service; None where systemd does not run, or has no such unit."""
    command = ["systemctl", "show", UNIT, f"--property={SHOWN}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return parse(done.stdout)


def is_active() -> bool:
    """Whether the daemon runs as a service."""
    found = service()
    return found is not None and found.active == "active"


def parse(shown: str) -> Service | None:
    """Read the lines that `systemctl show` prints; None: there is no such unit."""
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if values.get("LoadState") != "loaded":
        return None
    return Service(values["ActiveState"], values["SubState"], int(values["NRestarts"]), values["StatusText"])


def service_hints(service: Service) -> list[str]:
    """What is wrong with the service, each with what to do."""
    log = "`journalctl -u whosthere -n 50` says why"
    if service.active == "failed":
        why = f": {service.status}" if service.status else f"; {log}"
        return [f"the service has failed{why}; fix that, then `sudo systemctl restart whosthere`"]
    if service.active == "inactive":
        return ["the service is not running: `sudo systemctl start whosthere`"]
    rules = (
        (service.restarts > 0, f"systemd has restarted the service {service.restarts} times; {log}"),
        ("no_camera" in service.status, "the camera delivers nothing: `whosthere check` tries it and says why"),
        (STALE in service.status, "the camera has gone silent; the service reopens it if it does not recover"),
        (NO_BROKER in service.status, "no broker: events wait in the outbox; `whosthere check` tries it and says why"),
    )
    return [text for applies, text in rules if applies]
