"""The only door to LiteRT or tflite-runtime."""

import importlib
import logging
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import ModelError
from edge.models import card as cards
from edge.models import edgetpu
from edge.models.card import Card, InputSpec
from edge.models.edgetpu import EdgeTpu
from edge.models.quiet import quiet_libraries
from edge.records import Image

log = logging.getLogger("whosthere.tflite")

Tensor = NDArray[np.float32]

TFLITE_RUNTIME = "tflite-runtime"
RUNTIMES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", TFLITE_RUNTIME),
)


class Runtime(NamedTuple):
    """An installed TFLite interpreter."""

    module: ModuleType
    package: str
    version: str


def find_runtime() -> Runtime:
    """Return LiteRT if it is installed, otherwise tflite-runtime. Raises ModelError when neither is."""
    for module, package in RUNTIMES:
        try:
            return Runtime(importlib.import_module(module), package, metadata.version(package))
        except ImportError:
            continue
    raise ModelError(
        "no TFLite runtime is installed: pip install 'whosthere[litert]' (or [tflite-runtime] on 32-bit boxes)"
    )


def open_interpreter(
    content: bytes,
    name: str | Path,
    *,
    threads: int | None = None,
    xnnpack: bool = True,
    keep_tensors: bool = False,
    delegate: object | None = None,
) -> Any:
    """Return the runtime's interpreter for a .tflite file, its tensors allocated.

    `name` is what errors call the file. `threads`: None leaves the number to the runtime. `xnnpack`: use the CPU's fast
    kernels. `keep_tensors`: inner tensors can be read after `invoke` (needs `xnnpack=False`, which would fuse them).
    `delegate`: an accelerator to run on. Raises ModelError when no runtime is installed or it refuses the file.
    """
    runtime = find_runtime()
    options: dict[str, Any] = {} if threads is None else {"num_threads": threads}
    if not xnnpack:
        options["experimental_op_resolver_type"] = runtime.module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    if keep_tensors:
        options["experimental_preserve_all_tensors"] = True
    if delegate is not None:
        options["experimental_delegates"] = [delegate]
    try:
        with quiet_libraries():
            interpreter = runtime.module.Interpreter(model_content=content, **options)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{name}: {runtime.package} {runtime.version} cannot load it: {error}") from error
    return interpreter


def quantise(values: Tensor, details: dict[str, Any]) -> NDArray[Any]:
    """Convert floats to what a tensor holds: its own float type, or integers of its scale and zero point, clipped.

    `details` is the tensor's entry in the interpreter's `get_..._details()`.
    """
    kind = details["dtype"]
    if np.issubdtype(kind, np.floating):
        floats: NDArray[Any] = values.astype(kind, copy=False)
        return floats
    scale, zero = details["quantization"]
    limits = np.iinfo(kind)
    quantised: NDArray[Any] = np.clip(np.round(values / scale) + zero, limits.min, limits.max).astype(kind)
    return quantised


def dequantise(values: NDArray[Any], details: dict[str, Any]) -> Tensor:
    """Convert what a tensor holds to float32; the inverse of `quantise`, up to half a step."""
    if np.issubdtype(values.dtype, np.floating):
        return np.asarray(values, np.float32)
    scale, zero = details["quantization"]
    restored: Tensor = ((values.astype(np.float32) - zero) * scale).astype(np.float32)
    return restored


class Engine:
    """One network on one device: the CPU or an Edge TPU."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = self._interpreter.get_output_details()
        self.int8 = any(tensor["dtype"] is np.int8 for tensor in self._interpreter.get_tensor_details())
        """Whether any of its tensors is int8."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self._input["shape"])

    def run(self, batch: Tensor) -> list[Tensor]:
        """Return the outputs as float32. Raises RuntimeError when the device fails."""
        self._interpreter.set_tensor(self._input["index"], quantise(batch, self._input))
        self._interpreter.invoke()
        return [dequantise(self._interpreter.get_tensor(o["index"]), o) for o in self._outputs]

    def run_again(self) -> None:
        self._interpreter.invoke()

    def check(self, path: Path, card: Card) -> None:
        """Raises ModelError when the network differs from its card."""
        self._check_shapes(path, card)
        self._check_numbers(path, card)

    def _check_numbers(self, path: Path, card: Card) -> None:
        """Compare the card's quantisation with the file's, if the card states one."""
        stated = card.quantisation
        if stated is None:
            return
        sides = (("input", stated.input, self._input), ("output", stated.output, self._outputs[0]))
        for what, numbers, details in sides:
            step, zero = details["quantization"]
            found = np.dtype(details["dtype"]).name
            if (found, zero) != (numbers.type, numbers.zero_point) or not np.isclose(step, numbers.scale, rtol=1e-4):
                raise ModelError(
                    f"{path}: its {what} is {found}, scale {step:.6g}, zero point {zero}, but its card says "
                    f"{numbers.type}, {numbers.scale:.6g}, {numbers.zero_point}: the card belongs to another file"
                )

    def _check_shapes(self, path: Path, card: Card) -> None:
        found = self.input_shape
        if found != card.input.shape:
            raise ModelError(f"{path}: input shape is {found}, but its card says {card.input.shape}")
        outputs = sorted([int(n) for n in o["shape"]] for o in self._outputs)
        if outputs != sorted(card.outputs):
            raise ModelError(f"{path}: output shapes are {outputs}, but its card says {sorted(card.outputs)}")


