"""The page of visits: by day, with pictures where the diary keeps them, and what the box thought of each."""

from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from edge.diary.explanation import explain
from edge.diary.opening import calibration_of, current_gallery, names_of, open_diary
from edge.errors import ConfigError
from edge.storage.database import StorageError
from edge.web.box import WebBox
from edge.web.chart import Chart
from edge.web.page import Page, get
from edge.web.pages import corrections, visits_api
from edge.web.templating import render
from edge.web.visit_cards import VisitCard, by_day, cards_of
from edge.web.visit_events import follow

PER_PAGE = 40
NEW_AT_ONCE = 20
STRANGERS = "-"
NO_VISITS = "No visits yet. The next one appears here."


def show(request: Request) -> Response:
    """`who` filters by a person's id, `until` leads to earlier visits."""
    box: WebBox = request.app.state.box
    who, until = request.query_params.get("who", ""), _seconds(request.query_params.get("until"))
    names = names_of(current_gallery(box.loaded))
    cards, older, nothing = _cards(box, who, until)
    return render(
        request,
        "visits.html",
        who=who,
        people=sorted(names.items(), key=lambda one: one[1].casefold()),
        days=by_day(cards, datetime.now().astimezone().date()),
        newest=_newest(box),
        live=until is None,
        older=f"/visits?{urlencode({'who': who, 'until': older})}" if older else "",
        nothing=nothing,
        remembers=box.loaded.config.diary.embeddings_days > 0,
    )


def arrived(request: Request) -> Response:
    """The visits that were written after the one that was the newest when the page was opened."""
    box: WebBox = request.app.state.box
    after, who = request.query_params.get("after", "") or None, request.query_params.get("who", "")
    names = names_of(current_gallery(box.loaded))
    with open_diary(box.loaded) as diary:
        found = [one for one in diary.visits_after(after, NEW_AT_ONCE) if _is_wanted(one.person_id, who)]
        cards = cards_of(diary, found[::-1], names, corrections.said_so_far(box.loaded))
    return render(request, "visits_arrived.html", visits=cards)


def why(request: Request) -> Response:
    """One visit with its full explanation."""
    box: WebBox = request.app.state.box
    loaded = box.loaded
    names = names_of(current_gallery(loaded))
    with open_diary(loaded) as diary:
        found = diary.find(request.path_params["visit"])
        [card] = cards_of(diary, [found], names, corrections.said_so_far(loaded))
    explanation = explain(found, names, calibration_of(loaded, found.model))
    return render(request, "visit.html", visit=card, why=explanation, chart=Chart.of(explanation))


def picture(request: Request) -> Response:
    """The best picture of a visit, as the diary keeps it."""
    jpeg = visits_api.picture_of(request.app.state.box, request.path_params["visit"])
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


def _cards(box: WebBox, who: str, until: float | None) -> tuple[list[VisitCard], float | None, str]:
    """A page of visits, the newest first; from when on there are earlier ones; and what to say when there are none."""
    loaded = box.loaded
    names = names_of(current_gallery(loaded))
    wanted = {"": None, STRANGERS: ""}.get(who, who)
    nothing = "No such visits." if who else NO_VISITS
    if loaded.config.diary.keep_days and not Path(loaded.config.diary.path).exists():
        return [], None, nothing
    try:
        with open_diary(loaded) as diary:
            found = diary.visits(PER_PAGE + 1, until=until, person=wanted)[::-1]
            cards = cards_of(diary, found[:PER_PAGE], names, corrections.said_so_far(loaded))
    except (ConfigError, StorageError) as error:
        return [], None, str(error)
    older = found[PER_PAGE - 1].started_at if len(found) > PER_PAGE else None
    return cards, older, nothing


def _newest(box: WebBox) -> str:
    try:
        with open_diary(box.loaded) as diary:
            return diary.newest() or ""
    except (ConfigError, StorageError):
        return ""


def _is_wanted(person: str | None, who: str) -> bool:
    return not who or (person is None if who == STRANGERS else person == who)


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


PAGE = Page(
    name="visits",
    title="Visits",
    path="/visits",
    routes=(
        get("/visits", show),
        get("/visits/arrived", arrived),
        get("/visits/events", follow),
        get("/visits/{visit}", why),
        get("/visits/{visit}/picture.jpg", picture),
        *corrections.ROUTES,
        *visits_api.ROUTES,
    ),
)
