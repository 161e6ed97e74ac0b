"""A network as it was published: turned into float TFLite by the tools of its framework, and run by them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from converter.graph import Values
from converter.importing import environment, torch_files
from converter.importing.layout import flatten_channels_last, reconnect
from converter.importing.worker import Worker
from edge.errors import ModelError, UsageError
from edge.terminal import echo

SUFFIXES = (".onnx", *torch_files.SUFFIXES)


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What the user says about a file that does not say it."""

    side: int | None = None
    """The side of its pictures, px."""
    output: str | None = None
    """Which of several outputs is the embedding, or what `cut` goes by."""
    channels: int = 3
    build: Path | None = None
    """A Python file whose build() returns the network that a file of weights belongs to."""
    mean: tuple[float, ...] | None = None
    """Per channel, of pixels 0..255: becomes a part of the network, together with `std`."""
    std: tuple[float, ...] | None = None
    cut: str | None = None
    """The name of the value in the network that becomes the embedding; `softmax`: what the layer for labels is fed."""


class Original(Protocol):
    """A network that its own framework runs."""

    def vectors(self, inputs: Sequence[Values]) -> Values:
        """(n, numbers) for inputs (1, side, side, channels) of the result. Raises ModelError."""


@dataclass(frozen=True, slots=True)
class ImportedNetwork:
    """The result, and the original beside it."""

    content: bytes
    """Float TFLite, (1, side, side, channels) -> (1, numbers)."""
    made_by: str
    """The tools, with their versions."""
    original: Original
    half: bool
    """Whether the original computes in float16."""


class OnnxOriginal:
    """An .onnx file, run by onnxruntime."""

    def __init__(self, path: Path, request: ImportRequest, folder: Path) -> None:
        """`folder`: an empty one for temporary files. Makes the environment if there is none. Raises ModelError."""
        self._path, self._request, self._folder = path, request, folder
        self._worker = Worker(environment.python_of(environment.ONNX), "onnx_worker.py", folder, path)
        self._asked: dict[str, Any] = {"side": request.side, "output": request.output}

    def convert(self) -> ImportedNetwork:
        """Raises ModelError."""
        if self._request.cut is not None:
            self._cut(self._request.cut)
        chain = environment.ONNX
        told = {"mean": self._request.mean, "std": self._request.std, "folder": self._folder}
        found = self._worker.ask("convert", **self._asked, **told)
        content = reconnect(Path(found["network"]).read_bytes(), str(self._path))
        content = flatten_channels_last(content, str(self._path))
        return ImportedNetwork(content, f"onnx2tf {chain.versions['onnx2tf']}", self, bool(found["half"]))

    def vectors(self, inputs: Sequence[Values]) -> Values:
        return _run(self._worker, self._folder, self._request, inputs, self._asked)

    def _cut(self, where: str) -> None:
        """From now on the original is what the file holds up to there."""
        output = self._worker.ask("inspect", **self._asked)["output"]
        short = self._folder / "cut.onnx"
        cutter = Worker(environment.python_of(environment.ONNX), "onnx_cut.py", self._folder, self._path)
        at = cutter.ask("cut", where=where, output=output, cut=short)["at"]
        echo(f"{self._path.name}: cut at {at!r}, whose value becomes the embedding", err=True)
        self._asked |= {"model": str(short), "output": None}


class TorchOriginal:
    """A file of PyTorch, run by PyTorch, and converted by way of ONNX."""

    def __init__(self, path: Path, request: ImportRequest, folder: Path) -> None:
        """Search the file for code, and only then let PyTorch read it. Raises ModelError, UsageError."""
        if request.cut is not None:
            raise UsageError(
                f"{path}: --cut is for Keras and ONNX; let build() return the network without the layers behind the "
                "embedding, or export it to ONNX"
            )
        kind = torch_files.kind_of(path)
        if kind == "weights" and request.build is None:
            raise UsageError(
                f"{path}: holds weights only: give --build, a Python file whose build() returns the network "
                "(a torch.nn.Module) that they belong to"
            )
        if kind != "weights" and request.build is not None:
            raise UsageError(f"{path}: --build is for files of weights; this one ({kind}) holds the network itself")
        if kind != "exported program" and request.side is None:
            raise UsageError(f"{path}: give --size, in pixels: the file does not say how large its pictures are")
        self._request, self._folder, self._path = request, folder, path
        self._worker = Worker(environment.python_of(environment.TORCH), "torch_worker.py", folder, path)
        build = str(request.build.resolve()) if request.build else None
        self._asked = {
            "kind": kind, "side": request.side, "channels": request.channels, "output": request.output, "build": build,
        }  # fmt: skip

    def convert(self) -> ImportedNetwork:
        """Raises ModelError."""
        exported = self._folder / f"{self._path.stem}.onnx"
        found = self._worker.ask("export", **self._asked, onnx=exported)
        request = ImportRequest(found["side"], found["output"], mean=self._request.mean, std=self._request.std)
        inner = self._folder / "onnx"
        inner.mkdir()
        made = OnnxOriginal(exported, request, inner).convert()
        torch = f"torch {environment.TORCH.versions['torch']}"
        return ImportedNetwork(made.content, f"{torch}, {made.made_by}", self, made.half)

    def vectors(self, inputs: Sequence[Values]) -> Values:
        return _run(self._worker, self._folder, self._request, inputs, self._asked)


def import_network(path: Path, request: ImportRequest, folder: Path) -> ImportedNetwork:
    """Convert an .onnx file or one of PyTorch. `folder` must live as long as the result.

    Raises ModelError, UsageError.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such file; allowed: .onnx, .pt2, TorchScript, or a file of weights")
    if path.suffix.lower() == ".onnx":
        if request.build is not None:
            raise UsageError(
                f"{path}: --build is for PyTorch's files of weights; an .onnx file holds the network itself"
            )
        original: OnnxOriginal | TorchOriginal = OnnxOriginal(path, request, folder)
    else:
        original = TorchOriginal(path, request, folder)
    echo(f"{path.name}: converting it with the tools of its framework", err=True)
    return original.convert()


def _run(
    worker: Worker, folder: Path, request: ImportRequest, inputs: Sequence[Values], asked: dict[str, Any]
) -> Values:
    given = np.concatenate(inputs)
    if request.mean is not None and request.std is not None:
        given = (given - np.array(request.mean, np.float32)) / np.array(request.std, np.float32)
    np.save(folder / "inputs.npy", given.astype(np.float32))
    worker.ask("run", **asked, inputs=folder / "inputs.npy", vectors=folder / "vectors.npy")
    vectors: Values = np.load(folder / "vectors.npy", allow_pickle=False)
    return vectors
