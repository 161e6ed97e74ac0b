"""Enrolment at the box's own camera: the page says what the coach says, and shows each portrait as it is taken."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from edge.errors import WhosthereError
from edge.link.client import AsyncLink
from edge.link.protocol import GuideShot
from edge.web.box import WebBox
from edge.web.errands import Errand
from edge.web.page import get, post, text_of
from edge.web.pages.enrolling import checked_name
from edge.web.templating import render

COUNT = 5
WITHIN_S = 120.0
MAX_COURSES = 16
ADD_PORTRAITS = Errand("edge.people.shots:add_portraits", list[str])
OVER = "event: over\ndata: over\n\n"


@dataclass(slots=True)
class CameraCourse:
    """One enrolment at the camera. It runs once."""

    name: str
    begun: bool = False
    shots: list[GuideShot] = field(default_factory=list)
    jpegs: list[bytes] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)
    """Others who look like this person, once it is over."""


async def begin(request: Request, form: FormData) -> Response:
    """Note whom the camera should take portraits of, and show the page that follows."""
    name = checked_name(text_of(form, "name"))
    courses, token = _courses(request), secrets.token_hex(8)
    while len(courses) >= MAX_COURSES:
        courses.pop(next(iter(courses)))
    courses[token] = CameraCourse(name)
    return RedirectResponse(f"{request.scope.get('root_path', '')}/people/+/camera/{token}", 303)


def show(request: Request) -> Response:
    """What the person in front of the camera should do."""
    return render(request, "coached.html", name=_course(request).name, token=request.path_params["token"], count=COUNT)


def picture(request: Request) -> Response:
    """One of the portraits."""
    jpegs, number = _course(request).jpegs, request.path_params["number"]
    if number >= len(jpegs):
        raise HTTPException(404, "there is no such portrait")
    return Response(jpegs[number], media_type="image/jpeg")


async def follow(request: Request) -> Response:
    """What the coach says, as it says it; the last message says how it ended."""
    return StreamingResponse(_events(request, _course(request)), media_type="text/event-stream")


async def _events(request: Request, course: CameraCourse) -> AsyncIterator[str]:
    box: WebBox = request.app.state.box
    if course.begun:
        yield _state(request, course, "", over=True, problem="this is over; start again")
        yield OVER
        return
    try:
        async for text in taken(box, course):
            yield _state(request, course, text)
        yield _state(request, course, "", over=True)
    except WhosthereError as error:
        yield _state(request, course, "", over=True, problem=str(error))
    yield OVER


async def taken(box: WebBox, course: CameraCourse) -> AsyncIterator[str]:
    """Take the portraits and write them into the gallery; what the coach says. Raises WhosthereError."""
    course.begun = True
    async for news, jpeg in AsyncLink(Path(box.loaded.config.link.path)).guide(course.name, COUNT, WITHIN_S):
        if news.shot is not None:
            course.shots.append(news.shot)
            course.jpegs.append(jpeg)
        yield news.text
    if course.shots:
        course.alike = await run_in_threadpool(_enrolled, box, course)


def _enrolled(box: WebBox, course: CameraCourse) -> list[str]:
    """Write the portraits into the gallery. Returns the names of those who look like this person."""
    return ADD_PORTRAITS.run(box, name=course.name, shots=course.shots)


def _state(request: Request, course: CameraCourse, text: str, *, over: bool = False, problem: str = "") -> str:
    """Where the enrolment stands, as a message of HTML."""
    html = render(
        request,
        "coached_state.html",
        name=course.name,
        token=request.path_params["token"],
        taken=len(course.shots),
        count=COUNT,
        text=text,
        over=over,
        problem=problem,
        alike=course.alike,
    ).body
    lines = (line for line in bytes(html).decode().splitlines() if line.strip())
    return "".join(f"data: {line}\n" for line in lines) + "\n"


def _courses(request: Request) -> dict[str, CameraCourse]:
    """By token; the oldest first."""
    if not hasattr(request.app.state, "courses"):
        request.app.state.courses = {}
    courses: dict[str, CameraCourse] = request.app.state.courses
    return courses


def _course(request: Request) -> CameraCourse:
    found = _courses(request).get(request.path_params["token"])
    if found is None:
        raise HTTPException(404, "this is over; start again")
    return found


ROUTES = (
    post("/people/+/camera", begin),
    get("/people/+/camera/{token}", show),
    get("/people/+/camera/{token}/events", follow),
    get("/people/+/camera/{token}/{number:int}.jpg", picture),
)
