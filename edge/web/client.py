"""Who is really asking: behind a reverse proxy or Home Assistant's ingress, the peer is only a messenger."""

import re
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from edge.config.web import WebSettings

_PREFIX = re.compile(r"(/[A-Za-z0-9_.~-]+){1,8}")
INGRESS_USER = "ingress_user"
"""In the request's state: who Home Assistant says it is; missing: the request did not come from ingress."""


class TrueClient:
    """Middleware: believes what a messenger says about the client, if it is a configured one, and nothing otherwise.

    Afterwards `client` is the browser's address, `scheme` is what it used, and `root_path` is the path under which it
    sees the page.
    """

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._proxy = _known(settings.trusted_proxy)
        self._ingress = _known(settings.ingress)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            peer = _known((scope.get("client") or ("", 0))[0])
            headers = Headers(scope=scope)
            state = scope.setdefault("state", {})
            state.pop(INGRESS_USER, None)
            if peer is not None and peer == self._ingress:
                _through_ingress(scope, headers)
            elif peer is not None and peer == self._proxy:
                _through_proxy(scope, headers)
        await self._app(scope, receive, send)


def _through_proxy(scope: Scope, headers: Headers) -> None:
    # The last one is what this proxy saw; those before it came with the request.
    address = _known(headers.get("x-forwarded-for", "").rpartition(",")[2].strip())
    if address is not None:
        scope["client"] = (address, 0)
    if headers.get("x-forwarded-proto", "").strip().lower() == "https":
        scope["scheme"] = "https"


def _through_ingress(scope: Scope, headers: Headers) -> None:
    prefix = headers.get("x-ingress-path", "").rstrip("/")
    if not _PREFIX.fullmatch(prefix) or ".." in prefix:
        return
    scope["root_path"] = prefix
    scope["state"][INGRESS_USER] = headers.get("x-remote-user-id", "")[:64]
    _through_proxy(scope, headers)


def _known(text: str | None) -> str | None:
    """An address in its usual form; IPv4 within IPv6 as IPv4."""
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
