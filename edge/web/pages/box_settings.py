"""Settings on the page of the box: the false-alarm target in people, and the camera's region drawn with a finger."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.config.loading import LoadedConfig
from edge.diary.opening import current_gallery
from edge.errors import ConfigError
from edge.link.client import AsyncLink
from edge.link.protocol import LinkError
from edge.models.card import Card
from edge.models.embedder_choice import embedder_card
from edge.visits.misses import measured_on, miss_rate
from edge.visits.thresholds import Bounds, target_bounds
from edge.web.box import WebBox
from edge.web.errands import Errand
from edge.web.page import get, post, text_of

STEPS = (1 / 20, 1 / 50, 1 / 100, 1 / 200, 1 / 500, 1 / 1000, 1 / 2000, 1 / 5000, 1 / 10_000, 1 / 20_000, 1 / 50_000)
SIDES = ("left", "top", "right", "bottom")
REWRITE = Errand("edge.config.config_text:rewrite_own", NoneType)
LEAST = 0.05
"""A region has at least so much of the picture's width and height."""


@dataclass(frozen=True, slots=True)
class TargetStep:
    """One position of the slider."""

    target: float
    strangers: str
    missed: str

    @property
    def words(self) -> str:
        return f"{self.strangers}{self.missed}"


@dataclass(frozen=True, slots=True)
class TargetValues:
    """The slider."""

    steps: list[TargetStep]
    current: int
    """The position nearest to what is set."""
    problem: str
    """Why there is no slider; empty: there is one."""
    measured_on: str = ""
    """What the misses were measured on; empty: they are not known."""

    @property
    def words(self) -> list[str]:
        return [step.words for step in self.steps]


def allowed_targets(loaded: LoadedConfig) -> Bounds | None:
    """The targets that calibration and gallery allow; None: no target counts on this box."""
    if loaded.config.match.threshold is not None:
        return None
    known, templates = _measured(loaded)
    return target_bounds(known.naming_calibration, templates)


def target_values(loaded: LoadedConfig) -> TargetValues:
    """The targets that calibration and gallery allow, each with its price."""
    match = loaded.config.match
    if match.threshold is not None:
        return TargetValues([], 0, f"match.threshold is {match.threshold:g} in config.yaml, so no target counts.")
    known, templates = _measured(loaded)
    bounds = target_bounds(known.naming_calibration, templates)
    if bounds is None:
        return TargetValues([], 0, "The embedder is not calibrated, so no target can be set.")
    within = [step for step in STEPS if bounds.low <= step <= bounds.high] or [match.false_alarm_target]
    steps = [_step(one, miss_rate(known, one, templates)) for one in within]
    nearest = min(range(len(within)), key=lambda i: abs(within[i] - match.false_alarm_target) / within[i])
    return TargetValues(steps, nearest, "", measured_on(known))


def _measured(loaded: LoadedConfig) -> tuple[Card, int]:
    """The embedder's card, and the number of templates in the gallery."""
    known = embedder_card(loaded.config.models, loaded.base)
    gallery = current_gallery(loaded)
    return known, gallery.size if gallery else 0


def _step(target: float, missed: float | None) -> TargetStep:
    strangers = f"One stranger in {1 / target:,.0f} would be called by a name."
    if missed is None:
        return TargetStep(target, strangers, "")
    times = max(1, round(missed * 100))
    word = "once" if times == 1 else f"{times} times"
    return TargetStep(target, strangers, f" A single picture of somebody you know would be missed {word} in 100.")


def region_values(loaded: LoadedConfig) -> dict[str, int]:
    """The camera's region in percent of the whole picture."""
    region = loaded.config.camera.region
    return {side: round(100 * getattr(region, side)) for side in SIDES}


async def set_target(request: Request, form: FormData) -> Response:
    """Set a position of the slider, in config.yaml and in the running daemon."""
    box: WebBox = request.app.state.box
    values = await run_in_threadpool(target_values, box.loaded)
    text = text_of(form, "step")
    if not text.isdecimal() or int(text) >= len(values.steps):
        raise HTTPException(422, values.problem or f"step: found {text[:20]!r}; allowed: 0 to {len(values.steps) - 1}")
    await write_target(box, values.steps[int(text)].target)
    return _to_box(request, "target")


async def write_target(box: WebBox, target: float) -> None:
    """Set the false-alarm target, in config.yaml and in the running daemon. Raises HTTPException."""
    await _write(box, {"match.false_alarm_target": float(f"{target:.3g}")})
    with contextlib.suppress(LinkError):
        # Without a daemon, the next one to start reads it.
        await AsyncLink(Path(box.loaded.config.link.path)).command("reload")


async def set_region(request: Request, form: FormData) -> Response:
    """Set the camera's region; the form has percents of the whole picture."""
    box: WebBox = request.app.state.box
    if text_of(form, "whole"):
        found = {"left": 0.0, "top": 0.0, "right": 1.0, "bottom": 1.0}
    else:
        found = {side: _percent(side, text_of(form, side)) for side in SIDES}
    await write_region(box, found)
    return _to_box(request, "region")


async def write_region(box: WebBox, region: Mapping[str, float]) -> None:
    """Set the camera's region in config.yaml, by side, in parts of the whole picture. Raises HTTPException."""
    if region["right"] - region["left"] < LEAST or region["bottom"] - region["top"] < LEAST:
        raise HTTPException(422, f"the region is too small: allowed: at least {LEAST:.0%} of the picture each way")
    await _write(box, {f"camera.region.{side}": value for side, value in region.items()})


async def restart(request: Request, _: FormData) -> Response:
    """Have the daemon start over, so that it uses the camera's new settings."""
    try:
        await restarted(request.app.state.box)
    except LinkError:
        return _to_box(request, "not-restarted")
    return _to_box(request, "restart")


async def restarted(box: WebBox) -> None:
    """Have the daemon start over. Raises LinkError, and HTTPException when it will not."""
    answer = await AsyncLink(Path(box.loaded.config.link.path)).command("restart")
    if not answer.ok:
        raise HTTPException(422, answer.text)


async def picture(request: Request) -> Response:
    """What the camera sees, to draw on."""
    box: WebBox = request.app.state.box
    try:
        _, jpeg = await AsyncLink(Path(box.loaded.config.link.path)).picture()
    except LinkError as error:
        raise HTTPException(404, str(error)) from error
    return Response(jpeg, media_type="image/jpeg")


async def _write(box: WebBox, values: Mapping[str, float]) -> None:
    """Change config.yaml in place. Raises HTTPException when this process may not, with the lines to write by hand."""
    try:
        await run_in_threadpool(lambda: REWRITE.run(box, path=str(box.config_path), values=dict(values)))
    except ConfigError as error:
        lines = "; ".join(f"{key}: {value}" for key, value in values.items())
        raise HTTPException(409, f"{error}. The settings are: {lines}") from error


def _percent(side: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise HTTPException(422, f"{side}: found {text[:20]!r}; allowed: 0 to 100")
    return round(value / 100, 3)


def _to_box(request: Request, said: str) -> Response:
    return RedirectResponse(f"{request.scope.get('root_path', '')}/box?done={said}", 303)


ROUTES = (
    post("/box/target", set_target),
    post("/box/region", set_region),
    post("/box/restart", restart),
    get("/box/picture.jpg", picture),
)
