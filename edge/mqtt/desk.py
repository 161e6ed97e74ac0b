"""Where commands arrive: floods are turned away, the others carried out and answered."""

import logging
from collections.abc import Callable
from dataclasses import replace

from edge.mqtt.client import Arrived, Message, Signal
from edge.mqtt.command_payloads import MAX_PAYLOAD
from edge.mqtt.commands import Command, Flood, OnCommand, answers, carry_out, flooded
from edge.mqtt.topics import Topics

_log = logging.getLogger("whosthere.publish")


class Desk:
    """The commands of one box."""

    def __init__(
        self, topics: Topics, on_command: OnCommand, send: Callable[[Message, float], None], *, snapshots: bool
    ) -> None:
        self._topics = topics
        self._on_command = on_command
        self._send = send
        self._snapshots = snapshots
        self._flood = Flood()

    def trimmed(self, signal: Signal) -> Signal:
        """A command too large to be taken, without most of what makes it so; anything else as it is."""
        if not isinstance(signal, Arrived) or len(signal.payload) <= MAX_PAYLOAD:
            return signal
        if self._topics.command(signal.topic) is None:
            return signal
        return replace(signal, payload=signal.payload[: MAX_PAYLOAD + 1])

    def take(self, message: Arrived, now: float) -> bool:
        """Do what a message asks for; False when it is no command."""
        name = self._topics.command(message.topic)
        if name is None:
            return False
        if message.retained:
            _log.warning("%s: a retained command is ignored; send it without retain", ascii(message.topic)[1:-1])
        else:
            self._on_request(Command(name, message.payload, message.response_topic, message.correlation), now)
        return True

    def _on_request(self, command: Command, now: float) -> None:
        if self._flood.admits(now):
            result = carry_out(command, self._on_command, snapshots=self._snapshots)
            _log.info("command %s: %s", ascii(result.command)[1:-1], result.message)
        elif self._flood.dropped == 1:
            result = flooded(command)
        else:
            return
        for answer in answers(command, result, self._topics):
            self._send(answer, now)
