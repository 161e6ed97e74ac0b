"""The topics of one box. `docs/40-mqtt.md` is their contract."""

import re
from dataclasses import dataclass

ONLINE = b"online"
OFFLINE = b"offline"
ON = b"ON"
OFF = b"OFF"
NOBODY = b"none"
"""`last_person` before anybody was recognized."""

_UNFIT = re.compile(r"[+#/\s\x00-\x1f]")
"""What may not stand in one level of a topic."""


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics below `<base>/<device_id>/`.

    The box can be relied on while `status` is `online` (the broker says `offline` in its place when it
    vanishes, as its will), and sees something while `camera` is `online` too.
    """

    base: str
    device_id: str

    def _under(self, *levels: str) -> str:
        return "/".join((self.base, _UNFIT.sub("_", self.device_id), *levels))

    @property
    def root(self) -> str:
        return self._under()

    @property
    def status(self) -> str:
        return self._under("status")

    @property
    def camera(self) -> str:
        return self._under("camera")

    @property
    def visit(self) -> str:
        return self._under("visit")

    @property
    def visit_late(self) -> str:
        """Where an event goes that is too old to act upon."""
        return self._under("visit", "late")

    def person(self, person_id: str) -> str:
        return self._under("person", _UNFIT.sub("_", person_id))

    @property
    def people(self) -> str:
        """The filter of all `person` topics."""
        return self._under("person", "+")

    @property
    def last_person(self) -> str:
        return self._under("last_person")

    @property
    def snapshot(self) -> str:
        return self._under("snapshot")

    @property
    def health(self) -> str:
        return self._under("health")

    @property
    def controls(self) -> str:
        """What can be set from outside, and is in force."""
        return self._under("controls")

    @property
    def doorbell(self) -> str:
        return self._under("doorbell")

    def ask(self, command: str) -> str:
        """Where to publish a command."""
        return self._under("command", command)

    @property
    def commands(self) -> str:
        """The filter of all commands; it also matches `command_result`."""
        return self._under("command", "#")

    @property
    def command_result(self) -> str:
        return self._under("command", "result")

    def command(self, topic: str) -> str | None:
        """The command that a topic stands for; None for `command/result` and anything else."""
        prefix = self._under("command", "")
        if not topic.startswith(prefix) or topic == self.command_result:
            return None
        return topic.removeprefix(prefix)
