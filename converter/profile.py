"""Size, work and speed of models, on this machine or on a box."""

import json
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from converter import timing
from converter.graph import Graph
from converter.passes.mixed_precision import multiplications
from converter.ssh import last_line, ssh_command
from edge.errors import WhosthereError
from edge.models import card as cards
from edge.models.tflite import open_interpreter

SSH_TIMEOUT_S = 600


class Profile(msgspec.Struct, frozen=True):
    """One model."""

    name: str
    bytes: int
    multiplications: int
    """Multiply-adds of its convolutions, for one picture."""
    nodes: int
    """How many parts of the network XNNPACK runs; one is best."""
    left_out: list[str]
    """Operators that are left to slow reference kernels."""
    memory_mb: float
    ms: dict[str, float]
    """Threads -> median milliseconds."""
    fastest_ms: dict[str, float]
    """Threads -> the shortest time, which other programs disturb least."""
    relative: dict[str, float]
    """Threads -> median over the first model's, of runs right after each other."""


class Profiles(msgspec.Struct, frozen=True):
    """Models, measured in turns."""

    machine: str
    models: list[Profile]


def read(paths: Sequence[Path]) -> dict[str, bytes]:
    """Name -> bytes, checked against their cards. Raises ModelError."""
    found: dict[str, bytes] = {}
    for path in paths:
        card = cards.read_card(path)
        name = card.name if card.name not in found else str(path)
        found[name] = cards.load(path, card.task).content
    return found


def profile(models: dict[str, bytes], threads: Sequence[int], runs: int, host: str | None, python: str) -> Profiles:
    """Raises ModelError for what cannot be loaded, WhosthereError when the box does not answer."""
    measured = on_box(models, threads, runs, host, python) if host else timing.measure(models, list(threads), runs)
    described = {name: describe(content, name) for name, content in models.items()}
    first = next(iter(measured["models"].values()))["ms"]
    rows = []
    for name, (nodes, left_out, count) in described.items():
        seen = measured["models"][name]
        rows.append(
            Profile(
                name=name,
                bytes=len(models[name]),
                multiplications=count,
                nodes=nodes,
                left_out=left_out,
                memory_mb=seen["memory_mb"],
                ms={t: float(np.median(v)) for t, v in seen["ms"].items()},
                fastest_ms={t: float(min(v)) for t, v in seen["ms"].items()},
                relative={t: float(np.median(np.array(v) / np.array(first[t]))) for t, v in seen["ms"].items()},
            )
        )
    return Profiles(measured["machine"], rows)


def on_box(models: dict[str, bytes], threads: Sequence[int], runs: int, host: str, python: str) -> dict[str, Any]:
    """The same measurement over SSH: program and models go through the connection, nothing is left on the box."""
    source = Path(timing.__file__).read_text(encoding="utf-8")
    head = {"models": [(name, len(content)) for name, content in models.items()], "threads": threads, "runs": runs}
    sent = json.dumps(head).encode() + b"\n" + b"".join(models.values())
    command = ssh_command(host, [f"{python} -c {shlex.quote(source)}"])
    try:
        done = subprocess.run(command, input=sent, capture_output=True, timeout=SSH_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WhosthereError(f"{host}: ssh failed: {error}") from error
    if done.returncode:
        raise WhosthereError(
            f"{host}: `{python}` ended with {done.returncode}: {last_line(done.stderr) or 'nothing was said'}; "
            "--python names a Python that has a TFLite runtime, as /opt/whosthere/bin/python"
        )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        raise WhosthereError(f"{host}: the answer is not JSON: {done.stdout[:80]!r}") from error
    return answer


def describe(content: bytes, name: str) -> tuple[int, list[str], int]:
    """(delegate's pieces, operators left out, multiply-adds). Raises ModelError when the runtime refuses it."""
    graph = Graph(content, name)
    work = sum(multiplications(graph, operator) for operator in graph.operators)
    operators = open_interpreter(content, name)._get_ops_details()
    pieces = [o for o in operators if o["op_name"] == "DELEGATE"]
    plain = [o for o in operators if o["op_name"] != "DELEGATE"]
    taken = {i for piece in pieces for i in _inside(piece, plain)}
    # Widening constants happens once, when the model is loaded.
    left = [o["op_name"] for o in plain if o["index"] not in taken and not _constant(o, plain)]
    return len(pieces), sorted(left), work


def _inside(piece: dict[str, Any], plain: list[dict[str, Any]]) -> set[int]:
    """Which operators a piece replaces: those between its inputs and its outputs."""
    producer = {int(t): o for o in plain for t in o["outputs"]}
    given = {int(i) for i in piece["inputs"]}
    open_tensors, inside = [int(t) for t in piece["outputs"]], set()
    while open_tensors:
        operator = producer.get(open_tensors.pop())
        if operator is not None and operator["index"] not in inside:
            inside.add(operator["index"])
            open_tensors += [int(i) for i in operator["inputs"] if int(i) not in given]
    return inside


def _constant(operator: dict[str, Any], plain: list[dict[str, Any]]) -> bool:
    computed = {int(t) for o in plain if o["op_name"] != "DEQUANTIZE" for t in o["outputs"]}
    return operator["op_name"] == "DEQUANTIZE" and not {int(i) for i in operator["inputs"]} & computed
