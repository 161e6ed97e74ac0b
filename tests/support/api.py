"""A script that uses the page's API, and the OpenAPI document that its answers are compared with."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jsonschema

from edge.web.openapi import document
from support.hostile_requests import multipart
from support.http_client import Answer, Client
from support.web import WebPage

Files = list[tuple[str, str, bytes]]
"""Field, name, content."""


@contextmanager
def script(page: WebPage) -> Iterator[Client]:
    """Logged in, with its token."""
    client = Client(page.address)
    client.log_in()
    client.csrf = json.loads(client.get("/api/session").text)["csrf"]
    yield client


def send(client: Client, path: str, body: object = None, **headers: str) -> Answer:
    """A POST of JSON."""
    content = b"" if body is None else json.dumps(body).encode()
    return _post(client, path, content, "application/json", headers)


def upload(client: Client, path: str, files: Files, fields: Mapping[str, str] | None = None, **headers: str) -> Answer:
    """A POST of files, as curl's `-F` sends it."""
    kind, content = multipart(dict(fields or {}), files)
    return _post(client, path, content, kind, headers)


def _post(client: Client, path: str, content: bytes, kind: str, headers: Mapping[str, str]) -> Answer:
    usual = {"Origin": client.address, "Content_Type": kind, "X_CSRF_Token": client.csrf}
    return client.ask("POST", path, content, **{**usual, **headers})


def described(answer: Answer, method: str, path: str) -> Any:
    """What was answered, compared with the document."""
    whole = document()
    operation = whole["paths"][path][method]
    [(kind, content)] = operation["responses"]["200" if answer.status == 200 else "default"]["content"].items()
    assert answer.headers["content-type"].split(";")[0] == kind
    if kind != "application/json":
        return answer.text
    found = json.loads(answer.text)
    jsonschema.validate(found, {**content["schema"], "components": whole["components"]})
    return found


def refused(answer: Answer, status: int, said: str) -> None:
    """Assert that it was refused, as JSON, with these words."""
    assert answer.status == status, answer.text
    assert said in json.loads(answer.text)["error"]
