"""A model's card: the YAML file next to a .tflite file that says what it is and what it takes."""

import hashlib
import math
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.config import typed_yaml
from edge.errors import ModelError
from edge.regular_file import read_regular

BUNDLED = Path(__file__).parent
"""The folder of the models in the package."""


Task = Literal["detect", "landmarks", "embed", "liveness"]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z", description="64 hexadecimal digits in lower case")]


class InputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the network takes: `(pixel - mean) / scale`, with pixels 0..255."""

    shape: tuple[int, int, int, int]
    """(batch, height, width, channels)."""
    channels: Literal["rgb", "bgr", "grey"]
    mean: float
    scale: float
    per_picture: bool = False
    """Normalise each picture by its own mean and standard deviation, as FaceNet does, instead of `mean` and `scale`."""


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an integer tensor represents values: `value = scale * (number - zero_point)`."""

    type: Literal["int8", "uint8", "int16"]
    scale: float
    zero_point: int


class Quantisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The integers that a network takes and returns."""

    input: Numbers
    output: Numbers


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often two different people are at least that similar, as measured."""

    data: str
    """Data set and number of impostor comparisons."""
    command: str
    points: Annotated[list[tuple[float, float]], Meta(min_length=2)]
    """(cosine similarity, false-match rate), similarity rising, rate falling."""

    def __post_init__(self) -> None:
        for (s0, f0), (s1, f1) in zip(self.points, self.points[1:], strict=False):
            if not (s0 < s1 and f0 > f1 > 0):
                raise ValueError("points: similarity must rise and the rate fall, and stay above 0")

    def rate_at(self, similarity: float) -> float:
        """Return the false-match rate at a similarity: log-linear between points, never below the last point."""
        (s0, f0), *rest = self.points
        if similarity <= s0:
            return f0
        for s1, f1 in rest:
            if similarity <= s1:
                part = (similarity - s0) / (s1 - s0)
                return math.exp(math.log(f0) + part * (math.log(f1) - math.log(f0)))
            s0, f0 = s1, f1
        return f0

    def similarity_at(self, rate: float) -> tuple[float, bool]:
        """Return the similarity at which the false-match rate is `rate`, and whether the data reach that far.

        Nothing is extrapolated: beyond the last point, its similarity is returned, with False.
        """
        (s0, f0), *rest = self.points
        if rate >= f0:
            return s0, True
        for s1, f1 in rest:
            if rate >= f1:
                part = (math.log(rate) - math.log(f0)) / (math.log(f1) - math.log(f0))
                return s0 + part * (s1 - s0), True
            s0, f0 = s1, f1
        return s0, False


class Compiled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same network, compiled for the Edge TPU."""

    file: str
    """Name of the file that edgetpu_compiler made, next to the card."""
    sha256: Sha256


class LivenessSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a liveness network is fed and read."""

    crop: Annotated[float, Meta(ge=1, le=8)]
    """How many times the face's box it sees: MiniFASNet's two networks see 2.7 and 4.0."""
    live_class: Annotated[int, Meta(ge=0, le=1000)]
    """Which of its outputs stands for a living person, counted from 0."""
    logits: bool = True
    """Whether the outputs still need a softmax."""


class LearnedSimilarity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Siamese network's own similarity: sigmoid(bias - sum of weights x |differences|) of two unit vectors."""

    schema_version: Literal[1]
    bias: Annotated[float, Meta(ge=-50, le=50)]
    weights: Annotated[list[Annotated[float, Meta(ge=0, le=1e6)]], Meta(min_length=1)]
    """One per number of the vectors."""
    in_force: bool = False
    """Whether it takes the cosine's place for names: `evaluate --record` says so where it was better."""
    compared: str = ""
    """How it did beside the cosine, on which pairs."""
    calibration: Calibration | None = None
    """As the card's, by this similarity."""
    infrared_calibration: Calibration | None = None


class LabelHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The head of a label classifier: a second network, from the embedder's vector to one probability per label."""

    schema_version: Literal[1]
    file: str
    """Name of the head's .tflite file, next to the card. It takes the vector as the embedder gives it, not scaled."""
    sha256: Sha256
    labels: Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(min_length=2)]
    """What the head's outputs stand for, in their order."""


