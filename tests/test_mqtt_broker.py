"""Connecting to the broker, and the errors when that fails: TLS, passwords, certificates, ACLs, a second box."""

import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge.config.mqtt import MqttSettings, OutboxSettings, TlsSettings
from edge.demo.broker import embedded_broker
from edge.errors import BrokerError, ConfigError
from edge.mqtt.probe import check_broker
from support.broker import Broker, Certificates, Listener, retained, running_broker
from support.publishing import (
    EVERYBODY,
    ROOT,
    controls,
    event,
    publisher,
    publishing_process,
    recognized,
    settings,
    until,
)

SECRET = "correct horse battery staple"  # noqa: S105
ACL_WITHOUT_VISITS = (
    f"user box\ntopic readwrite {ROOT}/status\ntopic write {ROOT}/last_person\nuser home\ntopic readwrite #\n"
)
ACL_WITH_VISITS = f"user box\ntopic readwrite {ROOT}/#\nuser home\ntopic readwrite #\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def guarded(tmp_path: Path, certificates: Certificates) -> Iterator[Broker]:
    """TLS, and two users: the box and the home."""
    users = {"box": SECRET, "home": "home"}
    with running_broker(tmp_path / "broker", certificates=certificates, users=users, acl=ACL_WITH_VISITS) as running:
        yield running


def user(broker: Broker, folder: Path, password: str = SECRET, **tls: str) -> MqttSettings:
    (folder / "password").write_text(f"{password}\n")
    assert broker.certificates
    return settings(
        broker,
        folder,
        username="box",
        password_file=str(folder / "password"),
        tls=TlsSettings(**({"ca_file": str(broker.certificates.ca)} | tls), enabled=True),
    )


