"""Commands that arrive over MQTT, and what is answered."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from edge.errors import WhosthereError
from edge.mqtt.client import OutgoingMessage
from edge.mqtt.command_payloads import BadRequest, Request, Snapshot, parse
from edge.mqtt.payloads import CommandResult
from edge.mqtt.topics import Topics

_log = logging.getLogger("whosthere.mqtt")

Reply = Callable[[bool, str], None]
"""Takes whether a command succeeded, and a sentence about it. Any thread may call it, at any time; only the first call
counts."""

OnCommand = Callable[[Request, Reply], None]
"""Carries a command out, or starts to, and replies when it is done. It must not block: it is called on the publisher's
thread. A WhosthereError that it raises is the reply."""

_BURST = 20
_PER_S = 2.0
"""So many commands a second are carried out in the long run, so many at once."""
_TELL_S = 60.0
"""So often, at most, a flood is logged."""


@dataclass(frozen=True, slots=True)
class ReceivedCommand:
    """What somebody asks for."""

    name: str
    payload: bytes
    response_topic: str | None
    correlation: bytes | None


@dataclass(frozen=True, slots=True)
class CommandDone:
    """The result of a command, ready to be published."""

    command: ReceivedCommand
    result: CommandResult


class CommandRateLimit:
    """A token bucket: how many commands may still be looked at."""

    def __init__(self, burst: int = _BURST, per_s: float = _PER_S) -> None:
        self._burst = burst
        self._per_s = per_s
        self._left = float(burst)
        self._at = 0.0
        self._told_at = float("-inf")
        self.dropped = 0
        """Commands turned away in the flood that goes on."""

    def admits(self, now: float) -> bool:
        """May this command be looked at?"""
        self._left = min(self._left + (now - self._at) * self._per_s, float(self._burst))
        self._at = now
        # Once over its brim, nothing is taken until half of it is free again: it would be answered bit by bit.
        needed = self._burst / 2 if self.dropped else 1
        if self._left >= needed:
            self._left -= 1
            self.dropped = 0
            return True
        self.dropped += 1
        if now - self._told_at >= _TELL_S:
            _log.warning("command: more than %g a second for long: they are dropped until it calms down", self._per_s)
            self._told_at = now
        return False


def carry_out(
    command: ReceivedCommand, on_command: OnCommand, done: Callable[[CommandDone], None], *, snapshots: bool
) -> None:
    """Carry a command out; without `snapshots` no picture is sent.

    `done` gets its result exactly once: now, or later from another thread.
    """
    shown = _shown(command.correlation)
    try:
        request = parse(command.name, command.payload)
    except BadRequest as error:
        done(CommandDone(command, CommandResult(command.name[:64], False, str(error), shown)))
        return
    first = threading.Semaphore()

    def reply(ok: bool, message: str) -> None:
        if first.acquire(blocking=False):
            done(CommandDone(command, CommandResult(command.name, ok, message, shown or request.correlation_id)))

    _start(request, on_command, reply, snapshots=snapshots)


def flooded(command: ReceivedCommand) -> CommandResult:
    """To the first command that is dropped; the others get no answer."""
    message = f"too many commands: dropped, as all are until there are fewer than {_PER_S:g} a second"
    return CommandResult(command.name[:64], False, message, _shown(command.correlation))


def answers(command: ReceivedCommand, result: CommandResult, topics: Topics) -> list[OutgoingMessage]:
    """What to publish: on `command/result`, and where the sender asked for it (MQTT 5 response topic)."""
    where = [topics.command_result]
    if command.response_topic and _may_answer_on(command.response_topic, topics):
        where.append(command.response_topic)
    payload = msgspec.json.encode(result)
    return [OutgoingMessage(topic, payload, correlation=command.correlation) for topic in where]


def _may_answer_on(topic: str, topics: Topics) -> bool:
    """Not on our own topics: nobody shall make the box say there what is not so."""
    return not topic.startswith(("$", topics.root)) and not any(character in topic for character in "+#\0")


def _start(request: Request, on_command: OnCommand, reply: Reply, *, snapshots: bool) -> None:
    if isinstance(request, Snapshot) and not snapshots:
        reply(False, "snapshots are off: set mqtt.snapshot.enabled in config.yaml")
        return
    try:
        on_command(request, reply)
    except WhosthereError as error:
        reply(False, str(error))


def _shown(correlation: bytes | None) -> str | None:
    if correlation is None:
        return None
    text = correlation.decode("ascii", errors="replace")
    return text if text.isprintable() and "\ufffd" not in text else correlation.hex()
