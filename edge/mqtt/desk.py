"""Where commands arrive: floods are turned away, the others carried out and answered."""

import logging
from collections.abc import Callable
from dataclasses import replace

from edge.mqtt.client import IncomingMessage, OutgoingMessage, Signal
from edge.mqtt.command_payloads import MAX_PAYLOAD
from edge.mqtt.commands import CommandDone, CommandRateLimit, OnCommand, ReceivedCommand, answers, carry_out, flooded
from edge.mqtt.topics import Topics

_log = logging.getLogger("whosthere.mqtt")


class CommandHandler:
    """The commands of one box."""

    def __init__(
        self,
        topics: Topics,
        on_command: OnCommand,
        post: Callable[[CommandDone], None],
        send: Callable[[OutgoingMessage, float], None],
        *,
        snapshots: bool,
    ) -> None:
        """`post` brings a result back to `answer`; commands may be done on any thread."""
        self._topics = topics
        self._on_command = on_command
        self._post = post
        self._send = send
        self._snapshots = snapshots
        self._flood = CommandRateLimit()

    def trimmed(self, signal: Signal) -> Signal:
        """A command too large to be taken, without most of what makes it so; anything else as it is."""
        if not isinstance(signal, IncomingMessage) or len(signal.payload) <= MAX_PAYLOAD:
            return signal
        if self._topics.command(signal.topic) is None:
            return signal
        return replace(signal, payload=signal.payload[: MAX_PAYLOAD + 1])

    def take(self, message: IncomingMessage, now: float) -> bool:
        """Do what a message asks for; False when it is no command."""
        name = self._topics.command(message.topic)
        if name is None:
            return False
        if message.retained:
            _log.warning("%s: a retained command is ignored; send it without retain", ascii(message.topic)[1:-1])
        else:
            self._on_request(ReceivedCommand(name, message.payload, message.response_topic, message.correlation), now)
        return True

    def answer(self, done: CommandDone, now: float) -> None:
        """Publish the result of a command."""
        _log.info("command %s: %s", ascii(done.result.command)[1:-1], done.result.message)
        for answer in answers(done.command, done.result, self._topics):
            self._send(answer, now)

    def _on_request(self, command: ReceivedCommand, now: float) -> None:
        if self._flood.admits(now):
            carry_out(command, self._on_command, self._post, snapshots=self._snapshots)
        elif self._flood.dropped == 1:
            self._post(CommandDone(command, flooded(command)))
