"""The section `web` of config.yaml: the box's own web page."""

import re
from ipaddress import ip_address
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.config.web_address import web_address_mistake

_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})")


class WebTlsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Encryption of the page, with a certificate that the box signs itself unless files are given."""

    enabled: bool = False
    certificate_file: str | None = None
    """The owner's certificate chain, in PEM; needs `key_file`."""
    key_file: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate_file is None) != (self.key_file is None):
            given, missing = ("certificate_file", "key_file")[:: 1 if self.key_file is None else -1]
            raise ValueError(f"{given}: found without {missing}; set both or neither")
        if self.certificate_file is not None and not self.enabled:
            raise ValueError("enabled: found false, but certificate_file is set; set it to true, or remove the files")


class WebMetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Figures for Prometheus, on `/metrics`."""

    enabled: bool = False
    token_file: str | None = None
    """The token that must come as `Authorization: Bearer`; None: only programs on this machine may ask."""


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The web page. It is off until it has a password."""

    listen: str = "127.0.0.1:8480"
    """Address and port."""
    url: str | None = None
    """Where browsers reach the page, for links to it; None: as `listen` says."""
    path: str = "/var/lib/whosthere/web"
    """The folder of its password, sessions, log-in attempts and certificate."""
    tls: WebTlsSettings = WebTlsSettings()
    trusted_proxy: str | None = None
    """The IP address of a reverse proxy, whose X-Forwarded headers are believed; None: there is none."""
    ingress: str | None = None
    """The IP address from which Home Assistant's ingress comes; it has logged people in; None: there is none."""
    metrics: WebMetricsSettings = WebMetricsSettings()
    session_days: Annotated[int, Meta(ge=1, le=365)] = 30
    """How long a browser stays logged in."""
    idle_exit_min: Annotated[int, Meta(ge=1, le=1440)] = 10
    """When systemd started the page: it stops after so many minutes without a request."""
    max_upload_mb: Annotated[int, Meta(ge=1, le=200)] = 40
    """The largest upload, all its photos together."""

    def __post_init__(self) -> None:
        host_and_port(self.listen, "listen")
        if self.url is not None and (mistake := web_address_mistake(self.url, "https://door.home.example")):
            raise ValueError(f"url: {mistake}")
        for key in ("trusted_proxy", "ingress"):
            _check_address(key, getattr(self, key))


def host_and_port(text: str, key: str) -> tuple[str, int]:
    """`127.0.0.1:8480` or `[::1]:8480` as its parts. Raises ValueError naming the key."""
    found = _LISTEN.fullmatch(text)
    if found is None or not 0 < int(found[2]) < 65536:
        raise ValueError(
            f"{key}: found {text!r}; allowed: an address and a port from 1 to 65535, such as 127.0.0.1:8480, "
            "0.0.0.0:8480 for every network, or [::1]:8480"
        )
    return found[1].strip("[]"), int(found[2])


def _check_address(key: str, text: str | None) -> None:
    if text is None:
        return
    try:
        ip_address(text)
    except ValueError:
        raise ValueError(f"{key}: found {text!r}; allowed: one IP address, such as 192.168.1.10") from None
