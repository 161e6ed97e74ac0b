"""What the networks answered, kept on disk, so that a second run of the same frames needs no network.

An answer is found by the network's hash and the exact pixels that it was given. So nothing has to be declared stale:
code that crops, scales or lights a picture differently asks another question.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from converter.files import write_whole
from edge.config.sections import ModelSettings
from edge.faces.detect import CANDIDATE_SCORE
from edge.faces.loading import Networks, load_networks
from edge.models.tflite import Model, Tensor, find_runtime
from edge.records import Image

KEPT_LOGIT = math.log(CANDIDATE_SCORE / (1 - CANDIDATE_SCORE)) - 1e-3
"""A detector's rows below it are not kept: decoding drops them."""
NOTHING_LOGIT = -80.0


class KeptAnswers:
    """A store in memory with one file per scene behind it."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` is created when something is saved; None: nothing is kept on disk."""
        self._folder = folder
        self._path: Path | None = None
        self._known: dict[bytes, list[bytes]] = {}
        self._saved = 0
        self.asked = 0
        self.computed = 0
        """The part of them that the networks had to answer."""

    def open(self, name: str) -> None:
        """Load what is known about a scene, and forget the one before. Call `save` first."""
        self._path = self._folder / f"{name}.msgpack" if self._folder else None
        self._known = _read(self._path)
        self._saved = len(self._known)

    def save(self) -> None:
        """Write the current scene's answers, if there are new ones."""
        if self._path and len(self._known) > self._saved:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, msgspec.msgpack.encode(self._known))
            self._saved = len(self._known)

    def ask_about(self, who: bytes, images: Sequence[Image], compute: Callable[[], list[bytes]]) -> list[bytes]:
        """The answer that `who` gave about these pixels before, else what `compute` returns."""
        digest = hashlib.sha256(who)
        for image in images:
            digest.update(np.ascontiguousarray(image).data)
        key = digest.digest()[:16]
        self.asked += 1
        if key not in self._known:
            self.computed += 1
            self._known[key] = compute()
        return self._known[key]


class RememberingModel(Model):
    """A network that is not invoked twice on the same pixels."""

    def __init__(self, model: Model, answers: KeptAnswers) -> None:
        # It is that network: loaded and checked once, whatever fields it has.
        vars(self).update(vars(model))
        self._answers = answers
        runtime = find_runtime()
        self._key = f"{self.card.sha256} {runtime.package} {runtime.version}".encode()

    def run(self, images: Sequence[Image]) -> list[Tensor]:
        super_run = super().run
        return _unpack(self._answers.ask_about(self._key, images, lambda: _pack(super_run(images))))


def load_remembering(models: ModelSettings, base: Path | None, answers: KeptAnswers) -> Networks:
    """The configured networks, which remember. Raises ModelError."""
    return {role: RememberingModel(model, answers) for role, model in load_networks(models, base).items()}


def _pack(outputs: list[Tensor]) -> list[bytes]:
    """Shapes, then values. Of a detector's boxes and scores, only the rows that decoding would use."""
    rows = _candidates(outputs)
    shapes = msgspec.msgpack.encode([output.shape for output in outputs])
    if rows is None:
        return [shapes, *(output.astype(np.float32).tobytes() for output in outputs)]
    kept = [np.ascontiguousarray(output[0, rows], np.float32).tobytes() for output in outputs]
    return [shapes, *kept, rows.astype(np.int32).tobytes()]


def _candidates(outputs: list[Tensor]) -> NDArray[np.intp] | None:
    """The rows of a detector's outputs that may be faces; None: this is no detector."""
    scores = next((o for o in outputs if o.ndim == 3 and o.shape[0] == 1 and o.shape[2] == 1), None)
    if len(outputs) != 2 or scores is None or any(o.shape[:2] != scores.shape[:2] for o in outputs):
        return None
    return np.flatnonzero(scores[0, :, 0] >= KEPT_LOGIT)


def _unpack(held: list[bytes]) -> list[Tensor]:
    shapes: list[tuple[int, ...]] = msgspec.msgpack.decode(held[0], type=list[tuple[int, ...]])
    values = [np.frombuffer(part, np.float32) for part in held[1 : 1 + len(shapes)]]
    if len(held) == 1 + len(shapes):
        return [value.reshape(shape).copy() for value, shape in zip(values, shapes, strict=True)]
    rows = np.frombuffer(held[-1], np.int32)
    outputs = [np.full(shape, NOTHING_LOGIT if shape[2] == 1 else 0.0, np.float32) for shape in shapes]
    for output, value in zip(outputs, values, strict=True):
        output[0, rows] = value.reshape(len(rows), output.shape[2])
    return outputs


def _read(path: Path | None) -> dict[bytes, list[bytes]]:
    """The file's answers; empty when there is none yet, or it is damaged."""
    if path is None:
        return {}
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=dict[bytes, list[bytes]])
    except (OSError, msgspec.DecodeError):
        return {}
