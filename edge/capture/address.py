"""Addresses of streams, which may contain credentials that must not be shown."""

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote

from edge.errors import ConfigError

DEFAULT_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}

_FORM = re.compile(
    r"(?P<scheme>[a-z]+)://"
    r"((?P<login>[^/\s]*)@)?"
    r"(\[(?P<host6>[0-9a-f:.]+)\]|(?P<host>[^/?#:@\s\[\]]+))"
    r"(:(?P<port>\d{1,5}))?"
    r"(?P<target>[/?][^#\s]*)?(#\S*)?",
    re.IGNORECASE,
)


def is_address(source: str) -> bool:
    """Whether a source begins with a scheme that `parse` knows."""
    scheme, separator, _ = source.partition("://")
    return bool(separator) and scheme.lower() in DEFAULT_PORTS


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a stream. `str` and `repr` are safe to show."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)
    """Path and query. Some cameras expect the password there."""
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
        path, question, _ = self.target.partition("?")
        path = re.sub(r".*@", "/...@", re.sub(r"=[^/]*", "=...", path))
        return f"{self.scheme}://{self.place}{path}{'?...' if question else ''}"


def parse(source: str) -> Address:
    """Parse the address in `camera.source`. Raises ConfigError, which does not quote it."""
    parts = _FORM.fullmatch(source.strip())
    if parts is None or int(parts["port"] or 0) > 65535:
        raise ConfigError(
            "camera.source: not an address such as rtsp://192.168.1.20:554/stream1 "
            "(not quoted, as it may contain a password; passwords go in camera.password_file)"
        )
    scheme = parts["scheme"].lower()
    host = (parts["host6"] or parts["host"]).lower()
    address = Address(scheme, host, int(parts["port"] or DEFAULT_PORTS[scheme]), parts["target"] or "")
    if not parts["login"]:
        return address
    username, _, password = parts["login"].partition(":")
    return address.with_login(unquote(username), unquote(password))


def shown(source: str) -> str:
    """Return an address as it may be shown, even when it is malformed."""
    try:
        return str(parse(source))
    except ConfigError:
        return f"{source.partition('://')[0]}://..."
