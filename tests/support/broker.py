"""A real mosquitto on a loopback port of its own, and a subscriber that remembers every message."""

import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
import trustme
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from support.contract import breach
from support.ports import accepts, free_port

_MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
WAIT_S = 120.0
"""Long enough for a busy machine; everything that waits returns as soon as it can."""


class Certificates:
    """An authority of our own, a server certificate for 127.0.0.1 and localhost, and client certificates."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))
        self.certificate, self.key = self._write("server", self._authority.issue_cert("127.0.0.1", "localhost"))

    def client(self, name: str) -> tuple[Path, Path]:
        """Certificate and key of a client; `name` is its common name."""
        return self._write(name, self._authority.issue_cert(f"{name}.test", common_name=name))

    def _write(self, name: str, certificate: trustme.LeafCert) -> tuple[Path, Path]:
        files = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate.cert_chain_pems[0].write_to_path(str(files[0]))
        certificate.private_key_pem.write_to_path(str(files[1]))
        return files


@dataclass
class Broker:
    """A mosquitto that can be stopped, killed and started again on the same port, with the same data."""

    folder: Path
    certificates: Certificates | None = None
    """None: no TLS."""
    client_certificates: bool = False
    """Only clients with a certificate of the same authority; its common name is the user."""
    users: Mapping[str, str] | None = None
    """Passwords by user; None: the broker accepts everybody."""
    acl: str | None = None
    """The text of the ACL file."""
    persistence: bool = False
    """Sessions, queued and retained messages survive a stop."""
    extra: str = ""
    """More lines for its configuration."""
    host: str = "127.0.0.1"
    port: int = 0
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self) -> "Broker":
        assert _MOSQUITTO
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        self._write_config()
        with (self.folder / "log").open("ab") as log:
            command = [_MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + WAIT_S
        while not accepts(self.port):
            assert self._process.poll() is None, f"mosquitto ended:\n{self.log}"
            assert time.monotonic() < deadline, f"mosquitto does not listen:\n{self.log}"
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Stop as `systemctl stop` does."""
        if self._process:
            self._process.terminate()
            self._process.wait(WAIT_S)
            self._process = None

    def kill(self) -> None:
        """Stop as in a power cut."""
        if self._process:
            self._process.kill()
            self._process.wait(WAIT_S)
            self._process = None

    def freeze(self) -> None:
        """Keep connections open but answer nothing any more; `kill` still works."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def allow(self, acl: str) -> None:
        """Replace the ACL without a restart; it takes the broker a moment."""
        self.acl = acl
        self._write_config()
        assert self._process
        self._process.send_signal(signal.SIGHUP)

    def _write_config(self) -> None:
        lines = ["per_listener_settings false", "user root", "log_dest stdout", "log_type all"]
        lines += [f"listener {self.port} {self.host}", f"allow_anonymous {str(self.users is None).lower()}"]
        lines += self._tls() + self._access()
        if self.persistence:
            lines += ["persistence true", f"persistence_location {self.folder}/"]
        (self.folder / "mosquitto.conf").write_text("\n".join([*lines, self.extra, ""]))

    def _tls(self) -> list[str]:
        if not self.certificates:
            return []
        of = self.certificates
        lines = [f"cafile {of.ca}", f"certfile {of.certificate}", f"keyfile {of.key}"]
        return lines + (
            ["require_certificate true", "use_identity_as_username true"] if self.client_certificates else []
        )

    def _access(self) -> list[str]:
        lines = []
        if self.users is not None:
            passwords = self.folder / "passwords"
            passwords.write_text("".join(f"{user}:{password}\n" for user, password in self.users.items()))
            passwords.chmod(0o600)
            subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
            lines.append(f"password_file {passwords}")
        if self.acl is not None:
            (self.folder / "acl").write_text(self.acl)
            (self.folder / "acl").chmod(0o600)
            lines.append(f"acl_file {self.folder / 'acl'}")
        return lines


@contextmanager
def running_broker(folder: Path, **options: Any) -> Iterator[Broker]:
    """A started Broker, stopped at the end. Skips the test where mosquitto is not installed."""
    if _MOSQUITTO is None:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    broker = Broker(folder, **options).start()
    try:
        yield broker
    finally:
        broker.kill()


@dataclass(frozen=True)
class Heard:
    """A message that a Listener received."""

    topic: str
    payload: bytes
    retained: bool
    qos: int
    expiry_s: int | None
    correlation: bytes | None
    duplicate: bool
    """The broker's DUP flag: it sends this again."""


