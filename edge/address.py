"""Addresses on the network, which may contain credentials that must not be shown."""

import ipaddress
import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote, urlsplit

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}

_ZONE = re.compile(r"[\w.~-]+")
_NAME = re.compile(r"[\w-]+(\.[\w-]+)*\.?")
"""Narrower than RFC 3986, in which a name may hold `user=bob&password=...`."""
_PORT = re.compile(r"[0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class Address:
    """An address. `str` and `repr` are safe to show."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)
    """Path and query. Some cameras expect the password there, and webhooks are secret by their path."""
    login: str = field(default="", repr=False)
    """Percent-encoded `user:password`, or empty."""

    def with_login(self, username: str, password: str) -> "Address":
        return replace(self, login=f"{quote(username, safe='')}:{quote(password, safe='')}")

    @property
    def place(self) -> str:
        """`host:port`, with an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def bare_url(self) -> str:
        """The address without its login; path and query may still contain a secret."""
        return f"{self.scheme}://{self.place}{self.target}"

    @property
    def login_url(self) -> str:
        """The whole address with its login: only for the library that connects."""
        return f"{self.scheme}://{self.login}@{self.place}{self.target}" if self.login else self.bare_url

    def __str__(self) -> str:
        # Paths and queries may hold tokens, in forms that nobody can list.
        return f"{self.scheme}://{self.place}{'/...' if self.target.strip('/') else self.target}"


def parse_address(source: str) -> Address:
    """Parse an address as RFC 3986 and, for zones of IPv6 addresses, RFC 6874 prescribe.

    Raises ValueError, which may quote it.
    """
    source = source.strip()
    # urllib silently drops some of these.
    if not source.isprintable() or " " in source:
        raise ValueError("unprintable")
    parts = urlsplit(source, allow_fragments=True)
    scheme = parts.scheme
    if scheme not in DEFAULT_PORTS:
        raise ValueError("scheme")
    login, _, place = parts.netloc.rpartition("@")
    host, port = _host_and_port(place)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    address = Address(scheme, host, port or DEFAULT_PORTS[scheme], target)
    if not login:
        return address
    username, _, password = login.partition(":")
    return address.with_login(unquote(username), unquote(password))


def _host_and_port(place: str) -> tuple[str, int]:
    """The port is 0 when there is none. Raises ValueError."""
    if place.startswith("["):
        host, closed, port = place[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise ValueError("brackets")
        host, port = _ipv6(host), port[1:]
    else:
        host, _, port = place.partition(":")
        host = unquote(host).lower()
        if not _NAME.fullmatch(host):
            raise ValueError("host")
    if not _PORT.fullmatch(port) or int(port or 0) > 65535:
        raise ValueError("port")
    return host, int(port or 0)


def _ipv6(text: str) -> str:
    """An address with its zone, as the system writes it: `fe80::1%eth0`. In URLs it may be `%25eth0`."""
    address, percent, zone = text.partition("%")
    if zone.startswith("25") and len(zone) > 2:
        zone = zone[2:]
    if percent and not _ZONE.fullmatch(zone):
        raise ValueError("zone")
    return f"{ipaddress.IPv6Address(address)}{percent}{zone}"
