"""Run inside the environment for PyTorch: exports a network to ONNX, and runs it. Nothing else of whosthere is there.

`python -I torch_worker.py REQUEST` reads a request (JSON) and writes its result to the file that the request names.
"""

import importlib.util
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Before PyTorch is imported: its own loaders fall back to pickles that run code otherwise.
os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)

import numpy as np
import torch

OPSET = 17
FORBIDDEN = (
    "pickle.find_class",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "subprocess.",
    "socket.",
)
"""What no file may cause while it is loaded."""
WRAPPED = ("state_dict", "model_state_dict", "model", "net")
PARALLEL = "module."
"""What DataParallel puts before every name."""
NAME = "output_"


class TorchRefused(Exception):
    """The network is not one that can be imported; the text says why."""


class LoadingGuard:
    """Notices code that runs while a file is loaded. Python's audit hooks cannot be taken out again by that code."""

    def __init__(self) -> None:
        self._loading = False
        sys.addaudithook(self._audit)

    def _audit(self, event: str, _: tuple[Any, ...]) -> None:
        if self._loading and event.startswith(FORBIDDEN):
            raise TorchRefused(f"loading it would run code ({event}); nothing was run")

    @contextmanager
    def loading(self) -> Iterator[None]:
        """While the block runs, nothing is started, and nobody is connected to."""
        self._loading = True
        try:
            yield
        finally:
            self._loading = False


class LoadedNetwork:
    """A network of a file: pictures (1, channels, side, side) -> one tensor, or several."""

    def __init__(self, request: dict[str, Any], guard: LoadingGuard) -> None:
        """Raises TorchRefused."""
        path, kind = request["model"], request["kind"]
        self.program: Any = None
        side, channels = request["side"], request["channels"]
        try:
            if kind == "torchscript":
                with guard.loading():
                    module = torch.jit.load(path, map_location="cpu")
                self.module: Any = module.float().eval()
            elif kind == "exported program":
                with guard.loading():
                    self.program = torch.export.load(path)
                self.module = self.program.module()
                side, channels = _taken(self.program, side)
            else:
                self.module = _built(request["build"], path, guard)
        except TorchRefused:
            raise
        except Exception as error:
            # PyTorch raises whatever a damaged file leads it to.
            raise TorchRefused(f"PyTorch {torch.__version__} cannot load it: {_first_line(error)}") from error
        if side is None:
            raise TorchRefused("the file does not say how large its pictures are: give --size, in pixels")
        self.side, self.channels = int(side), int(channels)
        self.outputs = len(self(np.zeros((1, self.channels, self.side, self.side), np.float32)))

    def __call__(self, picture: Any) -> list[Any]:
        """Everything that it gives for one picture (1, channels, side, side). Raises TorchRefused."""
        kind = next((p.dtype for p in self.module.parameters() if p.is_floating_point()), torch.float32)
        try:
            with torch.no_grad():
                given = self.module(torch.from_numpy(picture).to(kind))
        except Exception as error:
            shape = " x ".join(map(str, picture.shape[1:]))
            raise TorchRefused(f"it does not run on a picture of {shape}: {_first_line(error)}") from error
        results = list(given) if isinstance(given, tuple | list) else [given]
        if not all(isinstance(result, torch.Tensor) for result in results):
            raise TorchRefused(f"it gives {type(given).__name__}; allowed: one tensor, or a tuple of them")
        return results

    def chosen(self, wanted: str | None) -> int:
        """Which output is the embedding. Raises TorchRefused."""
        names = [f"{NAME}{number}" for number in range(self.outputs)]
        if wanted is None and self.outputs == 1:
            return 0
        if wanted not in names:
            found = f"found {wanted!r}" if wanted else f"{self.outputs} outputs found, and nothing says which to take"
            raise TorchRefused(f"--output-name: {found}; allowed: {', '.join(names)}")
        return names.index(wanted)


