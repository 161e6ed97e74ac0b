"""Convert one network to its variants, each with a card that a box can run."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from converter.exits import Interrupted
from converter.files import write_whole
from converter.graph import Graph, Values
from converter.runner import Runner, vectors
from converter.sources import check_float
from converter.variants import NEED_FACES, TUNED, FineTuner, MadeVariant, Variant, VariantMaker
from edge.config import typed_yaml
from edge.errors import ModelError
from edge.models import card as cards
from edge.models.card import Card, InputSpec, LabelHead, LearnedSimilarity, Numbers, Quantisation

MADE = "made from"
HEAD = "-labels.tflite"
"""How the file of a label classifier's head ends, beside its card."""
DRIFT = "cosine to float32"
FINE_TUNING = "fine-tuning"
UNFIT = "unfit"
"""The folder within the output folder for variants that should not be used."""
MIN_COSINE = 0.98
"""Below this mean cosine to float32, a variant is unfit. MobileFaceNet loses 0.6 points of LFW accuracy at 0.95."""


@dataclass(frozen=True, slots=True)
class ModelOrigin:
    """What the cards of all variants say about the original."""

    name: str
    spec: InputSpec
    alignment: list[tuple[float, float]] | None
    crop: float | None
    licence: str
    origin: str
    measured: dict[str, str] = field(default_factory=dict)
    """What was measured on the original itself."""


@dataclass(frozen=True, slots=True)
class VariantResult:
    """One variant, as it was written, or why it could not be made."""

    variant: Variant
    card: str = ""
    """Its path; empty: the variant could not be made."""
    bytes: int = 0
    mean_cosine: float | None = None
    least_cosine: float | None = None
    kept: bool = False
    """Whether it existed already, made from the same network and the same faces."""
    not_for_edgetpu: list[str] = field(default_factory=list)
    unfit: str = ""
    """Why it should not be used; empty: it is fit for use."""
    fine_tuning: str = ""
    """What fine-tuning brought; empty: there was none."""


