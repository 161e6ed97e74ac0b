"""Tasks for a script that runs in an environment of its own: a request and its result as JSON, arrays as .npy."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from edge.errors import ModelError

LOG = "log.txt"
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "SYSTEMROOT", "OPENBLAS_CORETYPE", "OMP_NUM_THREADS")
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONDONTWRITEBYTECODE": "1"}


class Worker:
    """A script of this package, run by another interpreter, once per task."""

    def __init__(self, python: Path, script: str, folder: Path, model: Path) -> None:
        """`folder`: where its files go; it is empty, and nobody else writes there. `model`: for messages."""
        self._python, self._script = python, Path(__file__).parent / script
        self._folder, self._model = folder, model

    def ask(self, task: str, **fields: Any) -> dict[str, Any]:
        """The result of a task. Raises ModelError with the script's own reason, or with why it ended without one."""
        request, result = self._folder / f"{task}.json", self._folder / f"{task}.result.json"
        paths = {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}
        wanted = {"task": task, "result": str(result), "model": str(self._model.resolve()), **paths}
        request.write_text(json.dumps(wanted), encoding="utf-8")
        with (self._folder / LOG).open("wb") as log:
            done = subprocess.run(
                # -I: nothing of the working folder, and nothing of the user's other packages.
                [self._python, "-I", self._script, request], cwd=self._folder, env=self._environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
        try:
            found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"{self._model}: {self._died(done.returncode)}") from error
        if "refused" in found:
            raise ModelError(f"{self._model}: {found['refused']}")
        return found

    def _environment(self) -> dict[str, str]:
        home = str(self._folder)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, **QUIET, "HOME": home, "TMPDIR": home, "XDG_CACHE_HOME": home}

    def _died(self, code: int) -> str:
        if code < 0:
            name = signal.Signals(-code).name
            return f"the tool that reads it was ended by {name}: too little memory, or a file that it cannot bear"
        lines = (self._folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        said = f": {lines[-1].strip()[:300]}" if lines else ""
        return f"the tool that reads it ended with exit code {code}{said}"
