"""Commands that arrive over MQTT: carried out and answered, or dropped when there are too many."""

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import msgspec

from edge.errors import WhosthereError
from edge.mqtt.client import IncomingMessage, OutgoingMessage, Signal
from edge.mqtt.command_payloads import MAX_PAYLOAD, BadRequest, Request, Snapshot, parse
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
"""This many commands at once, and this many a second in the long run, are carried out."""
_LOG_FLOOD_S = 60.0
"""A flood is logged this often at most."""


@dataclass(frozen=True, slots=True)
class ReceivedCommand:
    """A command as it arrived."""

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
    """A token bucket that decides whether a command may be carried out."""

    def __init__(self, burst: int = _BURST, per_s: float = _PER_S) -> None:
        self._burst = burst
        self._per_s = per_s
        self._left = float(burst)
        self._at = 0.0
        self._logged_at = float("-inf")
        self.dropped = 0
        """Commands dropped in the current flood."""

    def admits(self, now: float) -> bool:
        """Whether this command may be carried out."""
        self._left = min(self._left + (now - self._at) * self._per_s, float(self._burst))
        self._at = now
        # A flood ends when half of the bucket is free: otherwise every few of its commands would still be answered.
        needed = self._burst / 2 if self.dropped else 1
        if self._left >= needed:
            self._left -= 1
            self.dropped = 0
            return True
        self.dropped += 1
        if now - self._logged_at >= _LOG_FLOOD_S:
            _log.warning("command: more than %g a second; commands are dropped until there are fewer", self._per_s)
            self._logged_at = now
        return False


class CommandHandler:
    """The commands of one box."""

    def __init__(
        self, topics: Topics, on_command: OnCommand, done: Callable[[CommandDone], None], *, snapshots: bool
    ) -> None:
        """`done` gets every result to publish, from whatever thread a command is answered on."""
        self._topics = topics
        self._on_command = on_command
        self._done = done
        self._snapshots = snapshots
        self._rate_limit = CommandRateLimit()

    def trimmed(self, signal: Signal) -> Signal:
        """A command that is too large, cut to just over the limit; any other signal unchanged."""
        if not isinstance(signal, IncomingMessage) or len(signal.payload) <= MAX_PAYLOAD:
            return signal
        if self._topics.command(signal.topic) is None:
            return signal
        return replace(signal, payload=signal.payload[: MAX_PAYLOAD + 1])

    def receive(self, message: IncomingMessage, now: float) -> bool:
        """Carry out the command that a message holds; False when it holds none."""
        name = self._topics.command(message.topic)
        if name is None:
            return False
        command = ReceivedCommand(name, message.payload, message.response_topic, message.correlation)
        if message.retained:
            _log.warning("%s: a retained command is ignored; send it without retain", ascii(message.topic)[1:-1])
        elif self._rate_limit.admits(now):
            carry_out(command, self._on_command, self._done, snapshots=self._snapshots)
        elif self._rate_limit.dropped == 1:
            self._done(CommandDone(command, flooded(command)))
        return True


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
    """The answer to the first command that is dropped; the others get none."""
    message = f"too many commands: all are dropped until there are fewer than {_PER_S:g} a second"
    return CommandResult(command.name[:64], False, message, _shown(command.correlation))


def answers(done: CommandDone, topics: Topics, discovery_prefix: str) -> list[OutgoingMessage]:
    """The messages that answer a command: on `command/result`, and on the MQTT 5 response topic if it has one."""
    command = done.command
    where = [topics.command_result]
    if command.response_topic and _may_answer_on(command.response_topic, (topics.base, discovery_prefix)):
        where.append(command.response_topic)
    payload = msgspec.json.encode(done.result)
    return [OutgoingMessage(topic, payload, correlation=command.correlation) for topic in where]


def _may_answer_on(topic: str, owned: Collection[str]) -> bool:
    """Not on the topics of boxes or Home Assistant: nobody may use the box to publish falsehoods there."""
    below = tuple(f"{prefix}/" for prefix in owned)
    return not f"{topic}/".startswith(("$", *below)) and not any(character in topic for character in "+#\0")


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
