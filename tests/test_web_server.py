"""The page as a process: TLS, systemd's socket, its end when nobody asks, and clients that are too slow or too many."""

import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge.config.loading import load_config
from edge.config.web import WebSettings
from edge.errors import ConfigError
from edge.web import server
from edge.web.box import WebBox
from edge.web.certificate import certificate, fingerprint
from edge.web.login_limit import LoginLimit
from edge.web.password import set_password
from edge.web.sessions import Sessions
from support.http_client import Client
from support.ports import free_port
from support.web import PASSWORD, running_page, write_web_config

ACTIVATED = """
import os, sys
os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"] = str(os.getpid()), "1"
os.dup2(int(sys.argv[1]), 3)
os.execv(sys.executable, [sys.executable, "-P", "-m", "edge", "web", "--listen", "fd", "--config", sys.argv[2]])
"""


def test_the_box_signs_a_certificate_that_only_it_can_read_and_keeps_it(tmp_path: Path) -> None:
    config = write_web_config(tmp_path, web={"tls": {"enabled": True}})
    with running_page(config, tmp_path) as page:
        assert page.address.startswith("https://")
        port = int(page.address.rpartition(":")[2])
        shown = ssl.DER_cert_to_PEM_cert(
            ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port), timeout=60))
        )
        trusting = ssl.create_default_context(cadata=shown)
        with (
            socket.create_connection(("127.0.0.1", port), 60) as plain,
            trusting.wrap_socket(plain, server_hostname="front-door.local") as encrypted,
        ):
            encrypted.sendall(b"GET /login HTTP/1.1\r\nHost: front-door.local\r\nConnection: close\r\n\r\n")
            assert b"200 OK" in encrypted.recv(4096)
    files = tmp_path / "web" / "certificate.pem", tmp_path / "web" / "key.pem"
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600, 0o600]
    first = fingerprint(files[0])
    assert certificate(WebSettings().tls, tmp_path / "web", "front-door") == files
    assert fingerprint(files[0]) == first


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.pem").write_text("nothing")
    tls = {"enabled": True, "certificate_file": "page.pem", "key_file": "page.pem"}
    config = write_web_config(tmp_path, web={"tls": tls})
    set_password(tmp_path / "web", PASSWORD)

    done = subprocess.run(
        [sys.executable, "-P", "-m", "edge", "web", "--config", str(config), "--listen", f"127.0.0.1:{free_port()}"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 3
    assert "page.pem cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(
            ConfigError, match=r"web\.listen: cannot listen on 127\.0\.0\.1:\d+: Address already in use"
        ):
            server.listen("127.0.0.1", taken.getsockname()[1])


def test_systemd_passes_its_socket(tmp_path: Path) -> None:
    config = write_web_config(tmp_path)
    set_password(tmp_path / "web", PASSWORD)
    listener = server.listen("127.0.0.1", 0)
    os.set_inheritable(listener.fileno(), True)
    # What comes before the page is ready waits, as systemd's sockets do.
    client = Client(f"http://127.0.0.1:{listener.getsockname()[1]}")
    words = [sys.executable, "-c", ACTIVATED, str(listener.fileno()), str(config)]
    with subprocess.Popen(words, pass_fds=[listener.fileno()], stdout=subprocess.PIPE, text=True) as page:
        try:
            assert client.log_in().status == 303
        finally:
            page.terminate()
    listener.close()


def test_without_a_socket_from_systemd_fd_is_an_error(tmp_path: Path) -> None:
    config = write_web_config(tmp_path)
    set_password(tmp_path / "web", PASSWORD)

    words = [sys.executable, "-P", "-m", "edge", "web", "--listen", "fd", "--config", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 2
    assert "found no socket from systemd" in done.stderr


def test_it_ends_when_nobody_has_asked_for_a_while(tmp_path: Path) -> None:
    config = write_web_config(tmp_path)
    set_password(tmp_path / "web", PASSWORD)
    program = (
        "import sys\nfrom pathlib import Path\nfrom edge.config.loading import load_config\n"
        "from edge.web import server\nfrom edge.web.box import WebBox\n"
        "path = Path(sys.argv[1])\nbox = WebBox.of(path, load_config(path))\nlistener = server.listen('127.0.0.1', 0)\n"
        "print(listener.getsockname()[1], flush=True)\nserver.serve(box, listener, 1.0)\n"
    )
    words = [sys.executable, "-c", program, str(config)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as page:
        assert page.stdout is not None
        client = Client(f"http://127.0.0.1:{page.stdout.readline().strip()}")
        try:
            assert client.log_in().status == 303
            assert page.wait(60) == 0
        finally:
            page.kill()


def test_one_address_cannot_keep_the_others_out(tmp_path: Path) -> None:
    with running_page(write_web_config(tmp_path), tmp_path) as page:
        port = int(page.address.rpartition(":")[2])
        held = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(server.MAX_CONNECTIONS)]
        closed = sum(_is_closed(one) for one in held)
        with socket.create_connection(("127.0.0.1", port), 60, ("127.0.0.2", 0)) as other:
            other.sendall(b"GET /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = other.recv(4096)
    for one in held:
        one.close()

    assert closed >= server.MAX_CONNECTIONS - server.MAX_PER_ADDRESS
    assert b"200 OK" in answer


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return not connection.recv(1)
    except TimeoutError:
        return False
    except OSError:
        return True


def test_the_config_is_read_again_and_one_with_mistakes_is_not_taken(tmp_path: Path) -> None:
    config = write_web_config(tmp_path)
    loaded = WebBox.of(config, load_config(config))
    config.write_text(config.read_text().replace("front-door", "back-door"))
    os.utime(config, ns=(time.time_ns(), time.time_ns() + 10**9))
    assert loaded.loaded.device_id == "back-door"

    config.write_text("device_id: [\n")
    os.utime(config, ns=(time.time_ns(), time.time_ns() + 2 * 10**9))

    assert loaded.loaded.device_id == "back-door"


def test_sessions_and_counts_are_whole_files(tmp_path: Path) -> None:
    Sessions(tmp_path, 1).start("p", 1.0)
    LoginLimit(tmp_path).count("192.0.2.1", 1.0)

    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        "sessions": 0o600,
        "logins": 0o600,
    }
