"""What PyTorch saved, told apart and searched for code before PyTorch itself sees the file.

A pickle can run code. TorchScript is read by an interpreter of its own, which cannot run Python but can write files;
an exported program (`.pt2`) holds shapes as formulas, which PyTorch evaluates. So this reads each part as data first.
"""

import json
import pickle
import re
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import IO, Literal

from edge.errors import ModelError

TorchKind = Literal["torchscript", "exported program", "weights"]
SUFFIXES = (".pt", ".pth", ".pt2", ".ptl", ".ckpt", ".bin", ".pth.tar", ".pt.tar")
"""The last two are no archives: PyTorch's own examples call a checkpoint `checkpoint.pth.tar`."""
TENSORS = re.compile(r"_rebuild_(?:tensor|tensor_v2|tensor_v3|parameter|parameter_with_state)|\w+Storage|Size")
DTYPES = re.compile(r"(?:b?float|u?int|complex)\d+|bool|half|double|long|short|device")
ALLOWED = frozenset({("torch.nn.parameter", "Parameter"), ("torch.serialization", "_get_layout")})
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
SAVE_AS = "Save its state_dict() and give --build, or save it as TorchScript or with torch.export"
WRITES = re.compile(r"\b(?:save|from_file|load)\(|\bops\.(?!prim\b|aten\b)\w+")
"""TorchScript that touches files, or calls operators of other libraries."""
FUNCTIONS = "Add|Mul|Pow|Max|Min|(?:Python)?Mod|(?:Floor|Clean|Ceil|IntTrue)Div|Integer|True|False|(?:int_)?oo"
FORMULA = re.compile(
    # Symbol('s77', positive=True, integer=True): as sympy writes a symbol out.
    rf"(?:[\s\d+\-*/%(),<>=]|Symbol\('[a-z]\d+'|\b(?:[a-z]\d+|positive|nonnegative|integer|{FUNCTIONS})\b)*"
)
"""The shapes of an exported program: symbols such as `s0`, numbers, and PyTorch's own functions of integers."""
MAX_JSON = 200_000_000


def kind_of(path: Path) -> TorchKind:
    """What kind of file it is, by its content. Raises ModelError when it is none of PyTorch's, or holds code."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return _searched(archive, path)
        with path.open("rb") as file:
            _legacy(file, path)
    except (OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error
    return "weights"


def _searched(archive: zipfile.ZipFile, path: Path) -> TorchKind:
    names = archive.namelist()
    if any(re.search(r"(^|/)code/.+\.py$", name) for name in names):
        _search_torchscript(archive, names, path)
        return "torchscript"
    programs = [n for n in names if re.search(r"(^|/)(models/[^/]+|serialized_exported_program)\.json$", n)]
    if programs:
        _search_program(archive, names, programs, path)
        return "exported program"
    pickles = [name for name in names if name.endswith("data.pkl")]
    if not pickles:
        raise ModelError(f"{path}: a ZIP file, but none that PyTorch wrote; allowed: .onnx, .pt2, TorchScript, weights")
    _search_pickles(archive, names, path)
    return "weights"


def _search_torchscript(archive: zipfile.ZipFile, names: list[str], path: Path) -> None:
    for name in names:
        if name.endswith(".py"):
            text = archive.read(name).decode("utf-8", "replace")
            if found := WRITES.search(text):
                raise ModelError(
                    f"{path}: its TorchScript calls {found[0].rstrip('(')!r} in {name}: a network that reads or writes "
                    "files, or needs other libraries, is not loaded"
                )


def _search_program(archive: zipfile.ZipFile, names: list[str], programs: list[str], path: Path) -> None:
    for name in programs:
        if archive.getinfo(name).file_size > MAX_JSON:
            raise ModelError(f"{path}: {name} has more than {MAX_JSON // 10**6} MB, which no embedder needs")
        try:
            program = json.loads(archive.read(name))
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{path}: {name} is damaged: {error}") from error
        for formula in _formulas(program):
            if not isinstance(formula, str) or not FORMULA.fullmatch(formula):
                raise ModelError(
                    f"{path}: a shape in {name} is {str(formula)[:60]!r}, which PyTorch would evaluate as Python; "
                    "allowed: numbers, symbols such as s0 and operators"
                )
    if custom := [name for name in names if "custom_obj" in name]:
        raise ModelError(f"{path}: holds objects of other libraries ({custom[0]}), which are not loaded")
    _search_pickles(archive, names, path)


def _formulas(node: object) -> list[object]:
    """The values of every `expr_str`, at any depth."""
    found: list[object] = []
    waiting = [node]
    while waiting:
        match waiting.pop():
            case dict(fields):
                found += [value for key, value in fields.items() if key == "expr_str"]
                waiting += fields.values()
            case list(values):
                waiting += values
    return found


def _search_pickles(archive: zipfile.ZipFile, names: list[str], path: Path, depth: int = 0) -> None:
    """Every pickle in a ZIP file, and in ZIP files within it."""
    for name in names:
        with archive.open(name) as file:
            head = file.read(4)
        with archive.open(name) as file:
            if head == b"PK\x03\x04" and depth < 2:
                with zipfile.ZipFile(file) as inner:
                    _search_pickles(inner, inner.namelist(), path, depth + 1)
            elif name.endswith(".pkl"):
                read_as_data(file, path)
            elif name.endswith((".pt", ".pth")):
                _legacy(file, path)


def _legacy(file: IO[bytes], path: Path) -> None:
    """A file as PyTorch before 1.6 wrote it: five pickles, of which the fourth holds the weights, then numbers."""
    if read_as_data(file, path) != LEGACY_MAGIC:
        raise ModelError(f"{path}: not a file of PyTorch, or damaged; allowed: .onnx, .pt2, TorchScript, weights")
    for _ in range(4):
        read_as_data(file, path)


def read_as_data(file: IO[bytes], path: Path) -> object:
    """A pickle, in which nothing is called but what makes tensors, and that by stand-ins. Raises ModelError."""
    try:
        return _WeightsOnly(file).load()
    except pickle.UnpicklingError as error:
        raise ModelError(f"{path}: {error}") from error
    except Exception as error:
        # The pickle module raises whatever a damaged file leads it to.
        raise ModelError(f"{path}: not a file of PyTorch, or a damaged one; download it again") from error


class _StandIn:
    """In place of a tensor, its storage or its type."""

    def __init__(self, *_: object) -> None:
        """Anything goes."""

    def __setstate__(self, _: object) -> None:
        """Nothing is kept."""


class _WeightsOnly(pickle.Unpickler):
    """Reads weights as data, and refuses everything else that would be called."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) in ALLOWED or (module == "torch" and DTYPES.fullmatch(name)):
            return _StandIn
        if module in {"torch", "torch._utils", "torch.storage"} and TENSORS.fullmatch(name):
            return _StandIn
        raise pickle.UnpicklingError(
            f"it would run {module}.{name}, as a pickle of a whole model does; nothing was loaded. {SAVE_AS}"
        )

    def persistent_load(self, _: object) -> object:
        return _StandIn()