def test_tls_with_user_and_password(guarded: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    mqtt = user(guarded, tmp_path)
    box = publisher(mqtt)
    with Listener(guarded, user=("home", "home")) as home:
        box.start()
        box.publish(event())
        home.wait_for(f"{ROOT}/visit")
        assert check_broker(mqtt, "front-door") == (
            f"127.0.0.1:{guarded.port} accepts this box (MQTT 5, TLS, user box) and its messages below {ROOT}/"
        )
        box.stop(5)
    assert SECRET not in caplog.text


def test_a_client_certificate_is_enough(tmp_path: Path, certificates: Certificates) -> None:
    certificate, key = certificates.client("box")
    with running_broker(tmp_path / "broker", certificates=certificates, client_certificates=True) as broker:
        tls = TlsSettings(True, str(certificates.ca), str(certificate), str(key))
        box = publisher(settings(broker, tmp_path, tls=tls))
        with Listener(broker, certificate=certificates.client("home")) as home:
            box.start()
            box.publish(event())
            home.wait_for(f"{ROOT}/visit")
            box.stop(5)
        without = settings(broker, tmp_path, tls=TlsSettings(True, str(certificates.ca)))
        with pytest.raises(BrokerError, match=r"client certificate: mqtt\.tls\.certificate_file"):
            check_broker(without, "front-door")


def test_checking_the_broker_does_not_disturb_the_daemon(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        box = publisher(settings(broker, tmp_path))
        box.start()
        listener.wait_for(f"{ROOT}/status", b"online")
        check_broker(settings(broker, tmp_path), "front-door")
        box.stop(5)
        listener.wait_for(f"{ROOT}/status", b"offline")
        assert [m.payload for m in listener.on(f"{ROOT}/status")] == [b"online", b"offline"]


def test_wrong_password(guarded: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wrong = user(guarded, tmp_path, password="wrong")  # noqa: S106
    with pytest.raises(BrokerError, match=r"mqtt\.username, mqtt\.password_file: .* refuses user 'box'"):
        check_broker(wrong, "front-door")
    nameless = msgspec.structs.replace(wrong, username=None, password_file=None)
    with pytest.raises(BrokerError, match=r"requires a username: set mqtt\.username"):
        check_broker(nameless, "front-door")

    box = publisher(wrong)
    box.start()
    until(lambda: "refuses user 'box'" in caplog.text)
    # The right password on disk is taken up without a restart.
    (tmp_path / "password").write_text(SECRET)
    until(lambda: box.connected)
    box.stop(5)
    assert caplog.text.count("refuses user") == 1


def test_errors_of_tls_say_what_is_wrong(guarded: Broker, tmp_path: Path, certificates: Certificates) -> None:
    stranger = Certificates(tmp_path / "stranger")
    cases = [
        (user(guarded, tmp_path, ca_file=str(stranger.ca)), "must be signed by .*stranger/ca.pem"),
        (msgspec.structs.replace(user(guarded, tmp_path), tls=TlsSettings()), "set mqtt.tls.enabled"),
    ]
    for mqtt, message in cases:
        with pytest.raises(BrokerError, match=message):
            check_broker(mqtt, "front-door")
    with running_broker(tmp_path / "plain") as plain:
        plain.certificates = certificates
        with pytest.raises(BrokerError, match="does not speak TLS"):
            check_broker(user(plain, tmp_path), "front-door")
    with pytest.raises(ConfigError, match=r"mqtt\.tls\.ca_file: .*password holds no certificates"):
        publisher(user(guarded, tmp_path, ca_file=str(tmp_path / "password"))).start()
    with pytest.raises(ConfigError, match=r"mqtt\.password_file: cannot read the secret in .*nowhere"):
        publisher(msgspec.structs.replace(user(guarded, tmp_path), password_file="nowhere")).start()  # noqa: S106


def test_errors_without_a_broker(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        here = MqttSettings(host="127.0.0.1", port=port)
        with pytest.raises(BrokerError, match=f"nothing listens at 127.0.0.1:{port}"):
            check_broker(here, "front-door")
        silent.listen()
        with pytest.raises(BrokerError, match="does not answer in time"):
            check_broker(here, "front-door", timeout_s=0.5)
    with pytest.raises(BrokerError, match=r"mqtt\.host: 'no-such-host\.invalid' has no address"):
        check_broker(MqttSettings(host="no-such-host.invalid"), "front-door", timeout_s=30)


def test_brokers_that_only_speak_the_older_protocol(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One in real use (amqtt), and one that refuses as MQTT 3.1.1 prescribes (3.2.2.3)."""
    with embedded_broker() as port:
        older = MqttSettings(host="127.0.0.1", port=port, protocol="3.1.1")
        assert "accepts this box (MQTT 3.1.1" in check_broker(older, "front-door")
        with pytest.raises(BrokerError, match=r"does not answer in time.*mqtt\.protocol"):
            check_broker(MqttSettings(host="127.0.0.1", port=port), "front-door", timeout_s=1)
        box = publisher(msgspec.structs.replace(older, outbox=OutboxSettings(path=str(tmp_path / "outbox"))))
        box.start()
        box.publish(recognized())
        until(lambda: box.connected and box.outbox_health.waiting == 0)
        box.stop(5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_answer, args=(server, b"\x20\x02\x00\x01"), daemon=True).start()
        with pytest.raises(BrokerError, match=r"mqtt\.protocol: .* does not speak MQTT 5; try the other version"):
            check_broker(MqttSettings(host="127.0.0.1", port=server.getsockname()[1]), "front-door")


def _answer(server: socket.socket, words: bytes) -> None:
    """A broker that sends this to its first client, and nothing more."""
    connection, _ = server.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(words)
        # To close with something unread would take back what was said.
        while connection.recv(1000):
            pass


def test_what_the_acl_denies_is_logged_once_and_kept_until_allowed(
    guarded: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guarded.stop()
    guarded.acl = ACL_WITHOUT_VISITS
    guarded.start()
    mqtt = user(guarded, tmp_path)
    with pytest.raises(BrokerError, match=f"{ROOT}/command/result: the broker's ACL denies it"):
        check_broker(mqtt, "front-door")
    box = publisher(mqtt)
    with Listener(guarded, user=("home", "home")) as home:
        box.start()
        box.camera_state(online=True)
        box.publish(event())
        box.publish(event(sequence=1))
        until(lambda: caplog.text.count("ACL denies") == 2)
        assert box.outbox_health.waiting == 2

        guarded.allow(ACL_WITH_VISITS)
        home.wait_for(f"{ROOT}/visit", count=2)
        box.stop(5)
    denied = [message.split(":")[0] for message in caplog.messages if "ACL denies" in message]
    assert sorted(denied) == [f"{ROOT}/camera", f"{ROOT}/visit"]
    assert [msgspec.json.decode(m.payload)["sequence"] for m in home.on(f"{ROOT}/visit")] == [0, 1]


def test_two_boxes_of_one_name_log_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "second").mkdir()
    with running_broker(tmp_path / "broker") as broker:
        first, second = (publisher(settings(broker, folder)) for folder in (tmp_path, tmp_path / "second"))
        first.start()
        until(lambda: first.connected)
        second.start()
        # Only from 2.0.15 on does mosquitto say at once that the session was taken over.
        until(lambda: "two boxes have the same device_id" in caplog.text)
        for box in (first, second):
            box.stop(1)


def test_a_session_taken_over_is_logged_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """CONNACK, then DISCONNECT with reason 0x8E: session taken over (MQTT 5.0, 3.14.2.1)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = b"\x20\x03\x00\x00\x00" + b"\xe0\x02\x8e\x00"
        threading.Thread(target=_answer, args=(server, words), daemon=True).start()
        outbox = OutboxSettings(path=str(tmp_path / "outbox"))
        box = publisher(MqttSettings(host="127.0.0.1", port=server.getsockname()[1], outbox=outbox))
        box.start()
        until(lambda: "another client took over the session 'whosthere-front-door' at 127.0.0.1" in caplog.text)
        box.stop(1)


def test_when_the_box_dies_the_broker_publishes_offline(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker") as broker, Listener(broker, f"{ROOT}/#") as listener:
        with publishing_process(settings(broker, tmp_path), "v1", 1) as process:
            listener.wait_for(f"{ROOT}/visit")
            process.kill()
        listener.wait_for(f"{ROOT}/status", b"offline")
        assert retained(broker)[f"{ROOT}/status"] == b"offline"


def test_a_message_that_is_larger_than_the_broker_allows_is_reported_once_and_not_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "whosthere")
    with running_broker(tmp_path / "broker", extra="max_packet_size 4000") as broker, Listener(broker) as listener:
        box = publisher(settings(broker, tmp_path))
        box.people(EVERYBODY)
        box.controls(controls())
        box.start()
        listener.wait_for(f"{ROOT}/status", b"online")
        until(lambda: any("bytes" in message for message in caplog.messages))
        for sequence in range(3):
            box.publish(event(sequence=sequence))
        listener.wait_for(f"{ROOT}/visit", count=3)
        box.controls(controls(paused=True))
        until(lambda: len(listener.on(f"{ROOT}/controls")) > 1)
        box.stop(5)
    (too_large,) = [message for message in caplog.messages if "bytes" in message]
    assert too_large.startswith("homeassistant/device/whosthere_front-door/config: found a message of ")
    assert "the broker allows 4,000. It is not sent; raise the broker's limit" in too_large
    assert len([message for message in caplog.messages if "connected to" in message]) == 1


def test_an_event_that_is_larger_than_the_broker_allows_waits(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker", extra="max_packet_size 400") as broker, Listener(broker) as listener:
        box = publisher(settings(broker, tmp_path))
        box.start()
        listener.wait_for(f"{ROOT}/status", b"online")
        box.publish(event())
        until(lambda: box.outbox_health.waiting == 1)
        box.publish(event(sequence=1))
        until(lambda: box.outbox_health.waiting == 2)
        box.stop(5)
    assert box.outbox_health.waiting == 2
