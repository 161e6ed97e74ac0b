"""What a browser may do with the page: nothing from elsewhere, no script or style in it, no frame around it."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.web.client import INGRESS_USER

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "media-src 'self' blob:; font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer`, browsers send `Origin: null` with forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Middleware: adds these headers to every response that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                ingress = INGRESS_USER in scope.get("state", {})
                headers.setdefault("Content-Security-Policy", _CSP + f"frame-ancestors {_framed(ingress)}")
                if not ingress:
                    headers.setdefault("X-Frame-Options", "DENY")
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


def _framed(ingress: bool) -> str:
    # Home Assistant shows the page in a frame of its own address.
    return "'self'" if ingress else "'none'"
