"""Where browsers reach the box's web page, for links to it."""

import ipaddress
import os
import socket
from pathlib import Path

from edge.config.web import WebSettings, host_and_port

_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses for documentation (RFC 5737, RFC 3849). Nothing is sent there."""


class CurrentPage:
    """The page's address as of the last update, which any thread may read."""

    def __init__(self, settings: WebSettings) -> None:
        self.address = page_address(settings)
        """Without a slash at its end; None: there is no page, or only for this machine."""

    def update(self, settings: WebSettings) -> None:
        self.address = page_address(settings)

    def of_visit(self, visit_id: str) -> str | None:
        """Where the page shows a visit; None: there is no page."""
        return None if self.address is None else f"{self.address}/visits#visit-{visit_id}"


def page_address(settings: WebSettings) -> str | None:
    """The page's address without a slash at its end. None: it has no password, or only this machine reaches it."""
    if not os.path.lexists(Path(settings.path) / "password"):
        return None
    if settings.url is not None:
        return settings.url.strip().rstrip("/")
    host, port = host_and_port(settings.listen, "listen")
    reached = _reached_from_elsewhere(host)
    if reached is None:
        return None
    place = f"[{reached}]" if ":" in reached else reached
    return f"{'https' if settings.tls.enabled else 'http'}://{place}:{port}"


def _reached_from_elsewhere(host: str) -> str | None:
    """The name or address by which others reach a server that listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None if host == "localhost" else host
    if address.is_loopback:
        return None
    return _own_address(address.version) if address.is_unspecified else host


def _own_address(version: int) -> str | None:
    """The address of this machine on the network of its default route; None: it is on no network."""
    # A socket for IPv6 takes IPv4 as well, which is what most networks at home have.
    families = [socket.AF_INET] if version == 4 else [socket.AF_INET, socket.AF_INET6]
    for family in families:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((_ELSEWHERE[family], 9))
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return None