@dataclass(frozen=True, slots=True)
class Job:
    """A network to convert, and the faces to measure it with."""

    origin: ModelOrigin
    content: bytes
    faces: Sequence[Values]
    """Network inputs that ranges and scales come from."""
    held_out: Sequence[Values]
    """Other network inputs, for measuring drift."""
    described: str
    """Where the faces come from, for the card."""
    head: bytes | None = None
    """A label classifier's head; None: it is none."""
    labels: Sequence[str] = ()
    """What the head's outputs stand for."""
    similarity: LearnedSimilarity | None = None
    """A Siamese network's own."""
    tuner: FineTuner | None = None
    """Fine-tunes `int8-full`; None: nothing is fine-tuned."""

    def digest(self, variant: Variant) -> str:
        """The SHA-256 of everything that the variant depends on."""
        parts = [self.content, msgspec.json.encode(self.origin.spec), variant.encode()]
        if self.head is not None:
            parts += [self.head, msgspec.json.encode(self.labels)]
        if self.similarity is not None:
            parts.append(msgspec.json.encode(self.similarity))
        if variant in NEED_FACES:
            parts += [face.tobytes() for face in self.faces]
        if self.tuner and variant == TUNED:
            parts.append(self.tuner.fingerprint.encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()


def check(content: bytes, name: str, spec: InputSpec, faces: Sequence[Values]) -> None:
    """A forward pass: shape, finite vectors, and vectors that differ from face to face. Raises ModelError."""
    graph = Graph(content, name)
    check_float(graph)
    taken = graph.shape(graph.inputs[0])
    if taken != spec.shape:
        raise ModelError(f"{name}: the network takes {taken}, but its card, --size or --channels says {spec.shape}")
    rows = vectors(content, name, faces[:4])
    if not np.isfinite(rows).all() or (np.linalg.norm(rows, axis=1) < 0.5).any():
        raise ModelError(
            f"{name}: the vector of a face is not finite, or all zero: the network is damaged, or was never trained"
        )
    if len(rows) > 1 and np.ptp(rows, axis=0).max() < 1e-5:
        raise ModelError(
            f"{name}: all faces give the same vector: check that --range and --channels are those of its training"
        )


def run(job: Job, folder: Path, variants: Sequence[Variant], min_cosine: float = MIN_COSINE) -> list[VariantResult]:
    """Make, measure and write every variant that is not there yet; one that cannot be made does not stop the others.

    Variants whose mean cosine to float32 is below `min_cosine` are put in the folder `unfit`. Raises Interrupted, and
    ModelError when the network itself does not run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    maker = VariantMaker(job.content, job.origin.name, job.faces, job.tuner)
    reference = vectors(job.content, job.origin.name, job.held_out)
    results: list[VariantResult] = []
    for variant in variants:
        try:
            results.append(_one(job, maker, folder, variant, reference, min_cosine))
        except ModelError as error:
            results.append(VariantResult(variant, unfit=f"could not be made: {error}"))
        except KeyboardInterrupt as error:
            done = ", ".join(result.variant for result in results) or "nothing"
            text = f"interrupted at {variant}; done: {done}; the same command goes on from there"
            raise Interrupted(text) from error
    return results


def set_aside(result: VariantResult, reason: str) -> VariantResult:
    """Move a variant's two files to the folder `unfit` beside them."""
    path = Path(result.card)
    _move(path, path.parent / UNFIT / path.name)
    return replace(result, card=str(path.parent / UNFIT / path.name), unfit=reason)


def _one(
    job: Job, maker: VariantMaker, folder: Path, variant: Variant, reference: Values, min_cosine: float
) -> VariantResult:
    path = folder / f"{job.origin.name}-{variant}.yaml"
    made_from = f"{job.digest(variant)[:16]}"
    places = (path, folder / UNFIT / path.name)
    there = next((place for place in places if _already(place, made_from)), None)
    made = _kept(there) if there else maker.make(variant)
    similar = (vectors(made.content, path.stem, job.held_out) * reference).sum(1)
    mean, least = float(similar.mean()), float(similar.min())
    # A cosine that is not a number is below every limit.
    unfit = "" if mean >= min_cosine else f"its mean cosine to float32 is {mean:.5f}; at least {min_cosine:g} is needed"
    home, other = places[::-1] if unfit else places
    if there is None:
        _write(job, home, made.content, _measured(job, variant, similar, made_from, made.fine_tuning))
        _remove(other)
    elif there != home:
        _move(there, home)
    return VariantResult(
        variant, str(home), len(made.content), mean, least, there is not None, made.not_for_edgetpu, unfit,
        made.fine_tuning,
    )  # fmt: skip


def _kept(path: Path) -> MadeVariant:
    known = cards.load(path, "embed")
    return MadeVariant(known.content, Graph(known.content).kinds(), known.card.measured.get(FINE_TUNING, ""))


def _move(card: Path, to: Path) -> None:
    """The models first and the card last, as when they are written."""
    to.parent.mkdir(exist_ok=True)
    for file in _files(card):
        if file.is_file():
            file.replace(to.parent / file.name)


def _remove(card: Path) -> None:
    for file in reversed(_files(card)):
        file.unlink(missing_ok=True)


def _files(card: Path) -> list[Path]:
    """Everything that belongs to a card, itself last."""
    return [card.with_suffix(".tflite"), card.with_name(f"{card.stem}{HEAD}"), card]


def _already(path: Path, made_from: str) -> bool:
    if not path.is_file():
        return False
    try:
        return cards.load(path, "embed").card.measured.get(MADE, "").startswith(made_from)
    except ModelError:
        # Cut off in the middle, or altered: make it again.
        return False


def _write(job: Job, path: Path, content: bytes, measured: dict[str, str]) -> None:
    """Write the models first and the card last, each in one step: no card describes a file that does not exist."""
    path.parent.mkdir(exist_ok=True)
    model = path.with_suffix(".tflite")
    graph = Graph(content)
    card = Card(
        schema_version=1,
        name=path.stem,
        task="embed",
        file=model.name,
        sha256=hashlib.sha256(content).hexdigest(),
        input=job.origin.spec,
        outputs=[list(graph.shape(graph.outputs[0]))],
        licence=job.origin.licence,
        origin=job.origin.origin,
        alignment=job.origin.alignment,
        crop=job.origin.crop,
        classifier=_label_head(job, path),
        similarity=job.similarity,
        quantisation=quantisation(content),
        measured=measured,
    )
    write_whole(model, content)
    write_whole(path, card_yaml(card).encode())
    # Load it as a box does.
    cards.load(path, "embed")


def _label_head(job: Job, path: Path) -> LabelHead | None:
    """Write the head beside the card that will state it."""
    if job.head is None:
        return None
    file = path.with_name(f"{path.stem}{HEAD}")
    write_whole(file, job.head)
    return LabelHead(1, file.name, hashlib.sha256(job.head).hexdigest(), list(job.labels))


def _measured(job: Job, variant: Variant, similar: Values, made_from: str, tuning: str) -> dict[str, str]:
    sources = job.described if variant in NEED_FACES else "no faces needed"
    drift = f"mean {similar.mean():.5f}, least {similar.min():.5f} of {len(similar)} faces not used for its ranges"
    made = f"{made_from}; {sources} (whosthere-converter convert)"
    return {MADE: made, **job.origin.measured, DRIFT: drift} | ({FINE_TUNING: tuning} if tuning else {})


def quantisation(content: bytes) -> Quantisation | None:
    """The integers that a network takes and gives; None when both are floats."""
    runner = Runner(content, "the variant")
    if runner.input["dtype"] == np.float32 and runner.output["dtype"] == np.float32:
        return None
    taken, given = (_numbers(d["dtype"], d["quantization"]) for d in (runner.input, runner.output))
    return Quantisation(taken, given)


def _numbers(kind: type, quantised: tuple[float, int]) -> Numbers:
    return msgspec.convert(
        {"type": np.dtype(kind).name, "scale": float(quantised[0]), "zero_point": int(quantised[1])}, Numbers
    )


def card_yaml(card: Card) -> str:
    """A card as YAML, without fields that are not set."""
    document = msgspec.to_builtins(card)
    kept = {key: value for key, value in document.items() if value is not None and value != {}}
    if card.similarity is not None:
        kept["similarity"] = {key: value for key, value in kept["similarity"].items() if value not in (None, "")}
    if not card.input.per_picture:
        kept["input"].pop("per_picture")
    return typed_yaml.dump(kept)
