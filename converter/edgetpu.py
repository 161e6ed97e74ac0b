"""Coral's compiler, where it is installed."""

import shutil
import subprocess
from pathlib import Path

COMPILER = "edgetpu_compiler"
HOW = (
    f"{COMPILER} is not on the PATH: for a Coral, install it from Coral's apt repository (x86-64 Debian; "
    "coral.ai/docs/edgetpu/compiler) and run it on"
)
TIMEOUT_S = 300


def compile_model(path: Path) -> str:
    """Compile a model for the Edge TPU, and return what the compiler says, or how to get it."""
    found = shutil.which(COMPILER)
    if found is None:
        return f"{HOW} {path}"
    command = [found, "--show_operations", "--out_dir", str(path.parent), str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{COMPILER} did not work on {path}: {error}"
    return f"{COMPILER} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
