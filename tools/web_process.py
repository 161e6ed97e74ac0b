"""The web page of a box as a process of its own, for those who measure it."""

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from edge.demo.broker import free_port
from tools.bench.daemons import AS_ON_A_BOX

START_S = 300.0
FORM = "application/x-www-form-urlencoded"


class WebProcess:
    """`whosthere web` on a port of this machine."""

    def __init__(self, config: Path, *, before: Sequence[str] = (), cookie: str = "") -> None:
        """`before` is what runs it, such as Valgrind; `cookie` is the session to ask in."""
        self._port = free_port()
        self._cookie = cookie
        words = [sys.executable, "-P", "-m", "edge", "web", "--config", str(config), "--listen", self._host]
        # pip compiles what it installs: a page that has to do that itself takes more.
        surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        surroundings |= AS_ON_A_BOX
        self.process = subprocess.Popen(
            [*before, *words], env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    @property
    def _host(self) -> str:
        return f"127.0.0.1:{self._port}"

    def get(self, path: str) -> http.client.HTTPResponse:
        """The head of the answer; retried until the page listens."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                return self._ask("GET", path)
            except ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def read(self, path: str) -> None:
        """Fetch something whole. Raises SystemExit when that fails."""
        answer = self.get(path)
        if answer.status >= 400:
            raise SystemExit(f"{path}: {answer.status}: {answer.read().decode(errors='replace')}")
        answer.read()

    def log_in(self, password: str) -> str:
        """Log in as a browser does; returns the session's cookie."""
        self.read("/login")
        answer = self._ask("POST", "/login", urlencode({"password": password}))
        answer.read()
        found = re.match(r"[^;]+", answer.headers.get("Set-Cookie", ""))
        if found is None:
            raise SystemExit(f"the page did not let the benchmark in: {answer.status}")
        return found[0]

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(number)
        self.process.wait()

    def _ask(self, method: str, path: str, form: str | None = None) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self._host, timeout=START_S)
        headers = {"Cookie": self._cookie, "Origin": f"http://{self._host}", "Content-Type": FORM}
        connection.request(method, path, form, headers)
        return connection.getresponse()
