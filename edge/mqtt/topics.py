"""The topics of one box. `docs/40-mqtt.md` is their contract."""

import re
from dataclasses import dataclass

ONLINE = b"online"
OFFLINE = b"offline"
ON = b"ON"
OFF = b"OFF"
NOBODY = b"none"
"""`last_person` while nobody has been recognized."""

_UNFIT = re.compile(r"[+#/\s\x00-\x1f]")
"""Characters that must not occur within one level of a topic."""


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics below `<base>/<device_id>/`.

    The box can be relied on while `status` is `online`: when it vanishes, the broker publishes `offline` as its will.
    It can see while `camera` is `online` too.
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
        """For events that are too old to act on."""
        return self._under("visit", "late")

    def person(self, person_id: str) -> str:
        return self._under("person", _UNFIT.sub("_", person_id))

    @property
    def people(self) -> str:
        """The filter for all `person` topics."""
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
        """Current values of everything that can be set."""
        return self._under("controls")

    @property
    def doorbell(self) -> str:
        return self._under("doorbell")

    @property
    def challenge(self) -> str:
        return self._under("challenge")

    def ask(self, command: str) -> str:
        """The topic to publish a command on."""
        return self._under("command", command)

    @property
    def commands(self) -> str:
        """The filter for all commands; it also matches `command_result`."""
        return self._under("command", "#")

    @property
    def command_result(self) -> str:
        return self._under("command", "result")

    def command(self, topic: str) -> str | None:
        """The name of the command on a topic; None for `command/result` and all other topics."""
        prefix = self._under("command", "")
        if not topic.startswith(prefix) or topic == self.command_result:
            return None
        return topic.removeprefix(prefix)
