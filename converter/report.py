"""One page with everything measured about several models, and its plots and figures as files."""

import base64
import importlib
import io
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from converter.datasets import PicturePair
from converter.drift import Layer
from converter.embeddings import EmbeddedFaces
from converter.evaluation import Evaluation
from converter.profile import Profiles
from converter.verification import NO_FACE_SIMILARITY, similarities
from edge.capture.photos import PhotoError, read_photo

WORST = 10
SIDE_PX = 120


class Shown(msgspec.Struct, frozen=True):
    """A pair of pictures among those judged worst."""

    names: str
    said: str
    images: list[str]
    """JPEG, base64."""


class Document(msgspec.Struct, frozen=True):
    """What `report.json` holds."""

    title: str
    evaluations: list[Evaluation]
    profiles: Profiles
    drift: dict[str, list[Layer]]
    packs: dict[str, list[Evaluation]] = {}
    """Published verification packs -> the models' figures, in their order."""
    licences: dict[str, str] = {}
    """Model -> the licence in its card."""


def write(folder: Path, document: Document, worst: Mapping[str, Sequence[Shown]]) -> Path:
    """Write report.html, report.json and the plots as PNG; return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = {"roc": _curves(document, det=False), "det": _curves(document, det=True), "scores": _scores(document)}
    for name, png in plots.items():
        (folder / f"{name}.png").write_bytes(png)
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(document)))
    template = resources.files("converter").joinpath("report.html.j2").read_text(encoding="utf-8")
    environment = importlib.import_module("jinja2").Environment(autoescape=True, trim_blocks=True)
    page = environment.from_string(template).render(
        title=document.title,
        evaluations=document.evaluations,
        profiles=document.profiles,
        threads=list(document.profiles.models[0].ms),
        plots={name: base64.b64encode(png).decode() for name, png in plots.items()},
        worst=worst,
        drift=document.drift,
        packs=document.packs,
        licences=document.licences,
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def worst_pairs(pairs: Sequence[PicturePair], embedded: EmbeddedFaces) -> dict[str, list[Shown]]:
    """The genuine pairs that are least similar and the impostors that are most, as pictures."""
    scores, same = similarities(pairs, embedded, embedded), np.array([pair.same for pair in pairs])
    order = np.argsort(scores, kind="stable")
    genuine = [i for i in order if same[i]][:WORST]
    impostors = [i for i in order[::-1] if not same[i]][:WORST]
    return {
        "The least similar pictures of one person": [_shown(pairs[i], float(scores[i])) for i in genuine],
        "The most similar pictures of two people": [_shown(pairs[i], float(scores[i])) for i in impostors],
    }


def _shown(pair: PicturePair, score: float) -> Shown:
    said = "no face found in one of them" if score == NO_FACE_SIMILARITY else f"similarity {score:.3f}"
    return Shown(f"{pair.first.name}, {pair.second.name}", said, [_thumbnail(p) for p in (pair.first, pair.second)])


def _thumbnail(picture: Path) -> str:
    """A grey square stands for a picture that cannot be read."""
    try:
        image = read_photo(picture)
    except PhotoError:
        image = np.full((SIDE_PX, SIDE_PX, 3), 128, np.uint8)
    scale = SIDE_PX / min(image.shape[:2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return base64.b64encode(cv2.imencode(".jpg", small)[1].tobytes()).decode()


def _figure(wide: float = 6.0) -> tuple[Any, Any]:
    # Without pyplot: it would keep every figure, and look for a screen.
    figure = importlib.import_module("matplotlib.figure").Figure(figsize=(wide, 4.2), layout="constrained", dpi=110)
    return figure, figure.add_subplot()


def _curves(document: Document, det: bool) -> bytes:
    figure, axes = _figure()
    for evaluation in document.evaluations:
        across, refused = np.array(evaluation.curve.false_accepts), np.array(evaluation.curve.false_rejects)
        # On a logarithmic axis there is no place for none; half a pair stands for it.
        shown, least = across > 0, 0.5 / evaluation.genuine
        accepted = np.maximum(refused, least) if det else 1 - refused
        axes.plot(across[shown], accepted[shown], label=evaluation.model, linewidth=1.2)
    axes.set_xscale("log")
    axes.set_xlabel("false accept rate")
    axes.set_ylabel("false reject rate" if det else "true accept rate")
    if det:
        axes.set_yscale("log")
    else:
        # A rate ends at 1, which the axis would go beyond when every model is right every time.
        axes.set_ylim(top=1.002)
    axes.set_title("DET" if det else "ROC")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return _png(figure)


def _scores(document: Document) -> bytes:
    figure, axes = _figure(9.0)
    first = document.evaluations[0]
    for which, colour in (("impostors", "#d1242f"), ("genuine", "#1a7f37")):
        for evaluation in document.evaluations:
            counts, edges = getattr(evaluation.histogram, which), evaluation.histogram.edges
            filled = {"alpha": 0.35, "fill": True} if evaluation is first else {"fill": False, "linewidth": 0.8}
            axes.stairs(counts, edges, color=colour, label=f"{which}, {evaluation.model}", **filled)
    if first.in_force:
        axes.axvline(first.in_force.threshold, color="#57606a", linestyle="--", label="threshold of a box")
    axes.set_xlabel("similarity")
    axes.set_ylabel("pairs")
    axes.set_title("Scores")
    axes.legend(fontsize=7)
    return _png(figure)


def _png(figure: Any) -> bytes:
    held = io.BytesIO()
    figure.savefig(held, format="png")
    return held.getvalue()
