"""Log in and out; and the address without a path, which leads to the first page."""

import logging
import re

import anyio.to_thread
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.web.access import SESSION
from edge.web.box import WebBox
from edge.web.page import Page, get, post, text_of
from edge.web.templating import render

log = logging.getLogger("whosthere.web")
_LOCAL = re.compile(r"/[A-Za-z0-9_-][A-Za-z0-9/_.-]*")
"""Paths of this page; `//host` is none."""


async def home(request: Request) -> Response:
    first = next(page.path for page in request.app.state.pages if page.path)
    return RedirectResponse(_here(request, first), 303)


async def show(request: Request) -> Response:
    if request.scope["state"][SESSION] is not None:
        return await home(request)
    return render(request, "login.html", next=request.query_params.get("next", ""), problem="")


async def log_in(request: Request, form: FormData) -> Response:
    box: WebBox = request.app.state.box
    address = request.client.host if request.client else "unknown"
    password, target = text_of(form, "password"), text_of(form, "next")
    async with box.hashing:
        wait_s = box.logins.wait_s(address, box.now())
        if wait_s:
            log.warning("log-in from %s refused: too many wrong passwords", address)
            minutes = max(1, round(wait_s / 60))
            problem = f"Too many wrong passwords. Try again in {minutes} minute{'s' * (minutes > 1)}."
            return render(request, "login.html", 429, next=target, problem=problem)
        box.logins.count(address, box.now())
        known = box.password
        right = known is not None and await anyio.to_thread.run_sync(known.is_for, password)
    if not right or known is None:
        log.warning("log-in from %s refused: wrong password", address)
        return render(request, "login.html", 403, next=target, problem="That is not the password.")
    box.logins.clear(address)
    token = box.sessions.start(known.id, box.now())
    log.info("log-in from %s", address)
    response = RedirectResponse(_here(request, target if _LOCAL.fullmatch(target) else "/"), 303)
    response.set_cookie(
        request.app.state.cookie,
        token,
        max_age=box.settings.session_days * 86400,
        path=request.scope.get("root_path", "") or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


async def log_out(request: Request, form: FormData) -> Response:
    box: WebBox = request.app.state.box
    cookie: str = request.app.state.cookie
    if text_of(form, "everywhere"):
        box.sessions.end_all()
    else:
        box.sessions.end(request.cookies.get(cookie, ""))
    response = RedirectResponse(_here(request, "/login"), 303)
    response.delete_cookie(cookie, path=request.scope.get("root_path", "") or "/")
    return response


def _here(request: Request, path: str) -> str:
    prefix: str = request.scope.get("root_path", "")
    return prefix + path


PAGE = Page(
    name="login",
    title="Log in",
    routes=(
        get("/", home),
        get("/login", show),
        post("/login", log_in, token=False),
        post("/logout", log_out),
    ),
    public=("/login",),
)
