"""A real Home Assistant as a process, driven through its own API."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from support.broker import Broker
from support.ports import free_port

WAIT_S = 120.0
PROGRAM = os.environ.get("WHOSTHERE_HASS")
"""Path of `hass`; `make test-homeassistant` installs one and sets this."""
_CONFIG = """\
http:
  server_host: 127.0.0.1
  server_port: {port}
logger:
  default: warning
automation: !include automations.yaml
input_text:
  phone:
    max: 255
  speaker:
    max: 255
script:
  phone:
    mode: queued
    sequence:
      - action: input_text.set_value
        target: {{entity_id: input_text.phone}}
        data: {{value: "{{{{ message }}}}|{{{{ data.image }}}}"}}
  speaker:
    mode: queued
    sequence:
      - action: input_text.set_value
        target: {{entity_id: input_text.speaker}}
        data: {{value: "{{{{ message }}}}"}}
counter:
{counters}
"""
_BEFORE_US = ("Skipping pip installation", "aiohttp_fast_zlib", "turbojpeg", "is taking over 10 seconds")
_OUTAGE = (
    "Disconnected from MQTT server",
    "Failed to connect to MQTT server",
    "failed to receive on socket",
    "The connection was lost",
)
"""What it rightly logs while there is no broker."""


@dataclass
class HomeAssistant:
    """Set up with one user and the MQTT integration, through its own onboarding and config flow."""

    folder: Path
    broker: Broker
    counters: tuple[str, ...]
    port: int = field(default_factory=free_port)
    _token: str = ""
    _refresh: str = ""
    _process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        assert PROGRAM
        self.folder.mkdir(exist_ok=True)
        counters = "\n".join(f"  {name}:\n    restore: true" for name in self.counters)
        (self.folder / "configuration.yaml").write_text(_CONFIG.format(port=self.port, counters=counters))
        (self.folder / "automations.yaml").touch()
        with (self.folder / "output").open("ab") as output:
            command = [PROGRAM, "--config", str(self.folder), "--skip-pip"]
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        self.until(self._alive, "Home Assistant answers")
        if self._refresh:
            self._renew({"grant_type": "refresh_token", "refresh_token": self._refresh})
            self.until(lambda: self.get("/api/config")["state"] == "RUNNING", "Home Assistant runs")

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._process = None

    def set_up(self) -> None:
        """What a new owner clicks: a user, and the broker's address."""
        user = {"client_id": self._url("/"), "name": "Owner", "username": "owner", "password": "a password"}
        code = self.post("/api/onboarding/users", user | {"language": "en"})["auth_code"]
        self._renew({"grant_type": "authorization_code", "code": code})
        self.until(lambda: self.get("/api/config")["state"] == "RUNNING", "Home Assistant runs")
        flow = self.post("/api/config/config_entries/flow", {"handler": "mqtt"})
        answers = {"broker": self.broker.host, "port": self.broker.port}
        result = self.post(f"/api/config/config_entries/flow/{flow['flow_id']}", answers)
        assert result["type"] == "create_entry", result

    def count_with(self, trigger: dict[str, Any], counter: str) -> None:
        """An automation that counts how often it ran."""
        action = {"action": "counter.increment", "target": {"entity_id": f"counter.{counter}"}}
        self.automate(counter, {"alias": counter, "triggers": [trigger], "actions": [action], "mode": "queued"})

    def automate(self, name: str, body: dict[str, Any]) -> None:
        """An automation, as its editor would save it; its alias must be its name."""
        self.post(f"/api/config/automation/config/{name}", body)
        self.until(lambda: self.state(f"automation.{name}") == "on", f"automation {name}")

    def count(self, counter: str) -> int:
        return int(self.state(f"counter.{counter}") or 0)

    def call(self, service: str, entity_id: str, **data: Any) -> None:
        domain, name = service.split(".")
        self.post(f"/api/services/{domain}/{name}", {"entity_id": entity_id, **data})

    def states(self) -> dict[str, dict[str, Any]]:
        return {entity["entity_id"]: entity for entity in self.get("/api/states")}

    def state(self, entity_id: str) -> str | None:
        """None: there is no such entity."""
        entity = self.states().get(entity_id)
        return None if entity is None else str(entity["state"])

    def render(self, template: str) -> str:
        return self._ask("POST", "/api/template", {"template": template}).decode()

    def ask(self, kind: str, **more: Any) -> Any:
        """What only its WebSocket API answers (https://developers.home-assistant.io/docs/api/websocket)."""
        with connect(self._url("/api/websocket").replace("http", "ws"), max_size=None) as socket:
            socket.recv(30)
            socket.send(json.dumps({"type": "auth", "access_token": self._token}))
            socket.recv(30)
            socket.send(json.dumps({"id": 1, "type": kind, **more}))
            answer = json.loads(socket.recv(30))
        assert answer["success"], answer
        return answer["result"]

    def get(self, path: str) -> Any:
        return json.loads(self._ask("GET", path))

    def fetch(self, path: str) -> bytes:
        return self._ask("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return json.loads(self._ask("POST", path, body))

    def until(self, holds: Callable[[], bool], what: str, timeout_s: float = WAIT_S) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                if holds():
                    return
            except (OSError, KeyError):
                pass
            assert self._process is None or self._process.poll() is None, f"it ended:\n{self.log}"
            assert time.monotonic() < deadline, f"not in {timeout_s:.0f} s: {what}\n{self.log}"
            time.sleep(0.2)

    @property
    def log(self) -> str:
        """The text of the log, of all runs."""
        files = sorted(self.folder.glob("home-assistant.log*"))
        return "".join(path.read_text(errors="replace") for path in files)

    def complaints(self) -> list[str]:
        """Every warning and error in its log that has to do with what runs, not with how it was installed."""
        lines = [line for line in self.log.splitlines() if " WARNING " in line or " ERROR " in line]
        return [line for line in lines if not any(known in line for known in (*_BEFORE_US, *_OUTAGE))]

    def _alive(self) -> bool:
        with urllib.request.urlopen(self._url("/api/onboarding"), timeout=5) as answer:  # noqa: S310  (loopback)
            return bool(answer.status == 200)

    def _renew(self, grant: dict[str, str]) -> None:
        body = urllib.parse.urlencode(grant | {"client_id": self._url("/")}).encode()
        with urllib.request.urlopen(self._url("/auth/token"), body, timeout=30) as answer:  # noqa: S310
            tokens = json.load(answer)
        self._token = tokens["access_token"]
        self._refresh = tokens.get("refresh_token", self._refresh)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        request = urllib.request.Request(self._url(path), method=method)  # noqa: S310
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Content-Type", "application/json")
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=60) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            raise OSError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error

    def _url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def running_home_assistant(folder: Path, broker: Broker, counters: tuple[str, ...]) -> Iterator[HomeAssistant]:
    """Started and set up. Skips the test where there is none."""
    if PROGRAM is None:
        pytest.skip("no Home Assistant: run by `make test-homeassistant`")
    home = HomeAssistant(folder, broker, counters)
    home.start()
    try:
        home.set_up()
        yield home
    finally:
        home.stop()
