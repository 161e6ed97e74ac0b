"""What the web page costs the daemon: `python -m tools.page_cost [--seconds 20]`.

One daemon on the bundled clip, in a loop at its own speed, goes through it all in one run: the page closed, open with
one viewer, with ten viewers, hung (SIGSTOP), and killed (kill -9). For each: the daemon's frame rate, the visit events
that a subscriber got, and memory. Then the memory of each page of its own, and what it takes until the first answer.
"""

import argparse
import re
import resource
import shutil
import signal
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from edge.demo.box import DEVICE, FOLDER, SCRIPT
from edge.demo.expected import read_script
from edge.demo.subscriber import subscriber
from edge.web.password import set_password
from edge.web.stream_tokens import StreamTokens
from tools.bench.broker import running_broker
from tools.bench.daemons import RunningDaemon, cpu_s, enrol, memory_mb, running, write_config
from tools.bench.scenes import enrolled_photos
from tools.page_memory import PASSWORD, print_memory
from tools.web_process import WebProcess

STRANGERS = {"group": True, "keep": 20}


class Heard:
    """Counts the visit events of a subscriber."""

    def __init__(self) -> None:
        self.events = 0

    def message(self, topic: str, _: bytes) -> None:
        self.events += topic.endswith("/visit")


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

    def __init__(self, daemon: RunningDaemon, heard: Heard, seconds: float) -> None:
        self._daemon = daemon
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
        page = memory_mb(web.process.pid) if web and web.process.poll() is None else None
        seen = f"{(viewers.pictures - shown) / took:.1f}" if viewers else "-"
        cells = (f"{page[0]:.1f}", f"{page[1]:.1f}") if page else ("-", "-")
        print(
            f"{what:<28}{frames / took:>9.2f}{self._heard.events - events:>8}{self._daemon.memory_mb()[0]:>11.1f}"
            f"{cpu / took:>6.2f}{cells[0]:>9}{cells[1]:>6}{seen:>12}",
            flush=True,
        )

    def _state(self) -> tuple[float, float]:
        return float(self._daemon.link.status().health.frames), cpu_s(self._daemon.process.pid)


def measure(folder: Path, seconds: float) -> None:
    """The tables."""
    enrol(folder, enrolled_photos())
    set_password(folder / "web", PASSWORD)
    _, key = StreamTokens(folder / "web").make("live", "measured")
    heard = Heard()
    camera = {"source": str(FOLDER / read_script(SCRIPT).clip), "realtime": True, "loop": True}
    with ExitStack() as stack:
        broker = stack.enter_context(running_broker())
        config = write_config(folder, broker, camera, visit={"gap_s": 2.0}, strangers=STRANGERS)
        stack.enter_context(subscriber(broker.port, DEVICE, heard.message))
        daemon = stack.enter_context(running(config))
        time.sleep(seconds / 2)
        table = PageCostTable(daemon, heard, seconds)
        table.line("closed", None)
        web = WebProcess(config)
        web.read("/login")
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
        again = WebProcess(config)
        again.read("/login")
        table.line("started again", again)
        again.end()
        print(f"the daemon's exit code so far: {daemon.process.poll()} (None: it runs)\n")
        print_memory(config)
    first_page(config)


def first_page(config: Path) -> None:
    """What it takes from nothing to the first page."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    web = WebProcess(config)
    web.read("/login")
    took = time.monotonic() - began
    web.end()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"\nfirst page, with the start of the process: {took:.2f} s here, {cpu:.2f} s of CPU time")
    valgrind = shutil.which("valgrind")
    print(
        _instructions(valgrind, config) if valgrind else "instructions are counted by Valgrind, which is not installed"
    )


def _instructions(valgrind: str, config: Path) -> str:
    """The instructions of a page and its helpers from its start to its end, with one request in between."""
    counted = config.parent / "valgrind"
    words = [valgrind, "--tool=callgrind", "--trace-children=yes", "--callgrind-out-file=/dev/null"]
    words.append(f"--log-file={counted}.%p")
    web = WebProcess(config, before=words)
    web.read("/login")
    web.end()
    logs = "".join(path.read_text(encoding="utf-8") for path in config.parent.glob(f"{counted.name}.*"))
    found = [int(count) / 1e9 for count in re.findall(r"Collected : (\d+)", logs)]
    return f"instructions until then: {sum(found):.2f} billion, in {len(found)} processes"


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="How long each line is measured.")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="page-cost-") as folder:
        measure(Path(folder), arguments.seconds)


if __name__ == "__main__":
    main()