def export(request: dict[str, Any]) -> dict[str, Any]:
    """Write the network as ONNX to `request["onnx"]`."""
    network = LoadedNetwork(request, GUARD)
    chosen = network.chosen(request["output"])
    names = [f"{NAME}{number}" for number in range(network.outputs)]
    picture = torch.zeros(1, network.channels, network.side, network.side)
    options: dict[str, Any] = {"input_names": ["picture"], "output_names": names}
    if network.program is None:
        options |= {"dynamo": False, "opset_version": OPSET}
    else:
        options |= {"dynamo": True, "external_data": False, "verbose": False}
    try:
        torch.onnx.export(network.program or network.module, (picture,), request["onnx"], **options)
    except Exception as error:
        # The exporters raise whatever their many parts do.
        raise TorchRefused(f"PyTorch cannot export it to ONNX: {type(error).__name__}: {_first_line(error)}") from error
    return {"side": network.side, "channels": network.channels, "output": names[chosen]}


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run the network as it was published on inputs (n, side, side, channels), one by one; vectors (n, numbers)."""
    network = LoadedNetwork(request, GUARD)
    chosen = network.chosen(request["output"])
    inputs = np.load(request["inputs"], allow_pickle=False).astype(np.float32).transpose(0, 3, 1, 2)
    pictures = np.ascontiguousarray(inputs)[:, None]
    np.save(request["vectors"], np.stack([network(one)[chosen].float().numpy().reshape(-1) for one in pictures]))
    return {}


def _taken(program: Any, told: int | None) -> tuple[int | None, int]:
    """(side, channels) of an exported program's only input. Raises TorchRefused."""
    names = program.graph_signature.user_inputs
    shapes = [tuple(n.meta["val"].shape) for n in program.graph.nodes if n.op == "placeholder" and n.name in names]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise TorchRefused(f"its inputs are {shapes}; allowed: one, (batch, channels, side, side)")
    batch, channels, height, width = (n if isinstance(n, int) else None for n in shapes[0])
    if batch not in {None, 1}:
        raise TorchRefused(f"its batch is fixed at {batch}: export it again with a batch of 1, or a dynamic one")
    if channels not in {1, 3} or (height or told) != (width or told) or told not in {None, height or told}:
        raise TorchRefused(
            f"its input is {shapes[0]}; allowed: one square picture of 1 or 3 channels, of --size if given"
        )
    return height or told, channels


def _built(file: str | None, path: str, guard: LoadingGuard) -> Any:
    """The user's own network with the weights of the file. Raises TorchRefused."""
    if file is None:
        raise TorchRefused(
            "holds weights only: give --build, a Python file whose build() returns the network they belong to"
        )
    with guard.loading():
        weights = _weights(torch.load(path, map_location="cpu", weights_only=True))
    network = _called(Path(file))
    if not isinstance(network, torch.nn.Module):
        raise TorchRefused(f"--build: build() of {file} returned {type(network).__name__}; allowed: a torch.nn.Module")
    own = network.state_dict()
    missing, unknown = sorted(set(own) - set(weights)), sorted(set(weights) - set(own))
    if missing or unknown:
        listed = f"{len(missing)} of its names are missing{_some(missing)}, {len(unknown)} are unknown{_some(unknown)}"
        raise TorchRefused(
            f"--build: the weights do not belong to the network that build() of {file} returns: {listed}"
        )
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise TorchRefused(
            f"--build: the weights do not fit: {lines[1].strip() if len(lines) > 1 else lines[0]}"
        ) from error
    return network.float().eval()


def _weights(found: Any) -> dict[str, Any]:
    """Name -> tensor, unwrapped from what training loops put around it. Raises TorchRefused."""
    for key in WRAPPED:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found or not all(isinstance(v, torch.Tensor) for v in found.values()):
        held = f"a dictionary with {', '.join(map(str, list(found)[:6]))}" if isinstance(found, dict) else type(found)
        raise TorchRefused(f"holds {held}; allowed: a state_dict, name -> tensor")
    return {str(name).removeprefix(PARALLEL): tensor for name, tensor in found.items()}


def _called(file: Path) -> Any:
    """What build() of the user's own file returns; it is the user's code, and runs. Raises TorchRefused."""
    spec = importlib.util.spec_from_file_location("network_of_the_user", file)
    if spec is None or spec.loader is None:
        raise TorchRefused(f"--build: {file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
        return module.build()
    except Exception as error:
        # It is somebody's own code: whatever it raises is its message.
        raise TorchRefused(f"--build: {file}: {type(error).__name__}: {error}") from error


def _some(names: list[str]) -> str:
    return f" ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})" if names else ""


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


GUARD = LoadingGuard()
TASKS = {"export": export, "run": run}


def main(path: Path) -> None:
    """Do what the request says."""
    warnings.simplefilter("ignore")
    request = json.loads(path.read_text(encoding="utf-8"))
    try:
        result = TASKS[request["task"]](request)
    except TorchRefused as error:
        result = {"refused": str(error)}
    Path(request["result"]).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
