"""The parts of the demo's view, as `rich` renders them."""

from datetime import datetime

from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edge.demo.comparison import Comparison, ReportedVisit, answer
from edge.events import EventKind
from edge.mqtt.payloads import HealthPayload
from edge.mqtt.visit_payloads import VisitPayload
from edge.terminal import plural

BAR_CELLS = 24
_STYLES = {
    EventKind.STARTED: "dim",
    EventKind.RECOGNIZED: "bold green",
    EventKind.UNKNOWN: "bold yellow",
    EventKind.UNCERTAIN: "bold magenta",
    EventKind.NO_USABLE_FACE: "magenta",
    EventKind.ENDED: "dim",
}


def header(health: HealthPayload | None, states: dict[str, str], broker: str) -> Panel:
    """Which box this is, and what a name needs."""
    top = Text.assemble(
        (health.device_id if health else "starting...", "bold"),
        *(part for name, state in states.items() for part in (f"   {name} ", (state, _state_style(state)))),
        f"   broker {broker}" if broker else "",
    )
    if health is not None:
        needed = "unknown" if health.threshold is None else f"{health.threshold:.3f}"
        strangers = f"{1 / health.false_alarm_target:,.0f}" if health.false_alarm_target else "-"
        top.append(f"\n{plural(health.gallery.people, 'person', 'people')} in the gallery   a name needs similarity ")
        top.append(needed, "bold cyan")
        top.append(f" (one stranger in {strangers} may be called by a name)", "dim")
        top.append(f"\n{health.model.detector}, {health.model.embedder} on {health.model.runtime}", "dim")
    return Panel(top, title="whosthere", title_align="left", box=ROUNDED, border_style="cyan")


def at_the_door(present: list[ReportedVisit]) -> Panel:
    """Who is there now, with how similar they are."""
    lines = [_present(visit) for visit in present] or [Text("nobody", "dim")]
    return Panel(Group(*lines), title="at the door", title_align="left", box=ROUNDED, border_style="blue")


def _present(visit: ReportedVisit) -> Text:
    decision = visit.latest
    if decision is None:
        return Text("somebody; analysing...", "italic")
    line = Text(f"{_answered(decision):<24}", _STYLES[decision.event_type])
    if decision.similarity is not None and decision.threshold is not None:
        line.append_text(_bar(decision.similarity, decision.threshold))
        line.append(f" {decision.similarity:.2f}", "bold")
        line.append(f" (needs {decision.threshold:.2f})", "dim")
    return line


def _bar(similarity: float, threshold: float) -> Text:
    """Similarity 0..1 as a bar, with a mark at the threshold."""
    filled, mark = (round(BAR_CELLS * min(max(part, 0.0), 1.0)) for part in (similarity, threshold))
    colour = "green" if similarity >= threshold else "yellow"
    bar = Text()
    for cell in range(BAR_CELLS):
        bar.append("┃" if cell == mark else "━", "bold white" if cell == mark else colour if cell < filled else "dim")
    return bar


def visits(reported: list[ReportedVisit]) -> Table:
    """One row per visit, with its events in order."""
    table = Table(box=SIMPLE_HEAD, expand=True, title="MQTT events, visit by visit", title_justify="left")
    table.add_column("visit", justify="right", no_wrap=True)
    table.add_column("came", no_wrap=True)
    table.add_column("events", ratio=1)
    table.add_column("faces", justify="right", no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    for visit in reported:
        decision = visit.latest
        table.add_row(
            str(visit.number),
            clock(visit.events[0].started_at),
            Text(" → ").join(Text(_short(event), _STYLES[event.event_type]) for event in visit.events),
            str(decision.usable_faces) if decision else "",
            f"{decision.latency_ms / 1000:.1f} s" if decision else "",
        )
    return table


def health_line(health: HealthPayload | None) -> Text:
    """How fast the box is."""
    if health is None:
        return Text("no health message yet", "dim")
    stages = "  ".join(f"{name} {took.p50_ms:.0f}/{took.p95_ms:.0f}" for name, took in health.latency.items())
    return Text.assemble(
        (f"{health.fps:.1f} fps", "bold"),
        f"  dropped {health.frames_dropped}/{health.frames}  outbox {health.outbox.waiting}  {health.memory_mb:.0f} MB",
        (f"\np50/p95 ms  {stages}" if stages else "", "dim"),
    )


def summary(lines: list[Comparison]) -> Table:
    """Expected beside reported, with a mark on each line."""
    table = Table(box=ROUNDED, title="Who was at the door, and what was reported", title_justify="left")
    for heading in ("in the clip", "right answer", "reported", "similarity", "after", ""):
        table.add_column(
            heading, justify="right" if heading in {"similarity", "after"} else "left", no_wrap=bool(heading)
        )
    for line in lines:
        decision = line.reported.decision if line.reported else None
        similarity = f"{decision.similarity:.3f}" if decision and decision.similarity is not None else ""
        needed = f" / {decision.threshold:.3f}" if decision and decision.threshold is not None else ""
        table.add_row(
            line.expected.shown if line.expected else "nobody",
            (line.expected.person_name or "unknown") if line.expected else "-",
            answer(decision) if line.reported else "-",
            similarity + needed,
            f"{decision.latency_ms / 1000:.1f} s" if decision else "",
            Text(f"✗ {', '.join(line.problems)}", "bold red") if line.problems else Text("✓", "bold green"),
        )
    return table


def event_line(event: VisitPayload) -> str:
    """An event as a plain line."""
    if event.event_type in {EventKind.STARTED, EventKind.ENDED}:
        return event.event_type.value
    remark = " (provisional)" if event.provisional else " (corrected)" if event.corrects else ""
    parts = [event.event_type.value + remark]
    parts += [_answered(event)] if event.event_type is not EventKind.UNKNOWN else []
    parts += (
        [f"{event.stranger.id}, came {event.stranger.times} times"]
        if event.stranger and event.stranger.times > 1
        else []
    )
    if event.similarity is not None and event.threshold is not None:
        parts.append(f"similarity {event.similarity:.3f} (needs {event.threshold:.3f})")
    parts.append(f"{plural(event.usable_faces, 'face')}, {event.latency_ms / 1000:.1f} s after the first")
    return "  ".join(parts)


def _short(event: VisitPayload) -> str:
    if event.event_type in {EventKind.STARTED, EventKind.ENDED}:
        return event.event_type.value
    similarity = f" {event.similarity:.2f}" if event.similarity is not None else ""
    return f"{_answered(event)}{similarity}{'?' if event.provisional else ''}"


def _answered(event: VisitPayload) -> str:
    """The answer with its details: between whom it is uncertain, or why no face was usable."""
    if event.candidates:
        return f"{answer(event)}: {' or '.join(candidate.name for candidate in event.candidates)}"
    return f"{answer(event)}: {event.problem.value.replace('_', ' ')}" if event.problem else answer(event)


def _state_style(state: str) -> str:
    return {"online": "green", "offline": "red"}.get(state, "dim")


def clock(time: str) -> str:
    """The local time of day of an RFC 3339 time."""
    return datetime.fromisoformat(time).astimezone().strftime("%H:%M:%S")
