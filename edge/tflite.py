"""The only door to LiteRT or tflite-runtime."""

import importlib
import logging
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge import card as cards
from edge.card import Card, InputSpec
from edge.errors import ModelError
from edge.records import Image

log = logging.getLogger("whosthere.tflite")

Tensor = NDArray[np.float32]

RUNTIMES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
)


class Runtime(NamedTuple):
    """An installed TFLite interpreter."""

    module: ModuleType
    package: str
    version: str


def find_runtime() -> Runtime:
    """LiteRT if it is installed, else tflite-runtime. Raises ModelError when neither is."""
    for module, package in RUNTIMES:
        try:
            return Runtime(importlib.import_module(module), package, metadata.version(package))
        except ImportError:
            continue
    raise ModelError(
        "no TFLite runtime is installed: pip install 'whosthere[litert]' (or [tflite-runtime] on 32-bit boxes)"
    )


class Model:
    """One network, loaded and checked against its card. Not thread-safe: its thread owns it."""

    def __init__(self, card_path: Path, task: str, threads: int = 1) -> None:
        """Load the model of a card.

        Raises ModelError when file and card disagree or the runtime refuses the file.
        """
        model_file = cards.load(card_path, task)
        self.card: Card = model_file.card
        self.path = model_file.path
        self.runs = 0
        """How often the network was asked."""
        runtime = find_runtime()
        try:
            self._interpreter = runtime.module.Interpreter(model_content=model_file.content, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{self.path}: {runtime.package} {runtime.version} cannot load it: {error}") from error
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()
        self._check_shapes()
        self._check_numbers()

    def run(self, images: Sequence[Image]) -> list[Tensor]:
        """Feed pictures of the input's size, as many as its batch or fewer; dequantised outputs.

        Each output keeps its batch dimension, cut to the number of pictures given.
        """
        spec = self.card.input
        batch = np.zeros(spec.shape, np.float32)
        for i, image in enumerate(images):
            batch[i] = to_tensor(image, spec)
        self._interpreter.set_tensor(self._input["index"], _quantise(batch, self._input))
        self._interpreter.invoke()
        self.runs += 1
        return [_dequantise(self._interpreter.get_tensor(o["index"]), o)[: len(images)] for o in self._outputs]

    def run_again(self) -> None:
        """The bare network on what it was fed last: what a benchmark compares a stage with. Not counted in `runs`."""
        self._interpreter.invoke()

    def _check_numbers(self) -> None:
        """What the card says of integers must be what the file has; a card that says nothing is not asked."""
        stated = self.card.quantisation
        if stated is None:
            return
        sides = (("input", stated.input, self._input), ("output", stated.output, self._outputs[0]))
        for what, numbers, details in sides:
            step, zero = details["quantization"]
            found = np.dtype(details["dtype"]).name
            if (found, zero) != (numbers.type, numbers.zero_point) or not np.isclose(step, numbers.scale, rtol=1e-4):
                raise ModelError(
                    f"{self.path}: its {what} is {found}, scale {step:.6g}, zero point {zero}, but its card says "
                    f"{numbers.type}, {numbers.scale:.6g}, {numbers.zero_point}: the card belongs to another file"
                )

    def _check_shapes(self) -> None:
        found = tuple(int(n) for n in self._input["shape"])
        if found != self.card.input.shape:
            raise ModelError(f"{self.path}: input shape is {found}, but its card says {self.card.input.shape}")
        outputs = sorted([int(n) for n in o["shape"]] for o in self._outputs)
        if outputs != sorted(self.card.outputs):
            raise ModelError(f"{self.path}: output shapes are {outputs}, but its card says {sorted(self.card.outputs)}")


def to_tensor(image: Image, spec: InputSpec) -> Tensor:
    """(h, w, 3) BGR picture -> (h, w, c) normalised as the card says. The one normalisation there is."""
    if spec.channels == "grey":
        tensor: Tensor = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None].astype(np.float32)
    elif spec.channels == "rgb":
        # Seven times as fast as converting a view with reversed strides.
        tensor = cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.float32)
    else:
        tensor = image.astype(np.float32)
    if spec.per_picture:
        tensor -= tensor.mean()
        # The lower bound keeps an even picture finite: tf.image.per_image_standardization.
        tensor /= np.float32(max(float(tensor.std()), 1.0 / float(np.sqrt(tensor.size))))
    else:
        tensor -= np.float32(spec.mean)
        tensor *= np.float32(1.0 / spec.scale)
    return tensor


def _quantise(values: Tensor, details: dict[str, Any]) -> NDArray[Any]:
    kind = details["dtype"]
    if np.issubdtype(kind, np.floating):
        floats: NDArray[Any] = values.astype(kind, copy=False)
        return floats
    scale, zero = details["quantization"]
    limits = np.iinfo(kind)
    quantised: NDArray[Any] = np.clip(np.round(values / scale) + zero, limits.min, limits.max).astype(kind)
    return quantised


def _dequantise(values: NDArray[Any], details: dict[str, Any]) -> Tensor:
    if np.issubdtype(values.dtype, np.floating):
        return np.asarray(values, np.float32)
    scale, zero = details["quantization"]
    restored: Tensor = ((values.astype(np.float32) - zero) * scale).astype(np.float32)
    return restored
