"""The OpenAPI 3.1 document of the page's API, from its types.

python -m edge.web.openapi docs/schema        writes docs/schema/web.json
"""

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

from edge import __version__
from edge.web.api import ApiEndpoint, MediaType, NoFields, endpoint_of
from edge.web.registry import PAGES

_REFERENCE = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"{(\w+)(?::(int))?}")


def endpoints() -> list[ApiEndpoint]:
    """Every action of every page."""
    found = [endpoint_of(route) for page in PAGES for route in page.routes]
    return [endpoint for endpoint in found if endpoint is not None]


def document() -> dict[str, Any]:
    """The whole document."""
    known = endpoints()
    types = [kind for endpoint in known for kind in (_json_of(endpoint), endpoint.takes)]
    schemas, components = msgspec.json.schema_components([*types, ApiProblem], ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for place, endpoint in enumerate(known):
        returns, takes = schemas[2 * place], schemas[2 * place + 1]
        described = _operation(endpoint, returns, takes, components, schemas[-1])
        paths.setdefault(_PARAMETER.sub(r"{\1}", endpoint.path), {})[endpoint.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": "The page of a whosthere box", "version": __version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _SECURITY},
        "security": [{"session": []}],
    }


def _json_of(endpoint: ApiEndpoint) -> Any:
    return NoFields if isinstance(endpoint.returns, MediaType) else endpoint.returns


class ApiProblem(msgspec.Struct, frozen=True):
    """Every response that is not 200."""

    error: str
    """What, where, what was found, what is allowed."""


def _operation(
    endpoint: ApiEndpoint, returns: dict[str, Any], takes: dict[str, Any], components: dict[str, Any], problem: Any
) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if number else "string"}}
        for name, number in _PARAMETER.findall(endpoint.path)
    ]
    found: dict[str, Any] = {"summary": endpoint.summary}
    if text := inspect.getdoc(endpoint.call):
        found["description"] = text
    if endpoint.takes is not NoFields and endpoint.method == "GET":
        fields = components[endpoint.takes.__name__]
        required = fields.get("required", [])
        parameters += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in fields["properties"].items()
        ]
    if endpoint.method == "POST":
        token = {"name": "X-CSRF-Token", "in": "header", "required": True, "schema": {"type": "string"}}
        parameters.append(token)
        if endpoint.files is not None:
            found["requestBody"] = _form(endpoint, components[endpoint.takes.__name__])
        elif endpoint.takes is not NoFields:
            found["requestBody"] = {"required": True, "content": {"application/json": {"schema": takes}}}
    if parameters:
        found["parameters"] = parameters
    kind = endpoint.returns
    content = {kind.name: {}} if isinstance(kind, MediaType) else {"application/json": {"schema": returns}}
    found["responses"] = {
        "200": {"description": "Done.", "content": content},
        "default": {"description": "Not done.", "content": {"application/json": {"schema": problem}}},
    }
    return found


def _form(endpoint: ApiEndpoint, fields: dict[str, Any]) -> dict[str, Any]:
    """The body of an endpoint that takes files: a form, with its other fields beside them."""
    files = endpoint.files
    assert files is not None  # noqa: S101  (its only caller has looked)
    one = {"type": "string", "contentMediaType": "application/octet-stream"}
    several = {"type": "array", "items": one, "minItems": 1, "maxItems": files.most}
    schema = {
        "type": "object",
        "properties": {**fields["properties"], files.field: one if files.most == 1 else several},
        "required": [*fields.get("required", []), files.field],
        "additionalProperties": False,
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


_DESCRIPTION = (
    "POST /login with the form field `password` and the header Origin sets the session's cookie. GET /api/session "
    "returns the token that every POST must bring in X-CSRF-Token, beside an Origin of the page's own address."
)
_SECURITY = {"session": {"type": "apiKey", "in": "cookie", "name": "whosthere-<id>", "description": _DESCRIPTION}}


def main() -> None:
    """Write the document into a folder."""
    folder = Path(sys.argv[1])
    text = msgspec.json.format(msgspec.json.encode(document()), indent=2)
    (folder / "web.json").write_bytes(text + b"\n")


if __name__ == "__main__":
    main()
