"""The page of people: everybody whom the box knows, what is kept of them, and every change that the owner may make."""

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.errors import WhosthereError
from edge.galleries import names
from edge.galleries.gallery import Consent
from edge.people.editing import key_problem, made_consent
from edge.people.summary import PersonSummary
from edge.people.undoing import list_changes
from edge.web.box import WebBox
from edge.web.errands import Errand
from edge.web.page import Page, get, post, text_of
from edge.web.pages import enrolling_api, people_api
from edge.web.pages.coached import ROUTES as COACHED
from edge.web.pages.enrolling import ROUTES as ENROLLING
from edge.web.people_cards import PersonCard, change_in_words
from edge.web.templating import render

SAID = {
    "renamed": "The name is changed.",
    "consent": "The consent is recorded.",
    "withdrawn": "No consent is recorded any more.",
    "merged": "They are one person now.",
    "removed": "Removed. You can undo that for a week.",
    "undone": "That change is undone.",
    "added": "Added.",
    "photo": "The photo is removed.",
}


def show(request: Request) -> Response:
    """Everybody, the changes of the last week, and a form for somebody new."""
    box: WebBox = request.app.state.box
    changes, _ = list_changes(box.loaded, box.loaded.gallery_path)
    return render(
        request,
        "people.html",
        people=[PersonCard.of(one) for one in people_api.everybody(box)],
        changes=[(one.id, change_in_words(one)) for one in changes],
        said=SAID.get(request.query_params.get("done", ""), ""),
        problem=key_problem(box.loaded),
    )


def show_person(request: Request) -> Response:
    """One person."""
    box: WebBox = request.app.state.box
    everybody = people_api.everybody(box)
    person = _one_of(everybody, request.path_params["person"])
    others = [PersonCard.of(one) for one in everybody if one.id != person.id]
    return render(
        request,
        "person.html",
        person=PersonCard.of(person),
        others=others,
        alike=[(like, next(one for one in others if one.summary.id == like.id)) for like in person.alike],
        today=str(datetime.now(UTC).date()),
        said=SAID.get(request.query_params.get("done", ""), ""),
        problem=key_problem(box.loaded),
    )


async def rename(request: Request, form: FormData) -> Response:
    return await _changed(request, "renamed", people_api.RENAME, name=text_of(form, "name"))


async def consent(request: Request, form: FormData) -> Response:
    given = _consent(form)
    return await _changed(request, "consent" if given else "withdrawn", people_api.SET_CONSENT, consent=given)


async def merge(request: Request, form: FormData) -> Response:
    await people_api.merge(request.app.state.box, request.path_params["person"], text_of(form, "other"))
    return _to_person(request, "merged")


async def remove(request: Request, _: FormData) -> Response:
    box: WebBox = request.app.state.box
    await run_in_threadpool(people_api.REMOVE.run, box, person=request.path_params["person"])
    return _to(request, "/people?done=removed")


async def remove_photo(request: Request, form: FormData) -> Response:
    return await _changed(request, "photo", people_api.REMOVE_PHOTO, photo=text_of(form, "photo"))


async def forget(request: Request, form: FormData) -> Response:
    """Needs the person's name typed, because nothing brings them back."""
    box: WebBox = request.app.state.box
    person = _one_of(await run_in_threadpool(people_api.everybody, box), request.path_params["person"])
    sure = names.tidy(text_of(form, "sure"))
    name, gone = await run_in_threadpool(people_api.FORGET.run, box, person=person.id, sure=sure)
    return render(request, "forgotten.html", name=name, gone=gone)


async def undo(request: Request, form: FormData) -> Response:
    box: WebBox = request.app.state.box
    change, wait_s = text_of(form, "change"), people_api.LOCK_WAIT_S
    await run_in_threadpool(people_api.UNDO.run, box, wanted=change, wait_s=wait_s)
    return _to(request, "/people?done=undone")


def export(request: Request) -> Response:
    """All that is held about somebody, to save."""
    box: WebBox = request.app.state.box
    content, made = people_api.EXPORT.run(box, name=request.path_params["person"])
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(made.person_id)}.zip"}
    return Response(content, media_type="application/zip", headers=headers)


def _one_of(people: list[PersonSummary], person: str) -> PersonSummary:
    found = next((one for one in people if one.id == person), None)
    if found is None:
        raise HTTPException(404, f"nobody here has the id {person}")
    return found


async def _changed(request: Request, said: str, errand: Errand[None], **given: Any) -> Response:
    """Change somebody, and go back to them."""
    box, person, wait_s = request.app.state.box, request.path_params["person"], people_api.LOCK_WAIT_S
    await run_in_threadpool(lambda: people_api.edit(box, errand, person, **given, wait_s=wait_s))
    return _to_person(request, said)


def _consent(form: FormData) -> Consent | None:
    """What the form says. Raises HTTPException for what makes no sense."""
    if text_of(form, "agreed") != "yes":
        return None
    given_by, purpose = text_of(form, "given_by").strip(), text_of(form, "purpose").strip()
    try:
        until = date.fromisoformat(text) if (text := text_of(form, "until")) else None
        return made_consent(given_by, datetime.now(UTC).date(), purpose, until)
    except (ValueError, WhosthereError) as error:
        raise HTTPException(422, str(error)) from error


def _to_person(request: Request, said: str) -> Response:
    return _to(request, f"/people/{request.path_params['person']}?done={said}")


def _to(request: Request, path: str) -> Response:
    return RedirectResponse(request.scope.get("root_path", "") + path, 303)


PAGE = Page(
    name="people",
    title="People",
    path="/people",
    routes=(
        get("/people", show),
        *ENROLLING,
        *COACHED,
        post("/people/+/undo", undo),
        get("/people/{person}", show_person),
        get("/people/{person}/export.zip", export),
        post("/people/{person}/rename", rename),
        post("/people/{person}/consent", consent),
        post("/people/{person}/merge", merge),
        post("/people/{person}/remove", remove),
        post("/people/{person}/photo", remove_photo),
        post("/people/{person}/forget", forget),
        *people_api.ROUTES,
        *enrolling_api.ROUTES,
    ),
)
