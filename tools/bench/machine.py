"""Where and with what something is measured."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from tools.bench.records import Machine

ROOT = Path(__file__).parents[2]
FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "asimddp", "asimdhp", "i8mm")
PACKAGES = (
    *("ai-edge-litert", "tflite-runtime", "numpy", "opencv-python-headless"),
    *("dlib-bin", "face-recognition", "faiss-cpu", "usearch"),
)


def machine() -> Machine:
    """This machine."""
    fields = _cpuinfo()
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=fields.get("model name") or platform.machine(),
        cores=os.cpu_count() or 1,
        memory_gb=round(pages / 2**30, 1),
        features=[flag for flag in FEATURES if flag in flags],
        system=f"{platform.system()} {platform.machine()}",
    )


def versions() -> dict[str, str]:
    """Python, and those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit of the checkout; `+` behind it: with changes outside of bench/ that are not committed."""
    head = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--", ".", ":!bench", ":!README.md", ":!docs")
    return f"{head or 'unknown'}{'+' if changed else ''}"


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _cpuinfo() -> dict[str, str]:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    found: dict[str, str] = {}
    for name, _, value in pairs:
        found.setdefault(name.strip(), value.strip())
    return found
