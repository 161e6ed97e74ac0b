"""What the demo shows in the terminal: each MQTT event as it arrives, and the result at the end."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge.demo import rendering
from edge.demo.comparison import Comparison, ReportedVisit, compare
from edge.demo.expected import ExpectedVisit
from edge.mqtt.payloads import HealthPayload
from edge.mqtt.visit_payloads import VisitPayload
from edge.safe_console import SafeConsole
from edge.terminal import echo, plural

REFRESHES_PER_S = 8


class DemoView:
    """All messages from a box, as a live view (rendered by `rich`) and as a final result.

    Messages may arrive on another thread than the one that renders.
    """

    def __init__(self, expected: Sequence[ExpectedVisit], *, broker: str = "") -> None:
        self._expected = list(expected)
        self._broker = broker
        self._visits: dict[str, ReportedVisit] = {}
        self._health: HealthPayload | None = None
        self._states = {"status": "-", "camera": "-"}
        self._unreadable: list[str] = []
        self._on_line: Callable[[str], None] | None = None
        self._lock = threading.Lock()

    def message(self, topic: str, payload: bytes) -> None:
        """Apply a message of the box; topics that the view does not show are ignored."""
        with self._lock:
            line = self._apply(topic, payload)
            on_line = self._on_line
        if line and on_line:
            on_line(line)

    def pass_lines_to(self, on_line: Callable[[str], None] | None) -> None:
        """Pass each event, as it arrives, to `on_line` as a line of plain text; None stops that."""
        with self._lock:
            self._on_line = on_line

    def passed(self) -> bool:
        """Whether everybody in the clip was reported exactly once and correctly, and nobody else was."""
        with self._lock:
            return not self._unreadable and all(not line.problems for line in self._comparisons())

    def summary(self) -> Table:
        """Who was expected and what was reported, side by side."""
        with self._lock:
            return rendering.summary(self._comparisons())

    def verdict(self) -> Text:
        """One line: how many visitors were reported correctly, and what could not be read."""
        with self._lock:
            lines = self._comparisons()
            right = sum(not line.problems for line in lines if line.expected)
            extra = sum(line.expected is None for line in lines)
            unreadable = list(self._unreadable)
        text = f"{right} of {len(self._expected)} visitors reported correctly"
        text += f", {plural(extra, 'visit')} too many" if extra else ""
        text += f"; unreadable: {', '.join(unreadable)}" if unreadable else ""
        return Text(text, "bold green" if self.passed() else "bold red")

    def print_summary(self, console: SafeConsole | None = None) -> None:
        console = console or SafeConsole()
        console.print(self.summary(), self.verdict())

    def write_summary(self, path: Path) -> None:
        """The summary as plain text."""
        with path.open("w", encoding="utf-8") as file:
            self.print_summary(SafeConsole(file=file, width=120, no_color=True))

    def __rich__(self) -> RenderableType:
        with self._lock:
            return Group(
                rendering.header(self._health, self._states, self._broker),
                rendering.at_the_door([visit for visit in self._visits.values() if not visit.ended]),
                rendering.visits(list(self._visits.values())),
                rendering.health_line(self._health),
            )

    def _comparisons(self) -> list[Comparison]:
        return compare(self._expected, list(self._visits.values()))

    def _apply(self, topic: str, payload: bytes) -> str | None:
        *_, above, leaf = ["", *topic.split("/")]
        if above in {"person", "command"}:
            return None
        if (above, leaf) == ("visit", "late"):
            leaf = "visit"
        try:
            if leaf == "visit":
                return self._visit(msgspec.json.decode(payload, type=VisitPayload))
            if leaf == "health":
                self._keep(msgspec.json.decode(payload, type=HealthPayload))
        except msgspec.DecodeError as error:
            self._unreadable.append(f"{topic}: {error}")
            return self._unreadable[-1]
        if leaf in self._states:
            self._states[leaf] = payload.decode(errors="replace")
            return f"{leaf} {self._states[leaf]}"
        return None

    def _keep(self, health: HealthPayload) -> None:
        # A box that stops reports 0 fps: true, but not what should stay on the screen.
        if health.state != "stopping" or self._health is None:
            self._health = health

    def _visit(self, event: VisitPayload) -> str | None:
        visit = self._visits.setdefault(event.visit_id, ReportedVisit(event.visit_id, len(self._visits) + 1))
        if not visit.add(event):
            return None
        return f"{rendering.clock(event.decided_at)}  visit {visit.number}  {rendering.event_line(event)}"


@contextmanager
def shown(view: DemoView, *, plain: bool) -> Iterator[None]:
    """Show the view while the body runs: live, or one line per event when `plain` or without a terminal."""
    if plain or not sys.stdout.isatty():
        view.pass_lines_to(echo)
        try:
            yield
        finally:
            view.pass_lines_to(None)
        return
    with Live(view, console=SafeConsole(), refresh_per_second=REFRESHES_PER_S):
        yield