class Card(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known about one model file."""

    schema_version: Literal[1]
    name: str
    task: Task
    file: str
    """Name of the .tflite file, next to the card."""
    sha256: Sha256
    input: InputSpec
    outputs: list[list[int]]
    """Shapes, in any order."""
    licence: str
    origin: str
    strides: list[int] | None = None
    """Detectors: stride of each SSD layer, in pixels of the input."""
    alignment: list[tuple[float, float]] | None = None
    """Embedders: where eyes, nose and mouth corners lie in the input, in pixels."""
    crop: Annotated[float, Meta(ge=1, le=8)] | None = None
    """Embedders trained without alignment: how many times the face's box the upright square is wide that they see."""
    liveness: LivenessSpec | None = None
    """Liveness networks: what they see, and which output is the living one."""
    classifier: LabelHead | None = None
    """Embedders that were cut out of a label classifier: its head, for `whosthere identify --classify`."""
    similarity: LearnedSimilarity | None = None
    """Embedders that were trained as Siamese networks: their own similarity; None: the cosine."""
    quantisation: Quantisation | None = None
    """Input and output, if they are integers; None: floats, whatever is inside."""
    int8: str | None = None
    """Embedders: the card, next to this one, of the same network in int8, with vectors that may be compared with this
    one's: `models.embedder: auto` runs it on CPUs with dot products of bytes. Galleries stay tied to `sha256`."""
    edgetpu: Compiled | None = None
    """For boxes with an Edge TPU. Galleries stay tied to `sha256`: both files give the same vectors."""
    calibration: Calibration | None = None
    infrared_calibration: Calibration | None = None
    """The same for two faces seen in infrared light; None: they are no more alike than others."""
    measured: dict[str, str] = {}
    """Measurements by name, each with its data and command."""

    @property
    def naming_calibration(self) -> Calibration | None:
        """That of the similarity by which names are given."""
        learned = self.similarity
        return learned.calibration if learned is not None and learned.in_force else self.calibration

    @property
    def naming_infrared_calibration(self) -> Calibration | None:
        """The same for two infrared faces."""
        learned = self.similarity
        return learned.infrared_calibration if learned is not None and learned.in_force else self.infrared_calibration


class ModelFile(msgspec.Struct, frozen=True):
    """A card, and the bytes whose hash it states."""

    card: Card
    content: bytes
    path: Path
    compiled: bytes | None = None
    """The content of the card's `edgetpu` file."""
    head: bytes | None = None
    """The content of the card's `classifier` file."""


def load(card_path: Path, task: str, *, int8: bool = False) -> ModelFile:
    """Read a card and its model, and compare them. `int8`: the model that the card names under `int8`.

    Raises ModelError naming the file when either is missing, damaged, altered or for another task.
    """
    card = read_card(card_path)
    if card.task != task:
        raise ModelError(f"{card_path}: this model's task is {card.task!r}; {task!r} is needed")
    if int8:
        file = read_card(_int8_path(card_path, card))
        content = _content(card_path, file.file, file.sha256)
        return ModelFile(_as_int8(card_path, card, file), content, card_path.parent / file.file)
    content = _content(card_path, card.file, card.sha256)
    compiled = _content(card_path, card.edgetpu.file, card.edgetpu.sha256) if card.edgetpu else None
    head = _content(card_path, card.classifier.file, card.classifier.sha256) if card.classifier else None
    return ModelFile(card, content, card_path.parent / card.file, compiled, head)


def _content(card_path: Path, name: str, sha256: str) -> bytes:
    path = card_path.parent / name
    try:
        content = read_regular(path)
    except OSError as error:
        raise ModelError(
            f"{path}: the model that {card_path.name} describes cannot be read: {error.strerror}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path}: sha256 is {found[:12]}..., but {card_path.name} says {sha256[:12]}...; "
            "the file was altered or damaged: install it again, or write a new card for it"
        )
    return content


def read_int8(path: Path) -> Card:
    """What the model that a card names under `int8` measured, with the name and hash of the card. Raises ModelError."""
    card = read_card(path)
    return _as_int8(path, card, read_card(_int8_path(path, card)))


def _int8_path(path: Path, card: Card) -> Path:
    if card.int8 is None:
        raise ModelError(f"{path}: names no card under `int8`")
    return path.with_name(f"{card.int8}.yaml")


def _as_int8(path: Path, card: Card, int8: Card) -> Card:
    """The card of an int8 model in place of the float one. Raises ModelError if they do not see faces alike."""
    parts = ("task", "input", "outputs", "alignment", "crop")
    if differs := [part for part in parts if getattr(card, part) != getattr(int8, part)]:
        raise ModelError(
            f"{path}: its `int8` names {int8.name}, but {', '.join(differs)} differ: it is another network"
        )
    return msgspec.structs.replace(int8, name=card.name, sha256=card.sha256, int8=card.int8, edgetpu=None)


def read_card(path: Path) -> Card:
    """Read a card without its model. Raises ModelError."""
    try:
        return typed_yaml.convert(typed_yaml.read(path), Card)
    except OSError as error:
        raise ModelError(f"{path}: no such model card ({error.strerror}); bundled: {', '.join(bundled())}") from error
    except typed_yaml.Mistakes as error:
        raise ModelError(
            f"{path}: not a valid model card:\n" + "\n".join(f"  {line}" for line in error.lines)
        ) from error


def bundled() -> list[str]:
    """Return the names of the models in the package."""
    return sorted(path.stem for path in BUNDLED.glob("*.yaml"))


def find(name: str, base: Path | None = None) -> Path:
    """Return the path of the card that config.yaml names: a bundled model, or a .yaml file relative to `base`.

    Raises ModelError for an unknown name.
    """
    if name.endswith((".yaml", ".yml")):
        return (base / name) if base else Path(name)
    if name not in bundled():
        raise ModelError(
            f"{name!r}: no bundled model has that name; bundled: {', '.join(bundled())}; or give a card's path"
        )
    return BUNDLED / f"{name}.yaml"
