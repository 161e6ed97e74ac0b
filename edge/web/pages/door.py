"""The page of the door: what the camera sees now, who is here, and what can be asked of the box."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from edge.errors import UsageError
from edge.link.protocol import LinkError
from edge.web.box import WebBox
from edge.web.door_feeds import DoorFeeds, DoorNow, Faces, feeds_of
from edge.web.door_view import DoorView
from edge.web.page import Page, get, post, text_of
from edge.web.pages import door_api
from edge.web.stream_tokens import ADDRESSES, Opens, StreamToken, StreamTokens
from edge.web.templating import is_part, render, template_text

PATIENCE_S = 15.0
"""The page is sent again after so long, so that a browser that has gone is noticed."""
REFRESH_S = 5
"""Without JavaScript the page loads again so often."""
PAUSES = {"600": "10 minutes", "3600": "1 hour", "28800": "8 hours", "": "until I resume"}


async def show(request: Request) -> Response:
    return await _page(request)


async def events(request: Request) -> Response:
    """The part of the page that changes, whenever it does."""
    feeds = feeds_of(request)
    return StreamingResponse(_changes(request, feeds), media_type="text/event-stream")


async def _changes(request: Request, feeds: DoorFeeds) -> AsyncIterator[str]:
    sent = ""
    async with aclosing(feeds.door.follow(PATIENCE_S)) as stream:  # type: ignore[type-var]
        async for now in stream:
            text = template_text(request, "door_now.html", **_now(now, feeds.door.problem or ""))
            if text != sent:
                sent = text
                yield "".join(f"data: {line}\n" for line in text.splitlines()) + "\n"
            else:
                yield ": still here\n\n"


async def command(request: Request, form: FormData) -> Response:
    """Carry out what a button says."""
    name = text_of(form, "do")
    answers = {"pause": _pause_fields(form), "resume": {}, "ring": {}, "challenge": {}}
    if name not in answers:
        raise HTTPException(422, f"do: found {name!r}; allowed: {', '.join(answers)}")
    answer = await feeds_of(request).link.command(name, **answers[name])
    if not answer.ok:
        return await _page(request, problem=answer.text, status=409)
    return await _page(request) if is_part(request) else _back(request)


def _pause_fields(form: FormData) -> dict[str, Any]:
    text = text_of(form, "for_s")
    if text not in PAUSES:
        raise HTTPException(422, f"for_s: found {text!r}; allowed: {', '.join(filter(None, PAUSES))} or nothing")
    return {"for_s": float(text)} if text else {}


async def make_key(request: Request, form: FormData) -> Response:
    """Make a key to the pictures, and show it this once."""
    opens: Opens = "live" if text_of(form, "opens") == "live" else "snapshot"
    try:
        made, address = door_api.make_key(request, opens, text_of(form, "label"))
    except UsageError as error:
        return await _page(request, problem=str(error), status=422)
    return await _page(request, made=made, address=address)


async def revoke_key(request: Request, form: FormData) -> Response:
    _tokens(request).revoke(text_of(form, "id"))
    return _back(request)


async def _page(
    request: Request, *, problem: str = "", status: int = 200, made: StreamToken | None = None, address: str = ""
) -> Response:
    feeds = feeds_of(request)
    state, trouble = None, problem
    try:
        state = await feeds.link.status(), await _faces(feeds)
    except LinkError as error:
        trouble = problem or str(error)
    now = _now(state, trouble)
    if is_part(request):
        return render(request, "door_now.html", status, **now)
    return render(
        request,
        "door.html",
        status,
        **now,
        keys=_tokens(request).all(),
        addresses=ADDRESSES,
        made=made,
        address=address,
        refresh=REFRESH_S,
    )


def _now(now: DoorNow | None, problem: str) -> dict[str, Any]:
    return {"door": DoorView.of(*now) if now else None, "problem": problem, "pauses": PAUSES}


async def _faces(feeds: DoorFeeds) -> Faces:
    try:
        return (await feeds.link.picture(boxes=True))[0].faces
    except LinkError:
        # The camera has not delivered a frame yet.
        return ()


def _tokens(request: Request) -> StreamTokens:
    box: WebBox = request.app.state.box
    return StreamTokens(box.folder)


def _back(request: Request) -> Response:
    return RedirectResponse(request.scope.get("root_path", "") + "/door", 303)


PAGE = Page(
    name="door",
    title="Door",
    path="/door",
    routes=(
        get("/door", show),
        get("/door/events", events),
        post("/door", command),
        post("/door/keys", make_key),
        post("/door/keys/revoke", revoke_key),
        *door_api.ROUTES,
    ),
)
