"""The page of the box itself: how it is, how the week was, and every setting and file that belongs to it."""

from starlette.requests import Request
from starlette.responses import Response

from edge.errors import WhosthereError
from edge.web.box import WebBox
from edge.web.box_facts import examined, journal, week_in_words
from edge.web.page import Page, get
from edge.web.pages import box_api
from edge.web.pages.backups import ROUTES as BACKUPS
from edge.web.pages.box_settings import ROUTES as SETTINGS
from edge.web.pages.box_settings import region_values, target_values
from edge.web.templating import render

SAID = {
    "target": "The false-alarm target is changed.",
    "region": "The region is changed. The camera uses it after a restart.",
    "restart": "The service restarts.",
    "not-restarted": "The service cannot be reached; restart it with: sudo systemctl restart whosthere",
}


def show(request: Request) -> Response:
    """All that can be shown at once; doctor and log take a moment and come after it."""
    box: WebBox = request.app.state.box
    return render(
        request,
        "box.html",
        week=week_in_words(box),
        target=target_values(box.loaded),
        region=region_values(box.loaded),
        said=SAID.get(request.query_params.get("done", ""), ""),
    )


async def doctor(request: Request) -> Response:
    """What `whosthere doctor` finds, in a process of its own: it loads every network."""
    report, problem = None, ""
    try:
        report = await examined(request.app.state.box)
    except WhosthereError as error:
        problem = str(error)
    return render(request, "box_doctor.html", report=report, problem=problem)


async def log(request: Request) -> Response:
    """The last lines of the daemon's journal, where this process may read them."""
    lines, problem = await journal()
    return render(request, "box_log.html", lines=lines, problem=problem)


PAGE = Page(
    name="box",
    title="Box",
    path="/box",
    routes=(get("/box", show), get("/box/doctor", doctor), get("/box/log", log), *SETTINGS, *BACKUPS, *box_api.ROUTES),
)
