"""Jinja2 with everything escaped: what a name holds is shown, and never obeyed by the browser."""

import functools
import hashlib
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from edge.terminal import safe_lines
from edge.web.box import WebBox
from edge.web.registry import ListedPage
from edge.web.sessions import Session
from edge.web.taps import as_taps

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one, from a template.

    Beside `values`, it knows `path(p)` and `static(name)` for addresses, `csrf` for forms, `pages` of the navigation,
    `here` (the request's path), `device`, and `part`: htmx asks for a part only.
    """
    return HTMLResponse(template_text(request, template, **values), status)


def template_text(request: Request, template: str, **values: Any) -> str:
    """The same as text, for parts that are sent again and again."""
    return _environment().get_template(template).render(_common(request) | values)


def _common(request: Request) -> dict[str, Any]:
    session: Session | None = request.scope["state"].get("session")
    box: WebBox = request.app.state.box
    prefix = request.scope.get("root_path", "")
    pages: tuple[ListedPage, ...] = request.app.state.pages
    return {
        "path": lambda address: prefix + address,
        "static": lambda name: f"{prefix}/static/{name}?{_version(name)}",
        "csrf": session.csrf if session else "",
        "session": session,
        "pages": [page for page in pages if page.path] if session else [],
        "here": request.url.path.removeprefix(prefix),
        "device": box.loaded.device_id,
        "part": is_part(request),
    }


def is_part(request: Request) -> bool:
    """Whether htmx asks for a part of a page, which it puts into the one that is there."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true"


@functools.cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters["taps"] = as_taps
    return made


def _shown(value: Any) -> Any:
    """Control characters and direction marks as visible escapes, as in a terminal."""
    return safe_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@functools.cache
def _version(name: str) -> str:
    """Changes with the file, so that browsers may keep it for ever."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
