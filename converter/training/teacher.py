"""A network to learn from, in any format: pictures -> vectors of length one, computed once and kept."""

import hashlib
import importlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from converter import sources
from converter.files import replacing
from converter.graph import Graph
from converter.input_spec import model_input
from converter.keras_file import DAMAGED, INSTALL
from converter.runner import Runner
from converter.training.crops import crop_all, stored
from edge.errors import ModelError, UsageError
from edge.faces.framing import Framing
from edge.models import card as cards
from edge.models.card import InputSpec
from edge.terminal import progress

VECTORS = "teacher.npy"
AT_ONCE = 32
CARDS = (".yaml", ".yml")

Network = Callable[[NDArray[np.float32]], NDArray[Any]]
"""Normalised pictures (n, side, side, channels) -> (n, d)."""


class Teacher(NamedTuple):
    """A network, and what it takes."""

    network: Network
    spec: InputSpec
    framing: Framing | None
    digest: str
    """The SHA-256 of its file."""


class OpenedNetwork(NamedTuple):
    """A network of a file, whose range of pixels is not known."""

    network: Network
    shape: tuple[int, int, int]
    """(side, side, channels)."""


def open_teacher(name: str, pixels: str | None, channels: str | None, *, unaligned: bool = False) -> Teacher:
    """Open a bundled embedder by name, a card (.yaml), or a .keras, .h5, .tflite or .onnx file or a SavedModel.

    A file does not say how its training normalised the pixels: `pixels` and `channels` do; `unaligned`: it sees whole
    pictures. A card says all that. Raises ModelError and UsageError.
    """
    if name.endswith(CARDS) or name in cards.bundled():
        return _of_card(cards.find(name), pixels, channels)
    path = Path(name)
    if not path.exists():
        allowed = "a bundled embedder, a card (.yaml), or a .keras, .h5, .tflite or .onnx file"
        raise UsageError(f"--teacher: found {name!r}, which is not there; allowed: {allowed}")
    suffix = path.suffix.lower()
    opened = _onnx(path) if suffix == ".onnx" else _tflite(path) if suffix == ".tflite" else _keras(path)
    if pixels is None:
        raise UsageError(f"{path}: give --teacher-range: the file does not say to which range its training scaled them")
    told = model_input(path, opened.shape, None, pixels, channels)
    framing = None if unaligned else Framing(np.array(told.alignment, np.float32))
    return Teacher(opened.network, told.spec, framing, _digest(path))


def teach(teacher: Teacher, pictures: dict[str, list[Path]], folder: Path) -> tuple[NDArray[np.float32], str]:
    """(the teacher's vector (m, d) of every picture, NaN where it saw no face; their fingerprint). Kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    found = crop_all(pictures, teacher.spec, teacher.framing, folder)
    key = hashlib.sha256(f"{teacher.digest} {found.digest} {teacher.spec}".encode()).hexdigest()[:16]
    kept = folder / f"{key}-{VECTORS}"
    # A file that is not there, or damaged, is made again.
    with suppress(*DAMAGED):
        return np.load(kept, allow_pickle=False), key
    crops = stored(folder)
    seen = np.array(sorted(int(row) for row in found.dataset.rows), np.int64)
    vectors: NDArray[np.float32] | None = None
    parts = np.array_split(seen, -(-len(seen) // AT_ONCE))
    for part in progress(parts, "teacher"):
        given = np.asarray(teacher.network(normalised(crops[part], teacher.spec)), np.float32).reshape(len(part), -1)
        if vectors is None:
            vectors = np.full((len(crops), given.shape[1]), np.nan, np.float32)
        vectors[part] = given / np.maximum(np.linalg.norm(given, axis=1, keepdims=True), 1e-12)
    if vectors is None or not np.isfinite(vectors[seen]).all():
        raise ModelError("the teacher gives vectors with NaN or infinity: it is damaged, or --teacher-range is wrong")
    with replacing(kept) as part_file:
        np.save(part_file, vectors)
    return vectors, key


def normalised(crops: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Crops (n, side, side, channels), in the network's colours, normalised as `edge.models.tflite.to_tensor` does."""
    pixels = crops.astype(np.float32)
    if not spec.per_picture:
        scaled: NDArray[np.float32] = (pixels - np.float32(spec.mean)) / np.float32(spec.scale)
        return scaled
    axes = (1, 2, 3)
    least = 1.0 / np.sqrt(np.float32(np.prod(pixels.shape[1:])))
    apart = pixels - pixels.mean(axes, keepdims=True)
    standard: NDArray[np.float32] = (apart / np.maximum(pixels.std(axes, keepdims=True), least)).astype(np.float32)
    return standard


