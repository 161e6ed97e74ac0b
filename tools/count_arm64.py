"""How many instructions networks take on emulated arm64 cores, by kind; for `make count-arm64`.

    tools/count_arm64.py ROOT MODEL.tflite...

ROOT is the arm64 Debian that tests/support/arm64_root.sh has filled; gcc and QEMU 7.2's `qemu-aarch64` (Debian 12's
qemu-user) are needed. One thread, LiteRT, one picture, after a first one. Counts are exact and the same each time, but
they are not times: a core does more than one instruction at once, and waits for memory.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
# QEMU's name of the core: (on which boards, its part number, what Linux says that it can do beyond the common).
CORES = {
    "cortex-a53": ("Raspberry Pi Zero 2 W, 3", 0xD03, ""),
    "cortex-a72": ("Raspberry Pi 4", 0xD08, ""),
    "cortex-a76": ("Raspberry Pi 5: int8 dot product", 0xD0B, " atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"),
}
KINDS = {
    "fmla": "float multiply-adds",
    "sdot": "int8 dot products",
    "smlal": "int8 multiply-adds",
    "memory": "loads, stores",
    "vector": "other vector",
    "other": "other",
}
# Asking for the parent's process id is what the plugin prints its counts at.
GUEST = """
import os, sys
from pathlib import Path
from converter import timing
for path in sys.argv[1:]:
    runner = timing.load(Path(path).read_bytes(), 1)
    os.getppid()
    runner.invoke()
    os.getppid()
"""


def command(root: Path, plugin: Path, core: str) -> list[str]:
    """The words that run the root's Python on an emulated core, with the plugin."""
    python = next(root.glob("usr/bin/python3.*[0-9]"))
    return ["qemu-aarch64", "-cpu", core, "-plugin", str(plugin), str(python)]


def surroundings(root: Path) -> dict[str, str]:
    """The environment for it: the root's packages, and this checkout."""
    paths = f"{root}/opt/site:{CHECKOUT}"
    return os.environ | {"PYTHONPATH": paths, "QEMU_LD_PREFIX": str(root), "OPENBLAS_NUM_THREADS": "1"}


@contextmanager
def shown_as(root: Path, core: str) -> Iterator[None]:
    """Let the root's /proc/cpuinfo be the core's: QEMU 7.2 shows this machine's, and libraries choose kernels by it."""
    _, part, features = CORES[core]
    lines = f"Features\t: fp asimd evtstrm crc32 cpuid{features}\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
    lines += f"CPU variant\t: 0x1\nCPU part\t: {part:#x}\nCPU revision\t: 0\n\n"
    cpuinfo = root / "proc/cpuinfo"
    cpuinfo.parent.mkdir(exist_ok=True)
    cpuinfo.write_text("".join(f"processor\t: {i}\n{lines}" for i in range(4)), encoding="ascii")
    try:
        yield
    finally:
        cpuinfo.unlink()


def build_plugin(folder: Path) -> Path:
    """Compile the plugin into a folder; needs gcc."""
    plugin = folder / "count.so"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", plugin, HERE / "count_arm64.c"], check=True)
    return plugin


def count(root: Path, plugin: Path, core: str, models: list[str]) -> list[Counter[str]]:
    """Instructions of one picture by kind, for each model."""
    words = [*command(root, plugin, core), "-c", GUEST, *models]
    with shown_as(root, core):
        done = subprocess.run(words, env=surroundings(root), stderr=subprocess.PIPE, text=True, check=False)
    seen = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("counted ")]
    if done.returncode or len(seen) != 2 * len(models):
        sys.exit(f"{core}: ended with {done.returncode}:\n{done.stderr}")
    sums = [Counter[str]() for _ in seen]
    for counted, line in zip(sums, seen, strict=True):
        for kind, number in zip(line[::2], line[1::2], strict=True):
            counted[kind] += int(number)
    return [after - before for before, after in zip(sums[::2], sums[1::2], strict=True)]


def main() -> None:
    root, models = Path(sys.argv[1]).resolve(), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        plugin = build_plugin(Path(folder))
        for core, (boards, _, _) in CORES.items():
            print(f"\n{core} ({boards}): million instructions a picture")
            print("| model | all | over the first's |", *(f"{title} |" for title in KINDS.values()))
            print("|" + "---|" * (3 + len(KINDS)))
            counts = count(root, plugin, core, models)
            for model, kinds in zip(models, counts, strict=True):
                numbers = [f"{kinds[kind] / 1e6:.1f}" for kind in KINDS]
                ratio = kinds.total() / counts[0].total()
                print(f"| {Path(model).stem} | {kinds.total() / 1e6:.1f} | {ratio:.2f} |", " | ".join(numbers), "|")


if __name__ == "__main__":
    main()
