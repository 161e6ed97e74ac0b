"""The page's script, style and icons: read once, and found by name only, so that no path leads elsewhere."""

import functools
import gzip
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.web.page import get
from edge.web.templating import STATIC

KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png"}
YEAR_S = 31_536_000


def routes() -> tuple[Route, ...]:
    return (get("/static/{name}", _serve),)


def _serve(request: Request) -> Response:
    found = _files().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404, "there is no such file")
    plain, packed, kind = found
    # The address holds the content's hash.
    headers = {"Cache-Control": f"public, max-age={YEAR_S}, immutable", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type=kind, headers=headers | {"Content-Encoding": "gzip"})
    return Response(plain, media_type=kind, headers=headers)


@functools.cache
def _files() -> dict[str, tuple[bytes, bytes, str]]:
    """Name -> content, the same packed, and its type."""
    found: list[Path] = [path for path in STATIC.iterdir() if path.suffix in KINDS]
    contents = {path: path.read_bytes() for path in found}
    return {path.name: (content, gzip.compress(content), KINDS[path.suffix]) for path, content in contents.items()}
