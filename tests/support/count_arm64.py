"""How many instructions networks take on emulated arm64 cores, by kind; for `make count-arm64`.

    tests/support/count_arm64.py ROOT MODEL.tflite...

ROOT is the arm64 Debian that tests/support/arm64_root.sh has filled; gcc and QEMU 7.2's `qemu-aarch64` (Debian 12's
qemu-user) are needed. One thread, LiteRT, one picture, after a first one. Counts are exact and the same each time, but
they are not times: a core does more than one instruction at once, and waits for memory.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
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


def count(root: Path, plugin: Path, core: str, models: list[str]) -> list[Counter[str]]:
    """Instructions of one picture by kind, for each model."""
    _, part, features = CORES[core]
    # QEMU 7.2 shows this machine's; what runs in it chooses its kernels by it.
    lines = f"Features\t: fp asimd evtstrm crc32 cpuid{features}\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
    lines += f"CPU variant\t: 0x1\nCPU part\t: {part:#x}\nCPU revision\t: 0\n\n"
    cpuinfo = root / "proc/cpuinfo"
    cpuinfo.parent.mkdir(exist_ok=True)
    cpuinfo.write_text("".join(f"processor\t: {i}\n{lines}" for i in range(4)), encoding="ascii")
    python = next(root.glob("usr/bin/python3.*[0-9]"))
    paths = f"{root}/opt/site:{HERE.parents[1]}"
    surroundings = os.environ | {"PYTHONPATH": paths, "QEMU_LD_PREFIX": str(root), "OPENBLAS_NUM_THREADS": "1"}
    command = ["qemu-aarch64", "-cpu", core, "-plugin", str(plugin), str(python), "-c", GUEST, *models]
    done = subprocess.run(command, env=surroundings, stderr=subprocess.PIPE, text=True, check=False)
    cpuinfo.unlink()
    seen = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("counted ")]
    if done.returncode or len(seen) != 2 * len(models):
        sys.exit(f"{core}: ended with {done.returncode}:\n{done.stderr}")
    sums = [Counter[str]() for _ in seen]
    for counted, words in zip(sums, seen, strict=True):
        for kind, number in zip(words[::2], words[1::2], strict=True):
            counted[kind] += int(number)
    return [after - before for before, after in zip(sums[::2], sums[1::2], strict=True)]


def main() -> None:
    root, models = Path(sys.argv[1]).resolve(), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        plugin = Path(folder) / "count.so"
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", plugin, HERE / "count_arm64.c"], check=True)
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
