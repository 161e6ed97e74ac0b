"""The section `notify` of config.yaml."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.address import parse_address
from edge.config.web_address import web_address_mistake

NoticeKind = Literal["recognized", "unknown", "again", "uncertain", "no_usable_face", "correction", "ring"]
"""What is worth a notice. `again` is an unknown visitor who came before; `correction` is a name after a doubt."""
EVENTS: tuple[NoticeKind, ...] = ("recognized", "unknown", "again", "uncertain", "correction", "ring")
Priority = Literal["min", "low", "default", "high", "max"]
QuietHours = Annotated[
    str,
    Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]\Z",
        description="two times of day, such as 22:00-07:00",
    ),
]
NtfyTopic = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z", description="up to 64 letters, digits, - and _, in quotes")
]


class NoticeRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is sent, and when."""

    events: tuple[NoticeKind, ...] = EVENTS
    people: tuple[str, ...] = ()
    """Ids or names; of known people, only these are announced. Empty: everybody."""
    quiet: QuietHours | None = None
    """Nothing is sent between these times of day, by the clock of this box."""


class NtfySettings(NoticeRules, frozen=True):
    """Notices on phones, by an ntfy server (https://docs.ntfy.sh)."""

    server: str | None = None
    """None: nothing is sent."""
    topic: NtfyTopic | None = None
    topic_file: str | None = None
    """A file that holds the topic, which is a password on a public server."""
    token_file: str | None = None
    """The access token, for a server that asks for one."""
    ca_file: str | None = None
    priority: Priority = "default"
    unknown_priority: Priority = "high"
    """For everybody without a name, and for a ring."""
    picture: bool = False

    def __post_init__(self) -> None:
        if self.server is None:
            return
        if mistake := web_address_mistake(self.server, "https://ntfy.sh"):
            raise ValueError(f"server: {mistake}")
        if parse_address(self.server).target.strip("/"):
            raise ValueError("server: found a path; allowed: the server alone, such as https://ntfy.sh; see topic")
        if (self.topic is None) == (self.topic_file is None):
            found = "neither" if self.topic is None else "both"
            raise ValueError(f"topic, topic_file: found {found}; allowed: one of them")


class WebhookSettings(NoticeRules, frozen=True):
    """Each event as JSON to an address of your own."""

    url: str | None = None
    url_file: str | None = None
    """A file that holds the address, where the address is the secret. Neither: nothing is sent."""
    token_file: str | None = None
    """Sent as `Authorization: Bearer`."""
    secret_file: str | None = None
    """The key of the signature, HMAC-SHA256, in `X-Whosthere-Signature`."""
    ca_file: str | None = None
    picture: Literal["none", "base64", "multipart"] = "none"

    def __post_init__(self) -> None:
        if self.url is not None and self.url_file is not None:
            raise ValueError("url, url_file: found both; allowed: one of them")
        if self.url is not None and (mistake := web_address_mistake(self.url, "https://home.example/hooks/door")):
            raise ValueError(f"url: {mistake}")


class NotifySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Notices without MQTT: on phones, and to other programs."""

    give_up_s: Annotated[float, Meta(ge=10, le=86400)] = 300.0
    """A notice that could not be sent for this long is dropped."""
    ntfy: NtfySettings = NtfySettings()
    webhook: WebhookSettings = WebhookSettings()

    @property
    def rules(self) -> dict[str, NoticeRules]:
        """What each channel that has an address sends, by the channel's name."""
        ntfy = {"ntfy": self.ntfy} if self.ntfy.server is not None else {}
        by_webhook = self.webhook.url is not None or self.webhook.url_file is not None
        return ntfy | ({"webhook": self.webhook} if by_webhook else {})

    @property
    def pictures(self) -> bool:
        """Whether any notice carries a picture."""
        by_webhook = "webhook" in self.rules and self.webhook.picture != "none"
        return by_webhook or ("ntfy" in self.rules and self.ntfy.picture)

    @property
    def secrets(self) -> dict[str, str]:
        """The files with secrets, by the key that names them."""
        ntfy, webhook = self.ntfy, self.webhook
        files = {
            "ntfy.topic_file": ntfy.topic_file,
            "ntfy.token_file": ntfy.token_file,
            "webhook.url_file": webhook.url_file,
            "webhook.token_file": webhook.token_file,
            "webhook.secret_file": webhook.secret_file,
        }
        return {f"notify.{key}": path for key, path in files.items() if path is not None}
