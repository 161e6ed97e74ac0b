"""The page's own actions for scripts: JSON in and out, by types from which the OpenAPI document is made."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import anyio.to_thread
import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.web.access import has_token
from edge.web.box import WebBox


class NoFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing: the address says it all."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request that has been checked."""

    box: WebBox
    request: Request
    given: Any
    """The query of a GET, the body of a POST, as the endpoint's `takes`."""

    def name(self, parameter: str) -> str:
        """A part of the address."""
        found: str = self.request.path_params[parameter]
        return found


@dataclass(frozen=True, slots=True)
class ApiEndpoint:
    """One action. `call` raises WhosthereError for what cannot be done; one that is not async runs in a thread."""

    method: Literal["GET", "POST"]
    path: str
    summary: str
    returns: Any
    call: Callable[[ApiCall], Any | Awaitable[Any]]
    takes: type[msgspec.Struct] = NoFields


def api(endpoint: ApiEndpoint) -> Route:
    """Its route. A POST must bring its session's token in the header X-CSRF-Token."""

    async def answer(request: Request) -> Response:
        if endpoint.method == "POST" and not has_token(request, ""):
            raise HTTPException(403, "X-CSRF-Token: missing or of another session; GET /api/session returns it")
        call = ApiCall(request.app.state.box, request, await _given(endpoint, request))
        if inspect.iscoroutinefunction(endpoint.call):
            found = await endpoint.call(call)
        else:
            found = await anyio.to_thread.run_sync(endpoint.call, call)
        return Response(msgspec.json.encode(found), media_type="application/json")

    answer.checks_token = True  # type: ignore[attr-defined]
    answer.described = endpoint  # type: ignore[attr-defined]
    return Route(endpoint.path, answer, methods=[endpoint.method])


def endpoint_of(route: Route) -> ApiEndpoint | None:
    """What a route of `api` does; None: it is another one."""
    found: ApiEndpoint | None = getattr(route.endpoint, "described", None)
    return found


async def _given(endpoint: ApiEndpoint, request: Request) -> msgspec.Struct:
    """Raises HTTPException naming the field, what was found and what is allowed."""
    try:
        if endpoint.method == "GET":
            return msgspec.convert(dict(request.query_params), endpoint.takes, strict=False)
        return msgspec.json.decode(await request.body() or b"{}", type=endpoint.takes)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(422, str(error)) from error
