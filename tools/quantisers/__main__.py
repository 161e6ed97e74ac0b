"""The table of quantisers: `make quantisers`, or

    python -m tools.quantisers IMAGES FOLDER [NETWORK ...] [--library FOLDER] [--fine-tune-epochs 40]

IMAGES holds one folder per person; docs/51-converter.md used `lfw-dev`. FOLDER keeps the networks, which are trained
the first time, every int8 file, and FOLDER/table.json, which grows with each network. An interrupted run goes on where
it was; delete table.json to measure again. FOLDER holds faces, and what was learnt from them: keep it out of the
repository. Without names, all networks are measured. A table in Markdown goes to standard output.
"""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from converter.exits import CleanCommand
from converter.files import write_whole
from converter.fine_tuning.learning import TuningPlan
from converter.people_folder import photos_by_person
from converter.runner import Runner
from edge.bare_address import ExistingPath
from edge.errors import ModelError, UsageError
from edge.terminal import echo
from tools.quantisers.makers import Maker, fine_tuned, float32, library_int8, own, tensorflow_int8
from tools.quantisers.measuring import measure
from tools.quantisers.networks import NAMES, QuantisedNetwork, open_network
from tools.quantisers.people import shared_out
from tools.quantisers.table import MeasuredNetwork, read_table, shown, write_table

FLOAT = "float32"


@click.command(cls=CleanCommand, help=__doc__)
@click.argument("images", type=ExistingPath(file_okay=False))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("names", nargs=-1, metavar="[NETWORK]...")
@click.option(
    "--library", type=click.Path(path_type=Path, file_okay=False),
    help="Where litert-quantizer or ai-edge-quantizer is installed.  [default: FOLDER/library]",
)  # fmt: skip
@click.option("--fine-tune-epochs", "epochs", default=TuningPlan().epochs, show_default=True)
@click.option("--runs", default=200, show_default=True, help="How many pictures each file's time is measured on.")
def main(images: Path, folder: Path, names: tuple[str, ...], library: Path | None, epochs: int, runs: int) -> None:
    """See the module."""
    if unknown := sorted(set(names) - set(NAMES)):
        raise UsageError(f"found {', '.join(unknown)}; allowed: {', '.join(NAMES)}")
    learnt, judges = shared_out(images, folder / "people")
    people = photos_by_person(judges)
    makers: dict[str, Maker] = {
        FLOAT: float32,
        "TensorFlow": tensorflow_int8,
        "library": library_int8(library or folder / "library"),
        "int8": own("int8"),
        "int8-full": own("int8-full"),
        f"int8-full, fine-tuned for {epochs} epochs": fine_tuned(epochs),
    }
    table = read_table(folder)
    for name in names or NAMES:
        if name not in table or not table[name].answers(makers, runs):
            table[name] = measured(open_network(name, folder / name, learnt, people), makers, runs)
            write_table(folder, table)
        echo(shown(name, table[name], FLOAT))
    echo(f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}", err=True)


def measured(network: QuantisedNetwork, makers: Mapping[str, Maker], runs: int) -> MeasuredNetwork:
    """The network by every quantiser that can take it, and why the others cannot. Files of an earlier run are used."""
    made: dict[str, bytes] = {}
    failed: dict[str, str] = {}
    for quantiser, make in makers.items():
        file = network.folder / f"{quantiser.replace(', ', '-').replace(' ', '-')}.tflite"
        try:
            if not file.is_file():
                write_whole(file, make(network))
            content = file.read_bytes()
            Runner(content, quantiser)
            made[quantiser] = content
        except Exception as error:  # noqa: BLE001  (other people's quantisers raise what they like)
            failed[quantiser] = (str(error).strip() or type(error).__name__).splitlines()[0]
    if FLOAT in failed:
        raise ModelError(f"{network.name}: {failed[FLOAT]}")
    judges = f"{len(network.judges)} faces of {len(network.judges.people)} people"
    return MeasuredNetwork(judges, runs, measure(made, FLOAT, network.judges, network.spec, runs), failed)


if __name__ == "__main__":
    sys.exit(main())
