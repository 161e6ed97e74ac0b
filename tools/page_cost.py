"""What the web page costs the daemon: `python -m tools.page_cost [--seconds 20]`.

One daemon on the bundled clip, in a loop at its own speed, goes through it all in one run: the page closed, open with
one viewer, with ten viewers, hung (SIGSTOP), and killed (kill -9). For each: the daemon's frame rate, the visit events
that a subscriber got, and memory. Then what the page takes until its first answer.
"""

import argparse
import http.client
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.config import typed_yaml
from edge.demo.box import DEVICE, FOLDER, SCRIPT, make_gallery
from edge.demo.broker import embedded_broker, free_port
from edge.demo.expected import read_script
from edge.demo.subscriber import subscriber
from edge.link.client import Link
from edge.link.protocol import LinkError
from edge.web.password import set_password
from edge.web.stream_tokens import StreamTokens

PASSWORD = "measured by hand"  # noqa: S105  (of a page that lives as long as this)
START_S = 300.0
MB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of one process, in MB."""

    rss: float
    own: float
    """What nobody else uses: what the process adds to a box that has the same libraries in use."""

    @classmethod
    def of(cls, pid: int) -> "Memory":
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        found = {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB$", text, re.MULTILINE)}
        return cls(found["Rss"] / MB, (found["Private_Clean"] + found["Private_Dirty"]) / MB)


class Heard:
    """Counts the visit events of a subscriber."""

    def __init__(self) -> None:
        self.events = 0

    def message(self, topic: str, _: bytes) -> None:
        self.events += topic.endswith("/visit")


class WebProcess:
    """`whosthere web` on a port of this machine."""

    def __init__(self, config: Path, port: int, before: Sequence[str] = ()) -> None:
        self.port = port
        words = [sys.executable, "-P", "-m", "edge", "web", "--config", str(config), "--listen", f"127.0.0.1:{port}"]
        self.process = subprocess.Popen([*before, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def get(self, path: str) -> http.client.HTTPResponse:
        """The head of the answer; retried until the page listens."""
        deadline = time.monotonic() + START_S
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
            try:
                connection.request("GET", path)
                return connection.getresponse()
            except ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(number)
        self.process.wait()


class Viewers:
    """Read /live.mjpg until `stop` is called."""

    def __init__(self, web: WebProcess, key: str, count: int) -> None:
        self._stop = False
        self.pictures = 0
        self._threads = [threading.Thread(target=self._watch, args=(web, key), daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _watch(self, web: WebProcess, key: str) -> None:
        answer = web.get(f"/live.mjpg?boxes=1&token={key}")
        while not self._stop:
            while (line := answer.readline()) and not line.startswith(b"Content-Length:"):
                pass
            if not line:
                return
            answer.readline()
            answer.read(int(line.split(b":")[1]))
            self.pictures += 1

    def stop(self) -> None:
        self._stop = True
        for thread in self._threads:
            thread.join(10)


class PageCostTable:
    """A daemon, and what it did since the last line."""

    def __init__(self, daemon: "subprocess.Popen[bytes]", link: Link, heard: Heard, seconds: float) -> None:
        self._daemon = daemon
        self._link = link
        self._heard = heard
        self._seconds = seconds
        print(
            f"{'the page':<28}{'frames/s':>9}{'events':>8}{'daemon MB':>11}{'CPU':>6}"
            f"{'page MB':>9}{'own':>6}{'pictures/s':>12}"
        )

    def line(self, what: str, web: WebProcess | None, viewers: Viewers | None = None) -> None:
        """Measure for the time set, and print a line."""
        before, events, shown = self._state(), self._heard.events, viewers.pictures if viewers else 0
        began = time.monotonic()
        time.sleep(self._seconds)
        took = time.monotonic() - began
        frames, cpu = (after - old for after, old in zip(self._state(), before, strict=True))
        memory = Memory.of(self._daemon.pid)
        page = Memory.of(web.process.pid) if web and web.process.poll() is None else None
        seen = f"{(viewers.pictures - shown) / took:.1f}" if viewers else "-"
        cells = (f"{page.rss:.1f}", f"{page.own:.1f}") if page else ("-", "-")
        print(
            f"{what:<28}{frames / took:>9.2f}{self._heard.events - events:>8}{memory.rss:>11.1f}{cpu / took:>6.2f}"
            f"{cells[0]:>9}{cells[1]:>6}{seen:>12}",
            flush=True,
        )

    def _state(self) -> tuple[float, float]:
        fields = Path(f"/proc/{self._daemon.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return float(self._link.status().health.frames), ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def _daemon(config: Path, log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "edge", "run", "--config", str(config)], stderr=output, stdout=output
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _config(folder: Path, port: int) -> Path:
    clip = FOLDER / read_script(SCRIPT).clip
    document: dict[str, object] = {
        "device_id": DEVICE,
        "camera": {"source": str(clip), "realtime": True, "loop": True},
        "gallery": {"path": str(folder / "gallery.whg")},
        "visit": {"gap_s": 2.0},
        "mqtt": {"port": port, "protocol": "3.1.1", "outbox": {"path": str(folder / "outbox.sqlite3")}},
        "diary": {"path": str(folder / "diary.sqlite3")},
        "strangers": {"path": str(folder / "strangers")},
        "link": {"path": str(folder / "link.sock")},
        "web": {"path": str(folder / "web")},
    }
    path = folder / "config.yaml"
    path.write_text(typed_yaml.dump(document), encoding="utf-8")
    return path


def _wait_for(link: Link) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if link.status().health.frames:
                return
        except LinkError:
            pass
        time.sleep(0.1)
    raise SystemExit("the daemon did not start")


def measure(folder: Path, seconds: float) -> None:
    """The table."""
    make_gallery(folder / "gallery.whg")
    set_password(folder / "web", PASSWORD)
    _, key = StreamTokens(folder / "web").make("live", "measured")
    heard = Heard()
    with ExitStack() as stack:
        port = stack.enter_context(embedded_broker())
        config = _config(folder, port)
        stack.enter_context(subscriber(port, DEVICE, heard.message))
        daemon = stack.enter_context(_daemon(config, folder / "daemon.log"))
        link = Link(folder / "link.sock")
        _wait_for(link)
        time.sleep(seconds / 2)
        table = PageCostTable(daemon, link, heard, seconds)
        table.line("closed", None)
        web = WebProcess(config, free_port())
        web.get("/login").read()
        table.line("open, nobody watches", web)
        viewers = Viewers(web, key, 1)
        table.line("one viewer", web, viewers)
        viewers.stop()
        viewers = Viewers(web, key, 10)
        table.line("ten viewers", web, viewers)
        web.process.send_signal(signal.SIGSTOP)
        table.line("hung, with ten viewers", web)
        web.end(signal.SIGKILL)
        viewers.stop()
        table.line("killed", None)
        again = WebProcess(config, free_port())
        again.get("/login").read()
        table.line("started again", again)
        again.end()
        print(f"the daemon's exit code so far: {daemon.poll()} (None: it runs)")
    first_page(folder)


def first_page(folder: Path) -> None:
    """What it takes from nothing to the first page."""
    config = folder / "config.yaml"
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    web = WebProcess(config, free_port())
    web.get("/login").read()
    took = time.monotonic() - began
    web.end()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"first page, with the start of the process: {took:.2f} s here, {cpu:.2f} s of CPU time")
    valgrind = shutil.which("valgrind")
    print(
        _instructions(valgrind, config) if valgrind else "instructions are counted by Valgrind, which is not installed"
    )


def _instructions(valgrind: str, config: Path) -> str:
    """The instructions of a page from its start to its end, with one request in between."""
    counted = config.parent / "valgrind.txt"
    before = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", f"--log-file={counted}"]
    web = WebProcess(config, free_port(), before)
    web.get("/login").read()
    web.end()
    found = re.search(r"Collected : (\d+)", counted.read_text(encoding="utf-8"))
    return f"instructions until then: {int(found[1]) / 1e9:.2f} billion" if found else "Valgrind counted nothing"


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="How long each line is measured.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="page-cost-") as folder:
        measure(Path(folder), arguments.seconds)


if __name__ == "__main__":
    main()
