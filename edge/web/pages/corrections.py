"""What the owner says about a visit, through the same code as `whosthere visit`: with its price, and a way back."""

import logging
from collections import defaultdict

import anyio.to_thread
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge.config.loading import LoadedConfig
from edge.diary.opening import current_gallery, names_of, open_diary
from edge.errors import UsageError, WhosthereError
from edge.feedback import corrections_said
from edge.feedback.corrections_said import CorrectionLine
from edge.feedback.said import Feedback, FeedbackPrice, price_text
from edge.web.box import WebBox
from edge.web.page import get, post, text_of
from edge.web.pages.visits_api import CONFIRM, ENROLL, IGNORE, NAME, PRICE, REJECT, UNDO, corrections_of
from edge.web.templating import render
from edge.web.visit_cards import Said, VisitCard, cards_of

log = logging.getLogger("whosthere.web")
ASKED = frozenset({"reject", "name", "enroll", "ignore"})
"""What has a price, which is shown before it is paid."""


def said_so_far(loaded: LoadedConfig) -> Said:
    """Everything that the owner has said, by visit; nothing while it cannot be read."""
    found: dict[str, list[CorrectionLine]] = defaultdict(list)
    try:
        for line in corrections_said.said_so_far(loaded):
            found[line.visit_id].append(line)
    except WhosthereError as error:
        log.warning("corrections cannot be shown: %s", error)
    return found


def ask(request: Request) -> Response:
    """What a correction would cost, and a button to go on. `person` is whom it is about."""
    box: WebBox = request.app.state.box
    what, visit, person = request.path_params["what"], request.path_params["visit"], _person(request)
    if what not in ASKED:
        raise HTTPException(404, f"found {what!r}; allowed: {', '.join(sorted(ASKED))}")
    names = names_of(current_gallery(box.loaded))
    found = _card(box.loaded, visit)
    if what == "reject" and not person and found.line.best:
        person = found.line.best.person_id
    price, problem = "", ""
    if what in {"ignore", "enroll"} or person:
        try:
            cost = PRICE.run(box, action=what, visit=found.id, person=person)
            price = price_text(cost, names.get(person) if person else "by the new name")
        except WhosthereError as error:
            problem = str(error)
    people = sorted(names.items(), key=lambda one: one[1].casefold())
    asked = {"what": what, "person": person, "name": names.get(person, person), "price": price, "problem": problem}
    return render(request, "visit_ask.html", visit=found, people=people, **asked)


async def say(request: Request, form: FormData) -> Response:
    """Do it, and show the visit with what came of it."""
    box: WebBox = request.app.state.box
    what, visit, person = request.path_params["what"], request.path_params["visit"], text_of(form, "person")

    def done() -> tuple[VisitCard, str, str]:
        note, tone = "", "good"
        try:
            note = _spoken(_say(box, what, visit, person))
        except WhosthereError as error:
            note, tone = str(error), "bad"
        return _card(box.loaded, visit), note, tone

    shown, note, tone = await anyio.to_thread.run_sync(done)
    status = 422 if tone == "bad" else 200
    return render(request, "visit_said.html", status, visit=shown, note=note, tone=tone)


async def undo(request: Request, form: FormData) -> Response:
    """Take a correction back, and show its visit, or all corrections when that is gone."""
    box: WebBox = request.app.state.box
    correction = text_of(form, "correction")
    undone = await anyio.to_thread.run_sync(lambda: UNDO.run(box, correction=correction))
    try:
        shown = await anyio.to_thread.run_sync(_card, box.loaded, undone.visit_id)
    except WhosthereError:
        return await anyio.to_thread.run_sync(show_all, request)
    return render(request, "visit_said.html", visit=shown, note="Taken back.", tone="good")


def show_all(request: Request) -> Response:
    """Every correction with its price."""
    box: WebBox = request.app.state.box
    lines = corrections_of(box)
    prices = {line.id: price_text(FeedbackPrice(miss_rate=line.miss_rate), line.person_name) for line in lines}
    return render(request, "corrections.html", lines=lines, prices=prices)


def _say(box: WebBox, what: str, visit: str, person: str) -> Feedback:
    match what:
        case "confirm":
            return CONFIRM.run(box, visit=visit)
        case "name":
            return NAME.run(box, visit=visit, person=person)
        case "enroll":
            return ENROLL.run(box, visit=visit, name=person)
        case "reject":
            return REJECT.run(box, visit=visit, person=person)
        case "ignore":
            return IGNORE.run(box, visit=visit)
    raise UsageError(f"found {what!r}; allowed: confirm, enroll, ignore, name, reject")


def _spoken(said: Feedback) -> str:
    match said.kind:
        case "rejected":
            text = f"Remembered: this was not {said.person_name}."
        case "enrolled":
            return (
                f"Welcome, {said.person_name}. With photos the box is surer: add some on the page People. "
                "There you can undo this, too."
            )
        case "ignored":
            return "Remembered: nothing is published about this visitor any more."
        case _ if said.nothing_added is not None:
            return f"Good. It adds nothing to what the box knows of {said.person_name}: {said.nothing_added}"
        case _:
            text = f"Remembered: this was {said.person_name}, whom the box knows a little better now."
    price = price_text(said.price, said.person_name)
    return f"{text} {price[0].upper()}{price[1:]}." if price else text


def _card(loaded: LoadedConfig, visit: str) -> VisitCard:
    """Raises NoSuchVisit, StorageError and ConfigError."""
    names = names_of(current_gallery(loaded))
    with open_diary(loaded) as diary:
        [found] = cards_of(diary, [diary.find(visit)], names, said_so_far(loaded))
    return found


def _person(request: Request) -> str:
    return request.query_params.get("person", "")[:200]


ROUTES = (
    get("/corrections", show_all),
    post("/corrections/undo", undo),
    get("/visits/{visit}/{what}", ask),
    post("/visits/{visit}/{what}", say),
)
