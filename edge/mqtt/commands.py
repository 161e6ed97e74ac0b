"""Commands that arrive over MQTT, and what is answered."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from edge.errors import WhosthereError
from edge.mqtt.client import Message
from edge.mqtt.command_payloads import BadRequest, Request, Snapshot, parse
from edge.mqtt.payloads import CommandResult
from edge.mqtt.topics import Topics

_log = logging.getLogger("whosthere.publish")

OnCommand = Callable[[Request], tuple[bool, str]]
"""Carries a command out: success and a sentence. May raise WhosthereError."""

_BURST = 20
_PER_S = 2.0
"""So many commands a second are carried out in the long run, so many at once."""
_TELL_S = 60.0
"""So often, at most, a flood is logged."""


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks for."""

    name: str
    payload: bytes
    response_topic: str | None
    correlation: bytes | None


class Flood:
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


def carry_out(command: Command, on_command: OnCommand, *, snapshots: bool) -> CommandResult:
    """Does what can be done and says what became of it. Without `snapshots` no picture is given away."""
    shown = _shown(command.correlation)
    try:
        request = parse(command.name, command.payload)
    except BadRequest as error:
        return CommandResult(command.name[:64], False, str(error), shown)
    ok, message = _outcome(request, on_command, snapshots)
    return CommandResult(command.name, ok, message, shown or request.correlation_id)


def flooded(command: Command) -> CommandResult:
    """To the first command that is dropped; the others get no answer."""
    message = f"too many commands: dropped, as all are until there are fewer than {_PER_S:g} a second"
    return CommandResult(command.name[:64], False, message, _shown(command.correlation))


def answers(command: Command, result: CommandResult, topics: Topics) -> list[Message]:
    """What to publish: on `command/result`, and where the sender asked for it (MQTT 5 response topic)."""
    where = [topics.command_result]
    if command.response_topic and _may_answer_on(command.response_topic, topics):
        where.append(command.response_topic)
    payload = msgspec.json.encode(result)
    return [Message(topic, payload, correlation=command.correlation) for topic in where]


def _may_answer_on(topic: str, topics: Topics) -> bool:
    """Not on our own topics: nobody shall make the box say there what is not so."""
    return not topic.startswith(("$", topics.root)) and not any(character in topic for character in "+#\0")


def _outcome(request: Request, on_command: OnCommand, snapshots: bool) -> tuple[bool, str]:
    if isinstance(request, Snapshot) and not snapshots:
        return False, "snapshots are off: set mqtt.snapshot.enabled in config.yaml"
    try:
        return on_command(request)
    except WhosthereError as error:
        return False, str(error)


def _shown(correlation: bytes | None) -> str | None:
    if correlation is None:
        return None
    text = correlation.decode("ascii", errors="replace")
    return text if text.isprintable() and "\ufffd" not in text else correlation.hex()
