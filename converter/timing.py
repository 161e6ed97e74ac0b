"""How long networks take on the machine that runs this file.

`profile --host` sends this one file to a box as text, so it imports nothing of whosthere, not even
`edge.models.tflite`: the Python there needs numpy and a TFLite runtime, and nothing else.
"""

import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

RUNTIMES = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def runtime() -> Any:
    """The interpreter's module. Raises ImportError when there is none."""
    for name in RUNTIMES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ImportError("neither ai-edge-litert nor tflite-runtime is installed for this Python")


def resident_mb() -> float:
    """The resident memory of this process; 0 where there is no /proc."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096 / 1e6
    except OSError:
        return 0.0


def load(content: bytes, threads: int) -> Any:
    """An interpreter, fed with noise."""
    runner = runtime().Interpreter(model_content=content, num_threads=threads)
    runner.allocate_tensors()
    for details in runner.get_input_details():
        noise = np.random.default_rng(0).uniform(-1, 1, details["shape"])
        if not np.issubdtype(details["dtype"], np.floating):
            noise = noise * min(127, np.iinfo(details["dtype"]).max)
        runner.set_tensor(details["index"], noise.astype(details["dtype"]))
    runner.invoke()
    return runner


def memory_mb(content: bytes) -> float:
    """The memory that one network needs, measured in a new process: memory freed by another network would hide it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        runtime()
        before = resident_mb()
        load(content, 1)
        os.write(writing, f"{resident_mb() - before:.1f}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return float(text or 0)


def measure(models: dict[str, bytes], threads: list[int], runs: int) -> dict[str, Any]:
    """{"machine", "models": {name: {"memory_mb", "ms": {threads: [milliseconds, ...]}}}}

    The models take turns, so that whatever else the machine does slows all of them alike.
    """
    found: dict[str, Any] = {name: {"memory_mb": memory_mb(content), "ms": {}} for name, content in models.items()}
    for count in threads:
        runners = {name: load(content, count) for name, content in models.items()}
        times: dict[str, list[float]] = {name: [] for name in models}
        for _ in range(runs):
            for name, runner in runners.items():
                start = time.perf_counter()
                runner.invoke()
                times[name].append(round((time.perf_counter() - start) * 1000, 4))
        for name, values in times.items():
            found[name]["ms"][str(count)] = values
    machine = f"{platform.machine()}, {runtime().__name__.split('.')[0]}, Python {platform.python_version()}"
    return {"machine": machine, "models": found}


def main() -> None:
    """Standard input: a line of JSON, then the models' bytes, one after the other. Standard output: JSON."""
    head = json.loads(sys.stdin.buffer.readline())
    models = {name: sys.stdin.buffer.read(size) for name, size in head["models"]}
    print(json.dumps(measure(models, head["threads"], head["runs"])))


if __name__ == "__main__":
    main()
