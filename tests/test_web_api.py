"""The page's JSON API: what it answers is what its OpenAPI document says, and it refuses what the page refuses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.web.openapi import document
from support.api import described, refused, script, send
from support.household import PERSON, Household
from support.http_client import Client
from support.web import running_page

ROOT = Path(__file__).parents[1]


@pytest.fixture
def box(tmp_path: Path, demo_gallery: Path) -> Household:
    box = Household(tmp_path, demo_gallery)
    box.config.write_text(f"{box.config.read_text()}web:\n  path: {tmp_path / 'web'}\n")
    return box


@pytest.fixture
def client(box: Household) -> Iterator[Client]:
    with running_page(box.config, box.folder) as page, script(page) as client:
        yield client


def test_the_document_in_the_docs_is_current() -> None:
    kept = json.loads((ROOT / "docs" / "schema" / "web.json").read_text())

    assert kept == document(), "run: python -m edge.web.openapi docs/schema"


def test_visits_and_their_explanation(client: Client, box: Household) -> None:
    made = [box.came(box.looks_like(0.6)), box.came(box.looks_like(0.2), named=None)]

    visits = described(client.get("/api/visits?limit=10"), "get", "/api/visits")
    strangers = described(client.get("/api/visits?person="), "get", "/api/visits")
    explained = described(client.get("/api/visits/last"), "get", "/api/visits/{visit}")

    assert [one["visit_id"] for one in visits] == made
    assert [one["visit_id"] for one in strangers] == made[1:]
    assert explained["visit"]["visit_id"] == made[1]


@pytest.mark.slow
def test_everything_that_can_be_said_of_a_visit(client: Client, box: Household) -> None:
    one, two = box.came(box.looks_like(0.6)), box.came(box.looks_like(0.2), named=None)
    three, four = box.came(box.looks_like(0.58, seed=3)), box.came(box.looks_like(0.6, seed=4), named=None)
    for visit, action, body in (
        (one, "confirm", None),
        (two, "ignore", None),
        (three, "reject", {"person": "Barack Obama"}),
        (four, "name", {"person": PERSON}),
    ):
        said = described(send(client, f"/api/visits/{visit}/{action}", body), "post", f"/api/visits/{{visit}}/{action}")
        assert said["visit_id"] == visit
        assert said["correction"]
    lines = described(client.get("/api/corrections"), "get", "/api/corrections")
    assert {line["visit_id"] for line in lines} == {one, two, three, four}
    for line in lines:
        path = f"/api/corrections/{line['id']}/undo"
        assert described(send(client, path), "post", "/api/corrections/{correction}/undo")["id"] == line["id"]
    assert json.loads(client.get("/api/corrections").text) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/api/visits/last/reject", {}, 422, "required field `person`"),
        ("/api/visits/last/reject", {"person": 3}, 422, "Expected `str`, got `int`"),
        ("/api/visits/last/reject", {"person": "Eve"}, 422, "found nobody called 'Eve'"),
        ("/api/visits/last/reject", {"person": "Eve", "x": 1}, 422, "unknown field `x`"),
        ("/api/visits/none/confirm", None, 422, "found no visit 'none'"),
        ("/api/corrections/abcdef/undo", None, 422, "found no correction abcdef"),
        ("/api/strangers/stranger-1/name", {"person": "Eve"}, 409, "does not group strangers"),
        ("/api/nothing", None, 404, "There is nothing at this address."),
    ],
)
def test_what_makes_no_sense_says_why(
    client: Client, box: Household, path: str, body: object, status: int, said: str
) -> None:
    box.came(box.looks_like(0.6))

    refused(send(client, path, body), status, said)


def test_a_query_that_makes_no_sense_says_why(client: Client) -> None:
    for query, said in (("limit=0", ">= 1"), ("limit=x", "Expected `int`"), ("when=now", "unknown field `when`")):
        answer = client.get(f"/api/visits?{query}")
        assert (answer.status, said in answer.text) == (422, True), answer.text


def test_a_script_needs_session_token_and_origin(client: Client, box: Household) -> None:
    visit = box.came(box.looks_like(0.6))
    path = f"/api/visits/{visit}/confirm"
    stranger = Client(client.address)

    refused(stranger.get("/api/visits"), 401, "log in first")
    refused(send(stranger, path), 401, "log in first")
    for headers in ({"X_CSRF_Token": "0" * 64}, {"X_CSRF_Token": ""}):
        assert send(client, path, **headers).status == 403
    for origin in ("https://elsewhere.example", ""):
        refused(send(client, path, Origin=origin), 403, "the request comes from another site")
    assert box.templates() == 3
    assert send(client, path).status == 200


def test_every_post_of_the_document_is_refused_without_a_session(client: Client) -> None:
    stranger = Client(client.address)
    for path, operations in document()["paths"].items():
        for method in operations:
            answer = send(stranger, path) if method == "post" else stranger.get(path)
            assert answer.status == 401, (method, path)


@pytest.mark.slow
def test_people_are_changed_and_changes_taken_back(client: Client, box: Household) -> None:
    def people() -> dict[str, dict[str, Any]]:
        return {one["id"]: one for one in described(client.get("/api/people"), "get", "/api/people")}

    def change(action: str, body: object = None) -> Any:
        path = "/api/people/{person}/" + action
        return described(send(client, path.format(person=PERSON), body), "post", path)

    before = people()[PERSON]
    change("rename", {"name": "Barry"})
    change("consent", {"given_by": "Barry", "until": "2099-01-31"})
    assert (people()[PERSON]["name"], people()[PERSON]["consent"]["until"]) == ("Barry", "2099-01-31")
    change("consent", {})
    assert people()[PERSON]["consent"] is None
    change("remove")
    assert PERSON not in people()
    changes = described(client.get("/api/changes"), "get", "/api/changes")
    assert [one["action"] for one in changes] == ["removed", "consent", "consent", "renamed"]
    for one in changes:
        described(send(client, f"/api/changes/{one['id']}/undo"), "post", "/api/changes/{change}/undo")
    assert people()[PERSON]["name"] == before["name"]
    assert len(people()[PERSON]["templates"]) == len(before["templates"])


def test_who_is_forgotten_is_named_in_full_and_stays_forgotten(client: Client, box: Household) -> None:
    path = f"/api/people/{PERSON}/forget"
    name = next(one["name"] for one in json.loads(client.get("/api/people").text) if one["id"] == PERSON)
    refused = send(client, path, {"name": PERSON})
    assert (refused.status, "type the name" in refused.text) == (422, True)
    assert PERSON in client.get("/api/people").text
    gone = described(send(client, path, {"name": name}), "post", "/api/people/{person}/forget")
    assert (gone["person"], gone["still_held"]) == (PERSON, [])
    assert PERSON not in {one["id"] for one in json.loads(client.get("/api/people").text)}
    assert json.loads(client.get("/api/changes").text) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/api/people/eve/rename", {"name": "Eve"}, 422, "found nobody called 'eve'"),
        (f"/api/people/{PERSON}/rename", {}, 422, "required field `name`"),
        (f"/api/people/{PERSON}/consent", {"given_by": "B", "until": "2001-01-01"}, 422, "before the consent is given"),
        (f"/api/people/{PERSON}/consent", {"given_by": "B", "until": "soon"}, 422, "Invalid"),
        ("/api/people/eve/remove", None, 422, "found nobody called 'eve'"),
        ("/api/changes/abcdef/undo", None, 422, "found no change abcdef"),
        ("/api/door/ring", None, 503, "link.sock"),
        ("/api/door/pause", {"for_s": -1}, 422, "> 0"),
    ],
)
def test_changes_that_make_no_sense_say_why(client: Client, path: str, body: object, status: int, said: str) -> None:
    refused(send(client, path, body), status, said)
