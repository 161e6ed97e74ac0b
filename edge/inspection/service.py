"""What systemd knows of the daemon on this box, and what to do about it."""

import subprocess

from edge.daemon.health import NO_BROKER, STALE
from edge.inspection.inventory import Service

UNIT = "whosthere.service"
WAIT_S = 5.0
SHOWN = "LoadState,ActiveState,SubState,NRestarts,StatusText"


def service() -> Service | None:
    """None where systemd does not run, or has no such unit."""
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
    """Of the lines that `systemctl show` prints."""
    told = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if told.get("LoadState") != "loaded":
        return None
    return Service(told["ActiveState"], told["SubState"], int(told["NRestarts"]), told["StatusText"])


def service_hints(service: Service) -> list[str]:
    """What it lacks, each with what to do."""
    log = "`journalctl -u whosthere -n 50` says why"
    if service.active == "failed":
        why = f": {service.status}" if service.status else f"; {log}"
        return [f"the service has failed{why}; mend that, then `sudo systemctl restart whosthere`"]
    if service.active == "inactive":
        return ["the service does not run: `sudo systemctl start whosthere`"]
    rules = (
        (service.restarts > 0, f"the service has been started again {service.restarts} times; {log}"),
        ("no_camera" in service.status, "the camera delivers nothing: `whosthere check` tries it and says why"),
        (
            STALE in service.status,
            "the camera has fallen silent; it is opened again by itself when it does not recover",
        ),
        (NO_BROKER in service.status, "no broker: events wait in the outbox; `whosthere check` tries it and says why"),
    )
    return [text for wrong, text in rules if wrong]
