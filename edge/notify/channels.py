"""The channels that a config names."""

from collections.abc import Callable

from edge.config.notify import NotifySettings
from edge.notify.channel import NoticeChannel
from edge.notify.ntfy import NtfyChannel
from edge.notify.webhook import WebhookChannel


def open_channels(settings: NotifySettings, page: Callable[[str], str | None]) -> list[NoticeChannel]:
    """Every channel that has an address. `page` gives the address of a visit's page, if there is one.

    Raises ConfigError when a secret or a certificate cannot be read.
    """
    channels: list[NoticeChannel] = []
    if "ntfy" in settings.rules:
        channels.append(NtfyChannel(settings.ntfy, page))
    if "webhook" in settings.rules:
        channels.append(WebhookChannel(settings.webhook))
    return channels