class Model:
    """One network, loaded and checked against its card. Not thread-safe: one thread owns it."""

    def __init__(
        self,
        card_path: Path,
        task: str,
        threads: int = 1,
        *,
        xnnpack: bool = True,
        edge_tpu: EdgeTpu | None = None,
        int8: bool = False,
    ) -> None:
        """Load the model of a card.

        `xnnpack`: use the CPU's fast kernels. `edge_tpu`: the device for a network whose card names a compiled file;
        while there is none, the CPU takes over. `int8`: run the file that the card names under `int8`. Raises
        ModelError when file and card differ, the runtime refuses the file, or a required Edge TPU is unusable.
        """
        model_file = cards.load(card_path, task, int8=int8)
        self.card: Card = model_file.card
        self.path = model_file.path
        self.runs = 0
        """How often the network was invoked."""
        if edgetpu.is_compiled(model_file.content):
            raise ModelError(
                f"{self.path}: is compiled for the Edge TPU, so no CPU can run it: in {card_path.name}, name the file "
                "it was made from under `file`, and this one under `edgetpu`"
            )
        self._cpu = Engine(open_interpreter(model_file.content, self.path, threads=threads, xnnpack=xnnpack))
        self._cpu.check(self.path, self.card)
        # Kept, because fresh pages cost more than what is written to them.
        self._batch = np.zeros(self.card.input.shape, np.float32)
        self._edge_tpu = edge_tpu
        self._compiled = model_file.compiled
        self._losses = 0
        self._fast = self._on_edge_tpu()

    @property
    def runs_on(self) -> Literal["cpu", "edgetpu"]:
        """The device that runs the next invocation."""
        return "edgetpu" if self._fast is not None else "cpu"

    @property
    def slow_runtime(self) -> str | None:
        """The runtime, if it has no fast kernels for this network's numbers; None: it has."""
        runtime = find_runtime()
        slow = self._cpu.int8 and self.runs_on == "cpu" and runtime.package == TFLITE_RUNTIME
        return f"{runtime.package} {runtime.version}" if slow else None

    @property
    def for_edge_tpu(self) -> bool:
        """Whether its card names a file that an Edge TPU can run."""
        return self._compiled is not None

    @property
    def compile_it(self) -> str:
        """How to make a file that an Edge TPU can run."""
        return (
            f"if it is an int8 network, `edgetpu_compiler {self.path.name}` on a desktop turns it into "
            f"{self.path.stem}_edgetpu.tflite; name that file under `edgetpu` in its card"
        )

    def run(self, images: Sequence[Image]) -> list[Tensor]:
        """Run the network on pictures of its input's size, at most as many as its batch; return dequantised outputs.

        Each output keeps its batch dimension, cut to the number of pictures. Raises ValueError for more or other sizes.
        """
        batch = self._batch
        for row, image in zip(batch[: len(images)], images, strict=True):
            to_tensor(image, self.card.input, row)
        batch[len(images) :] = 0
        outputs = self._run(batch)
        self.runs += 1
        return [output[: len(images)] for output in outputs]

    def run_again(self) -> None:
        """Invoke the bare network on its last input, to compare a stage with. Not counted in `runs`."""
        (self._fast or self._cpu).run_again()

    def _run(self, batch: Tensor) -> list[Tensor]:
        """Run on the Edge TPU if there is one now, otherwise on the CPU: no picture is lost with the device."""
        if self._edge_tpu is not None and self._compiled is not None:
            if self._fast is None or self._losses != self._edge_tpu.losses:
                # Drop its interpreter first: it keeps the delegate alive.
                self._fast = None
                self._fast = self._on_edge_tpu()
            if self._fast is not None:
                try:
                    return self._fast.run(batch)
                except RuntimeError as error:
                    self._fast = None
                    self._edge_tpu.lost(str(error))
        return self._cpu.run(batch)

    def _on_edge_tpu(self) -> Engine | None:
        if self._edge_tpu is None or self._compiled is None or self.card.edgetpu is None:
            return None
        path = self.path.with_name(self.card.edgetpu.file)
        if not edgetpu.is_compiled(self._compiled):
            raise ModelError(f"{path}: is not compiled for the Edge TPU: {self.compile_it}")
        delegate = self._edge_tpu.delegate(find_runtime().module.load_delegate)
        if delegate is None:
            return None
        self._losses = self._edge_tpu.losses
        try:
            engine = Engine(open_interpreter(self._compiled, path, delegate=delegate))
        except ModelError as error:
            self._edge_tpu.lost(str(error))
            return None
        engine.check(path, self.card)
        return engine


def to_tensor(image: Image, spec: InputSpec, out: Tensor | None = None) -> Tensor:
    """Convert a BGR picture (h, w, 3) to (h, w, c), normalised as the card says. The only normalisation there is.

    `out` is an array (h, w, c) to write it to. Raises ValueError when the picture has another size.
    """
    channels = 1 if spec.channels == "grey" else 3
    tensor = np.empty((*image.shape[:2], channels), np.float32) if out is None else out
    if tensor.shape != (*image.shape[:2], channels):
        raise ValueError(f"a picture of {image.shape} does not fit a tensor of {tensor.shape}")
    if spec.channels == "grey":
        pixels = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None]
    elif spec.channels == "rgb":
        # Seven times as fast as converting a view with reversed strides.
        pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    else:
        pixels = image
    if spec.per_picture:
        tensor[...] = pixels
        tensor -= tensor.mean()
        # The lower bound keeps an even picture finite: tf.image.per_image_standardization.
        tensor /= np.float32(max(float(tensor.std()), 1.0 / float(np.sqrt(tensor.size))))
    else:
        np.subtract(pixels, np.float32(spec.mean), out=tensor)
        tensor *= np.float32(1.0 / spec.scale)
    return tensor
