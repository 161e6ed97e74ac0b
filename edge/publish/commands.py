"""Commands that arrive over MQTT, and what is answered."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from edge.errors import WhosthereError
from edge.publish.client import Message
from edge.publish.payloads import CommandResult
from edge.publish.topics import Topics

OnCommand = Callable[[str, bytes], tuple[bool, str]]
"""Carries a command out: its name and payload in, success and a sentence out. May raise WhosthereError."""

KNOWN = ("pause", "resume", "reload", "snapshot")
MAX_PAYLOAD = 4096


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks for."""

    name: str
    payload: bytes
    response_topic: str | None
    correlation: bytes | None


def carry_out(command: Command, on_command: OnCommand, *, snapshots: bool) -> CommandResult:
    """Does what can be done and says what became of it. Without `snapshots` no picture is given away."""
    ok, message = _outcome(command, on_command, snapshots)
    return CommandResult(command.name[:64], ok, message, _shown(command.correlation))


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


def _outcome(command: Command, on_command: OnCommand, snapshots: bool) -> tuple[bool, str]:
    if command.name not in KNOWN:
        return False, f"no such command; known: {', '.join(KNOWN)}"
    if len(command.payload) > MAX_PAYLOAD:
        return False, f"the payload has {len(command.payload)} bytes; at most {MAX_PAYLOAD} are taken"
    if command.name == "snapshot" and not snapshots:
        return False, "snapshots are off: set mqtt.snapshot.enabled in config.yaml"
    try:
        return on_command(command.name, command.payload)
    except WhosthereError as error:
        return False, str(error)


def _shown(correlation: bytes | None) -> str | None:
    if correlation is None:
        return None
    text = correlation.decode("ascii", errors="replace")
    return text if text.isprintable() and "\ufffd" not in text else correlation.hex()
