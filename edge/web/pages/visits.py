"""The page of visits: by day, with pictures where the diary keeps them, and what the box thought of each."""

from datetime import datetime
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge.diary.opening import current_gallery, names_of, open_diary
from edge.diary.reader import NoSuchVisit
from edge.errors import ConfigError
from edge.storage.database import StorageError
from edge.web.box import WebBox
from edge.web.page import Page, get
from edge.web.templating import render
from edge.web.visit_cards import VisitCard, by_day

PER_PAGE = 40
STRANGERS = "-"


def show(request: Request) -> Response:
    """`who` filters by a person's id, `until` leads to earlier visits."""
    box: WebBox = request.app.state.box
    who = request.query_params.get("who", "")
    names = names_of(current_gallery(box.loaded))
    cards, older, nothing = _cards(box, who, _seconds(request.query_params.get("until")))
    return render(
        request,
        "visits.html",
        who=who,
        people=sorted(names.items(), key=lambda one: one[1].casefold()),
        days=by_day(cards, datetime.now().astimezone().date()),
        older=f"{request.scope.get('root_path', '')}/visits?{urlencode({'who': who, 'until': older})}" if older else "",
        nothing=nothing,
    )


def picture(request: Request) -> Response:
    """The best picture of a visit, as the diary keeps it."""
    box: WebBox = request.app.state.box
    try:
        with open_diary(box.loaded) as diary:
            jpeg = diary.picture(request.path_params["visit"])
    except (StorageError, NoSuchVisit) as error:
        raise HTTPException(404, str(error)) from error
    if jpeg is None:
        raise HTTPException(404, "no picture of this visit is kept")
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


def _cards(box: WebBox, who: str, until: float | None) -> tuple[list[VisitCard], float | None, str]:
    """A page of visits, the newest first; from when on there are earlier ones; and what to say when there are none."""
    loaded = box.loaded
    names = names_of(current_gallery(loaded))
    wanted = {"": None, STRANGERS: ""}.get(who, who)
    try:
        with open_diary(loaded) as diary:
            found = diary.visits(PER_PAGE + 1, until=until, person=wanted)[::-1]
            pictured = diary.pictured(visit.id for visit in found)
    except (ConfigError, StorageError) as error:
        return [], None, str(error)
    cards = [VisitCard.of(visit, names, pictured=visit.id in pictured) for visit in found[:PER_PAGE]]
    older = found[PER_PAGE - 1].started_at if len(found) > PER_PAGE else None
    return cards, older, "No visits yet. The next one appears here."


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


PAGE = Page(
    name="visits",
    title="Visits",
    path="/visits",
    routes=(get("/visits", show), get("/visits/{visit}/picture.jpg", picture)),
)
