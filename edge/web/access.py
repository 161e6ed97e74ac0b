"""Who may ask for what: nothing without a session, and nothing is changed by a form of another site."""

import hmac
from collections.abc import Collection
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from edge.web.box import WebBox
from edge.web.client import INGRESS_USER
from edge.web.password import PasswordHash
from edge.web.sessions import Session
from edge.web.state_file import WebStateError

SAFE_METHODS = frozenset({"GET", "HEAD"})
SESSION = "session"
"""In the request's state."""
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
API = "/api/"


class Access:
    """Middleware: lets a request through if its session, its origin and its path allow it."""

    def __init__(self, app: ASGIApp, box: WebBox, cookie: str, public: Collection[str]) -> None:
        """`public` paths need no session; one that ends in `/` stands for all below it."""
        self._app = app
        self._box = box
        self._cookie = cookie
        self._public = frozenset(path for path in public if not path.endswith("/"))
        self._public_folders = tuple(path for path in public if path.endswith("/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        scope.setdefault("state", {})[SESSION] = None
        refused = self._refusal(request)
        await (refused or self._app)(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        """The response to a request that may not go on; None: it may."""
        try:
            password = self._box.password
        except WebStateError as error:
            return _refused(request, 503, f"the page is off: {error}")
        if password is None:
            return _refused(request, 503, "the page is off: it has no password; `whosthere web password` sets one")
        if request.method not in SAFE_METHODS and not from_own_page(request):
            return _refused(request, 403, "refused: the request comes from another site")
        request.scope["state"][SESSION] = session = self._session(request, password)
        if session is not None or self._is_public(request.scope["path"]):
            return None
        return _to_login(request)

    def _session(self, request: Request, password: PasswordHash) -> Session | None:
        user = request.scope["state"].get(INGRESS_USER)
        if user is not None:
            return self._box.sessions.of_ingress(user)
        token = request.cookies.get(self._cookie, "")
        return self._box.sessions.find(token, password.id, self._box.now()) if token else None

    def _is_public(self, path: str) -> bool:
        return path in self._public or path.startswith(self._public_folders)


def _refused(request: Request, status: int, text: str) -> Response:
    """Why not, as JSON for scripts of the API."""
    is_api = request.scope["path"].startswith(API)
    return JSONResponse({"error": text}, status) if is_api else PlainTextResponse(text, status)


def _to_login(request: Request) -> Response:
    """The way to the log-in, for a browser, for htmx and for a script."""
    login = f"{request.scope.get('root_path', '')}/login"
    if request.scope["path"].startswith(API):
        return _refused(request, 401, "log in first")
    if request.headers.get("hx-request") == "true":
        return PlainTextResponse("log in first", 401, headers={"HX-Redirect": login})
    target = quote(request.scope["path"], safe="/") if request.method in SAFE_METHODS else "/"
    return RedirectResponse(f"{login}?next={target}", 303)


def from_own_page(request: Request) -> bool:
    """Whether a browser says that a page of this very address makes the request; without Origin, nobody says so."""
    headers = request.headers
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = urlsplit(headers.get("origin", ""))
    return bool(origin.netloc) and origin.scheme in {"http", "https"} and origin.netloc == _host(request, headers)


def _host(request: Request, headers: Headers) -> str:
    if INGRESS_USER in request.scope["state"]:
        return headers.get("x-forwarded-host", headers.get("host", ""))
    return headers.get("host", "")


def has_token(request: Request, field: str) -> bool:
    """Whether the request carries its session's CSRF token, in the form's `field` or in a header."""
    session: Session | None = request.scope["state"].get(SESSION)
    found = request.headers.get(CSRF_HEADER, field)
    return session is not None and hmac.compare_digest(found.encode(), session.csrf.encode())
