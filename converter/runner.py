"""Networks run bare, on inputs that are already normalised: for their vector, or for every tensor inside."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converter.graph import Values
from edge.models.tflite import Engine, dequantise, open_interpreter


class Runner:
    """An embedder, run on the CPU."""

    def __init__(self, content: bytes, name: str, threads: int = 1) -> None:
        """Raises ModelError when the runtime refuses the network."""
        interpreter = open_interpreter(content, name, threads=threads)
        self.input: dict[str, Any] = interpreter.get_input_details()[0]
        self.output: dict[str, Any] = interpreter.get_output_details()[0]
        self._engine = Engine(interpreter)

    def __call__(self, tensor: Values) -> Values:
        """(1, h, w, c) float -> (numbers,), of length one."""
        return unit(self._engine.run(tensor)[0])


class TensorProbe:
    """A network whose inner tensors can be read; slower, as no tensor is fused away."""

    def __init__(self, content: bytes, name: str = "model") -> None:
        """Raises ModelError when the runtime refuses the network."""
        self._interpreter = open_interpreter(content, name, xnnpack=False, keep_tensors=True)
        self._engine = Engine(self._interpreter)
        self.input_name: str = self._interpreter.get_input_details()[0]["name"]
        details = {d["index"]: d for d in self._interpreter.get_tensor_details()}
        written = (int(i) for operator in self._interpreter._get_ops_details() for i in operator["outputs"])
        self._watched = [details[i] for i in dict.fromkeys(written) if i in details and _is_real(details[i])]

    def run(self, tensor: Values) -> dict[str, Values]:
        """Return name -> values (float32) of every computed tensor for one input (1, h, w, c), as they are computed."""
        self._engine.run(tensor)
        return {d["name"]: dequantise(self._interpreter.get_tensor(d["index"]), d) for d in self._watched}


def vectors(content: bytes, name: str, faces: Sequence[Values]) -> Values:
    """(n, numbers), each of length one. Raises ModelError when the runtime refuses the network."""
    runner = Runner(content, name)
    return np.stack([runner(face) for face in faces])


def unit(values: Values) -> Values:
    """The values flat, scaled to length one."""
    flat: Values = values.reshape(-1)
    return flat / max(float(np.linalg.norm(flat)), 1e-12)


def _is_real(details: dict[str, Any]) -> bool:
    """Whether a tensor stands for real numbers: floats, or integers with a scale; shapes and indices have none."""
    return np.issubdtype(details["dtype"], np.floating) or details["quantization"][0] > 0
