"""`/metrics` for Prometheus: not for people, so without a session, but with a token or for this machine alone."""

import hmac
from ipaddress import ip_address
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from edge.config.secret_file import read_secret
from edge.config.web import WebMetricsSettings
from edge.errors import ConfigError
from edge.link.client import Link
from edge.link.protocol import LinkError
from edge.metrics.text import CONTENT_TYPE, metrics_text
from edge.web.box import WebBox
from edge.web.client import INGRESS_USER
from edge.web.page import Page, get

MIN_TOKEN = 16
TIMEOUT_S = 5.0
"""Prometheus gives up after 10 s, unless it is set to something else."""
_MESSENGERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")
"""Headers of a proxy: the request then comes from elsewhere, though the proxy is on this machine."""


def show(request: Request) -> Response:
    box: WebBox = request.app.state.box
    settings = box.settings.metrics
    if not settings.enabled:
        raise HTTPException(404, "there are no metrics: web.metrics.enabled is false in config.yaml")
    if refused := _refusal(request, settings):
        return refused
    try:
        snapshot = Link(Path(box.loaded.config.link.path), TIMEOUT_S).metrics()
    except LinkError:
        # Prometheus should see that the page answers and the daemon does not.
        snapshot = None
    return Response(metrics_text(snapshot), headers={"Content-Type": CONTENT_TYPE})


def _refusal(request: Request, settings: WebMetricsSettings) -> Response | None:
    if settings.token_file is None:
        if _is_this_machine(request):
            return None
        return PlainTextResponse("metrics are for this machine alone, or for a token: web.metrics.token_file", 403)
    wanted = read_secret(settings.token_file, "web.metrics.token_file")
    if len(wanted) < MIN_TOKEN:
        raise ConfigError(f"web.metrics.token_file: found {len(wanted)} characters; allowed: {MIN_TOKEN} or more")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), wanted.encode()):
        return None
    text = "metrics need the token of web.metrics.token_file"
    return PlainTextResponse(text, 401, headers={"WWW-Authenticate": "Bearer"})


def _is_this_machine(request: Request) -> bool:
    if INGRESS_USER in request.scope["state"] or any(name in request.headers for name in _MESSENGERS):
        return False
    try:
        return request.client is not None and ip_address(request.client.host).is_loopback
    except ValueError:
        return False


PAGE = Page(name="metrics", title="Metrics", routes=(get("/metrics", show),), public=("/metrics",))