def _of_card(path: Path, pixels: str | None, channels: str | None) -> Teacher:
    if pixels or channels:
        raise UsageError(f"--teacher: {path.name} says what it takes; leave out --teacher-range and --teacher-channels")
    known = cards.load(path, "embed")
    framing = Framing.of(known.card)
    if framing is None:
        raise ModelError(f"{path}: its card states neither five points under `alignment` nor `crop`")
    return Teacher(_run_one_by_one(known.content, path), known.card.input, framing, known.card.sha256)


def _tflite(path: Path) -> OpenedNetwork:
    content = sources.float_model(path)
    graph = Graph(content, str(path))
    return OpenedNetwork(_run_one_by_one(content, path), _picture(graph.shape(graph.inputs[0])[1:], path))


def _run_one_by_one(content: bytes, path: Path) -> Network:
    runner = Runner(content, str(path), threads=2)
    return lambda pictures: np.stack([runner(picture[None]) for picture in pictures])


def _keras(path: Path) -> OpenedNetwork:
    model = sources.load_network(path)
    if not hasattr(model, "inputs"):
        content = sources.to_tflite(model, path)
        graph = Graph(content, str(path))
        return OpenedNetwork(_run_one_by_one(content, path), _picture(graph.shape(graph.inputs[0])[1:], path))
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ModelError(f"{path}: {len(model.inputs)} inputs, {len(model.outputs)} outputs; a teacher has one of each")

    def run(pictures: NDArray[np.float32]) -> NDArray[Any]:
        given = model(pictures, training=False)
        return np.asarray(given[0] if isinstance(given, list) else given)

    return OpenedNetwork(run, _picture(tuple(model.inputs[0].shape[1:]), path))


def _onnx(path: Path) -> OpenedNetwork:
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise ModelError(f"{path}: onnxruntime is needed to read it; {INSTALL}") from error
    try:
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:
        # Its exceptions have no common base but this.
        raise ModelError(f"{path}: onnxruntime cannot load it: {str(error).strip().splitlines()[0]}") from error
    taken = session.get_inputs()
    if len(taken) != 1 or len(session.get_outputs()) != 1 or len(taken[0].shape) != 4:
        raise ModelError(
            f"{path}: takes {[t.shape for t in taken]}; a teacher takes one batch of pictures, and gives one"
        )
    batch, *sides = taken[0].shape
    # PyTorch's order, or TensorFlow's.
    first = sides[0] in {1, 3}
    shape = _picture((*sides[1:], sides[0]) if first else tuple(sides), path)

    def run(pictures: NDArray[np.float32]) -> NDArray[Any]:
        ordered = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)) if first else pictures
        parts = [ordered] if not isinstance(batch, int) or batch == len(ordered) else [one[None] for one in ordered]
        return np.concatenate([np.asarray(session.run(None, {taken[0].name: part})[0]) for part in parts])

    return OpenedNetwork(run, shape)


def _picture(shape: tuple[Any, ...], path: Path) -> tuple[int, int, int]:
    if len(shape) != 3 or not all(isinstance(n, int) for n in shape) or shape[0] != shape[1] or shape[2] not in {1, 3}:
        raise ModelError(
            f"{path}: takes pictures of {shape}; one square picture of fixed size, grey or colour, is needed"
        )
    return shape


def _digest(path: Path) -> str:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
