"""Put together: middleware around the pages. The order of the middleware is the order in which a request meets it."""

import contextlib
import hashlib
import logging
from collections.abc import AsyncIterator

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from edge.errors import ConfigError, UsageError, WhosthereError
from edge.web import static_files
from edge.web.access import API, SESSION, Access
from edge.web.bounds import Bounded
from edge.web.box import WebBox
from edge.web.client import TrueClient
from edge.web.headers import HEADERS, SecurityHeaders
from edge.web.lazy_routes import LazyRoutes
from edge.web.registry import PAGES
from edge.web.templating import is_part, render

log = logging.getLogger("whosthere.web")
NOTHING_HERE = "There is nothing at this address."
THREADS = 4
"""For what reads files: each takes memory, and the box has few cores."""


def make_app(box: WebBox) -> Starlette:
    """The whole page of one box, as an ASGI application."""
    cookie = f"whosthere-{hashlib.sha256(box.loaded.device_id.encode()).hexdigest()[:8]}"
    public = ["/static/", *(path for page in PAGES for path in page.public)]
    app = Starlette(
        routes=[*static_files.routes(), *map(LazyRoutes, PAGES)],
        middleware=[
            Middleware(TrueClient, settings=box.settings),
            Middleware(SecurityHeaders),
            Middleware(Bounded),
            Middleware(Access, box=box, cookie=cookie, public=public),
        ],
        exception_handlers={HTTPException: _refused, WhosthereError: _failed, Exception: _broken},
        lifespan=_lifespan,
    )
    # It would send people to whatever the header Host says.
    app.router.redirect_slashes = False
    app.state.box, app.state.cookie, app.state.pages, app.state.followers = box, cookie, PAGES, 0
    return app


@contextlib.asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    yield


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (Starlette looks the handler up by the type)
    unknown = error.status_code == 404 and error.detail == "Not Found"
    return _problem(request, error.status_code, NOTHING_HERE if unknown else error.detail)


async def _failed(request: Request, error: Exception) -> Response:
    """An expected failure: it says itself what to do."""
    status = 422 if isinstance(error, UsageError) else 409 if isinstance(error, ConfigError) else 503
    return _problem(request, status, str(error))


async def _broken(_: Request, error: Exception) -> Response:
    log.error("the page failed", exc_info=error)
    return PlainTextResponse("the page failed; its log says why", 500, headers=HEADERS)


def _problem(request: Request, status: int, text: str) -> Response:
    if request.scope["path"].startswith(API):
        return JSONResponse({"error": text}, status)
    # Scripts and cameras fetch what has a secret of its own; guests open it in a browser.
    if request.scope["state"].get(SESSION) is None and "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(text, status)
    return render(request, "problem_part.html" if is_part(request) else "problem.html", status, problem=text)