def retained(broker: Broker, **options: Any) -> dict[str, bytes]:
    """Everything that the broker retains, by topic."""
    with Listener(broker, client_id="afterwards", **options) as listener:
        listener.settle()
        return {message.topic: message.payload for message in listener.heard if message.retained}


class Listener:
    """A subscriber that reconnects after an outage. Use it as a context manager."""

    def __init__(
        self,
        broker: Broker,
        *filters: str,
        client_id: str = "listener",
        persistent: bool = False,
        user: tuple[str, str] | None = None,
        certificate: tuple[Path, Path] | None = None,
        contract: bool = True,
    ) -> None:
        """With `contract`, every message must match the contract; this is checked at the end."""
        self._breaches: list[str] | None = [] if contract else None
        self.heard: list[Heard] = []
        self._changed = threading.Condition()
        self._filters = filters or ("#",)
        self._subscribed = threading.Event()
        self._persistent = persistent
        self._broker = broker
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
        self._client.reconnect_delay_set(1, 2)
        if user:
            self._client.username_pw_set(*user)
        if broker.certificates:
            context = ssl.create_default_context(cafile=str(broker.certificates.ca))
            if certificate:
                context.load_cert_chain(*map(str, certificate))
            self._client.tls_set_context(context)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> "Listener":
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600 if self._persistent else 0
        clean = not self._persistent
        self._client.connect(self._broker.host, self._broker.port, clean_start=clean, properties=properties)
        self._client.loop_start()
        assert self._subscribed.wait(WAIT_S), f"not subscribed:\n{self._broker.log}"
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        assert kind or not self._breaches, "\n".join(self._breaches or [])

    def on(self, topic: str) -> list[Heard]:
        """The messages on one topic so far."""
        with self._changed:
            return [message for message in self.heard if message.topic == topic]

    def wait(self, until: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        """Return once `until` holds, which is checked after every message; fails with everything received."""
        with self._changed:
            if not self._changed.wait_for(until, timeout_s):
                lines = "\n".join(f"  {m.topic} {m.payload[:200]!r}" for m in self.heard)
                raise AssertionError(f"not in {timeout_s} s; heard:\n{lines}\nbroker:\n{self._broker.log[-3000:]}")

    def wait_for(self, topic: str, payload: bytes | None = None, count: int = 1) -> Heard:
        """The last message on `topic` once there are `count` of them (with that payload, if one is given)."""

        def found() -> list[Heard]:
            return [m for m in self.heard if m.topic == topic and payload in {None, m.payload}]

        self.wait(lambda: len(found()) >= count)
        return found()[-1]

    def settle(self) -> None:
        """Return when everything that the broker had for us has arrived and is acknowledged (filter `#` only)."""
        before = len(self.on("settled"))
        for n in range(2):
            # The second one is answered after the acknowledgement of the first.
            self.publish("settled", b"")
            self.wait_for("settled", count=before + n + 1)

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, response_topic: str = "", correlation: bytes = b""
    ) -> None:
        properties = Properties(PacketTypes.PUBLISH)
        if response_topic:
            properties.ResponseTopic = response_topic
        if correlation:
            properties.CorrelationData = correlation
        self._client.publish(topic, payload, 1, retain, properties).wait_for_publish(WAIT_S)

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe([(topic, 1) for topic in self._filters])

    def _on_message(self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage) -> None:
        if self._breaches is not None and (wrong := breach(message.topic, bytes(message.payload))):
            self._breaches.append(wrong)
        expiry = getattr(message.properties, "MessageExpiryInterval", None)
        correlation = getattr(message.properties, "CorrelationData", None)
        with self._changed:
            self.heard.append(
                Heard(
                    message.topic,
                    bytes(message.payload),
                    message.retain,
                    message.qos,
                    expiry,
                    correlation,
                    message.dup,
                )
            )
            self._changed.notify_all()
