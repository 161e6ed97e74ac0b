"""What a way to reach somebody looks like."""

from typing import Protocol

from edge.config.notify import NoticeRules
from edge.notify.notice import Notice


class NoticeChannel(Protocol):
    """Sends notices, one at a time. Used by one thread."""

    name: str
    """Its section: `ntfy` or `webhook`."""
    pictures: bool
    """Whether it sends pictures."""

    @property
    def rules(self) -> NoticeRules:
        """What it sends, and when."""
        ...

    def send(self, notice: Notice, age_s: float) -> str:
        """Send a notice of an event this long ago; returns a remark on how it went, or "". Raises NotSent."""
        ...

    def try_connection(self) -> str:
        """Connect without sending anything; returns where to. Raises NotSent."""
        ...
