"""The page's own actions for scripts: JSON in and out, by types from which the OpenAPI document is made."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import anyio.to_thread
import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.web.access import has_token
from edge.web.box import WebBox
from edge.web.page import bounded_form

FORM = "multipart/form-data"


class NoFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing: the address says it all."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """What an endpoint returns instead of JSON; its `call` returns bytes."""

    name: str


JPEG = MediaType("image/jpeg")


@dataclass(frozen=True, slots=True)
class ApiFiles:
    """The files that an endpoint takes, as a form."""

    field: str
    most: int
    max_bytes: int | None = None
    """The limit of the whole form; None: `web.max_upload_mb`."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request that has been checked."""

    box: WebBox
    request: Request
    given: Any
    """The query of a GET, the body of a POST, as the endpoint's `takes`."""
    files: Sequence[UploadFile] = ()
    """At least one where the endpoint takes any."""

    def name(self, parameter: str) -> str:
        """A part of the address."""
        return str(self.request.path_params[parameter])


@dataclass(frozen=True, slots=True)
class ApiEndpoint:
    """One action. `call` raises WhosthereError for what cannot be done; one that is not async runs in a thread."""

    method: Literal["GET", "POST"]
    path: str
    summary: str
    returns: Any
    call: Callable[[ApiCall], Any | Awaitable[Any]]
    takes: type[msgspec.Struct] = NoFields
    files: ApiFiles | None = None


def api(endpoint: ApiEndpoint) -> Route:
    """Its route. A POST must bring its session's token in the header X-CSRF-Token."""

    async def answer(request: Request) -> Response:
        if endpoint.method == "POST" and not has_token(request, ""):
            raise HTTPException(403, "X-CSRF-Token: missing or of another session; GET /api/session returns it")
        if endpoint.files is None:
            return await _answered(endpoint, request, await _given(endpoint, request), ())
        if not request.headers.get("content-type", "").startswith(FORM):
            raise HTTPException(415, f"Content-Type: allowed: {FORM}, with files in the field {endpoint.files.field!r}")
        async with bounded_form(request, endpoint.files.max_bytes, endpoint.files.most) as form:
            given = _converted(endpoint, {name: value for name, value in form.items() if isinstance(value, str)})
            return await _answered(endpoint, request, given, _files(endpoint.files, form))

    answer.checks_token = True  # type: ignore[attr-defined]
    answer.described = endpoint  # type: ignore[attr-defined]
    return Route(endpoint.path, answer, methods=[endpoint.method])


def endpoint_of(route: Route) -> ApiEndpoint | None:
    """What a route of `api` does; None: it is another one."""
    found: ApiEndpoint | None = getattr(route.endpoint, "described", None)
    return found


async def _answered(
    endpoint: ApiEndpoint, request: Request, given: msgspec.Struct, files: Sequence[UploadFile]
) -> Response:
    call = ApiCall(request.app.state.box, request, given, files)
    if inspect.iscoroutinefunction(endpoint.call):
        found = await endpoint.call(call)
    else:
        found = await anyio.to_thread.run_sync(endpoint.call, call)
    if isinstance(endpoint.returns, MediaType):
        return Response(found, media_type=endpoint.returns.name)
    return Response(msgspec.json.encode(found), media_type="application/json")


async def _given(endpoint: ApiEndpoint, request: Request) -> msgspec.Struct:
    """Raises HTTPException naming the field, what was found and what is allowed."""
    if endpoint.method == "GET":
        return _converted(endpoint, dict(request.query_params))
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=endpoint.takes)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(422, str(error)) from error


def _converted(endpoint: ApiEndpoint, texts: dict[str, str]) -> msgspec.Struct:
    try:
        return msgspec.convert(texts, endpoint.takes, strict=False)
    except msgspec.ValidationError as error:
        raise HTTPException(422, str(error)) from error


def _files(wanted: ApiFiles, form: FormData) -> list[UploadFile]:
    """Raises HTTPException for none, for an empty one, and for files in other fields."""
    found = [(name, one) for name, one in form.multi_items() if isinstance(one, UploadFile)]
    for name, one in found:
        if name != wanted.field:
            raise HTTPException(422, f"found a file in the field {name[:80]!r}; allowed: {wanted.field}")
        if not one.size:
            raise HTTPException(422, f"{wanted.field}: found an empty file")
    if not found:
        raise HTTPException(422, f"{wanted.field}: found no file; allowed: 1 to {wanted.most}")
    return [one for _, one in found]
