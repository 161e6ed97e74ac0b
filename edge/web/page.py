"""What a page brings along: its place in the navigation, its routes, and what may be asked for without a session."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.web.access import CSRF_FIELD, SAFE_METHODS, has_token
from edge.web.bounds import MAX_FORM_BYTES, allow_body

MAX_FIELDS = 200
MAX_FIELD_BYTES = 16_000

Answer = Callable[[Request, FormData], Awaitable[Response]]
"""Handles a form that has been sent by a page of this session."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, or a few that go together. To add one: a module in `pages` that ends with it; a line in registry.py."""

    name: str
    """Names its icon in static/icons.svg, and its module."""
    title: str
    routes: tuple[Route, ...]
    """Made by `get` and `post`."""
    path: str | None = None
    """Where the navigation leads; None: it is not in it."""
    public: tuple[str, ...] = ()
    """What can be asked for without a session; a path that ends in `/` stands for all below it."""

    def __post_init__(self) -> None:
        for route in self.routes:
            unsafe = (route.methods or set()) - SAFE_METHODS
            if unsafe and not getattr(route.endpoint, "checks_token", False):
                raise ValueError(
                    f"{route.path}: {', '.join(sorted(unsafe))}: make it with `post`, which checks its token"
                )


def get(path: str, show: Callable[..., Any]) -> Route:
    """A route that changes nothing. `show` takes the request; one that is not async runs in a thread."""
    return Route(path, show, methods=["GET"])


def post(
    path: str,
    answer: Answer,
    *,
    max_bytes: int | None = MAX_FORM_BYTES,
    max_files: int = 0,
    token: bool = True,
    admit: Callable[[Request], None] | None = None,
) -> Route:
    """A route for a form. `answer` takes the request and the form, whose CSRF token has been checked.

    Only what has a secret of its own goes without `token`, such as the log-in; `admit` checks that before anything of
    the form is read, and raises HTTPException. Uploads need `max_bytes` and `max_files`; None as `max_bytes` is
    `web.max_upload_mb`.
    """

    async def checked(request: Request) -> Response:
        if admit is not None:
            admit(request)
        async with bounded_form(request, max_bytes, max_files) as form:
            if token and not has_token(request, text_of(form, CSRF_FIELD)):
                raise HTTPException(403, "this form is of an earlier session: reload the page and send it again")
            return await answer(request, form)

    checked.checks_token = True  # type: ignore[attr-defined]
    return Route(path, checked, methods=["POST"])


@asynccontextmanager
async def bounded_form(request: Request, max_bytes: int | None, max_files: int) -> AsyncIterator[FormData]:
    """The form of a request. Raises HTTPException when it is larger; None as `max_bytes` is `web.max_upload_mb`."""
    uploaded = int(request.app.state.box.settings.max_upload_mb * 10**6)
    allow_body(request.scope, uploaded if max_bytes is None else max_bytes)
    limits = {"max_files": max_files, "max_fields": MAX_FIELDS, "max_part_size": MAX_FIELD_BYTES}
    async with request.form(**limits) as form:
        yield form


def text_of(form: FormData, name: str) -> str:
    """A field of a form; empty when it is missing or a file."""
    value = form.get(name)
    return value if isinstance(value, str) else ""
