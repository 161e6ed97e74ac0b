"""The table of quantisers: `make quantisers`, or

    python -m tools.quantisers IMAGES FOLDER [NETWORK ...] [--library FOLDER] [--fine-tune-epochs 40]

IMAGES holds one folder per person; docs/51-converter.md used `lfw-dev`. FOLDER keeps the networks, which are trained
the first time, and every int8 file, so that an interrupted run goes on. It holds faces, and what was learnt from them:
keep it out of the repository. Without names, all networks are measured. The result is FOLDER/table.json, and a table
in Markdown on standard output.
"""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import msgspec

from converter.exits import CleanCommand
from converter.files import write_whole
from converter.fine_tuning.learning import TuningPlan
from converter.people_folder import photos_by_person
from edge.bare_address import ExistingPath
from edge.errors import UsageError, WhosthereError
from edge.terminal import echo
from tools.quantisers.makers import (
    Maker,
    MissingLibrary,
    fine_tuned,
    float32,
    library_int8,
    own,
    tensorflow_int8,
)
from tools.quantisers.measuring import QuantiserRow, measure
from tools.quantisers.networks import NAMES, QuantisedNetwork, open_network
from tools.quantisers.people import shared_out

FLOAT = "float32"
HEAD = "| network | quantiser | cosine, mean | least | area | accepted at 1 % | bytes | CPU time |"


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
        "int8-full, fine-tuned": fine_tuned(epochs),
    }
    table: dict[str, dict[str, QuantiserRow]] = {}
    failures: dict[str, str] = {}
    for name in names or NAMES:
        network = open_network(name, folder / name, learnt, people)
        made = _made(network, makers, failures)
        table[name] = measure(made, FLOAT, network.judges, network.spec, runs)
        _show(name, table[name], f"{len(network.judges)} faces of {len(network.judges.people)} people")
    write_whole(folder / "table.json", msgspec.json.format(msgspec.json.encode(table)))
    for what, why in failures.items():
        echo(f"{what}: {why}", err=True)
    echo(
        f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; {folder / 'table.json'}", err=True
    )


def _made(network: QuantisedNetwork, makers: Mapping[str, Maker], failures: dict[str, str]) -> dict[str, bytes]:
    """Every file that can be made; those of an earlier run are kept."""
    made: dict[str, bytes] = {}
    for quantiser, make in makers.items():
        file = network.folder / f"{quantiser.replace(', ', '-')}.tflite"
        try:
            if not file.is_file():
                write_whole(file, make(network))
            made[quantiser] = file.read_bytes()
        except MissingLibrary as error:
            failures[quantiser] = str(error)
        except (WhosthereError, RuntimeError, ValueError, KeyError) as error:
            # What the other quantisers raise on networks that they cannot take.
            failures[f"{network.name}, {quantiser}"] = str(error).strip().splitlines()[0]
    return made


def _show(network: str, rows: Mapping[str, QuantiserRow], judges: str) -> None:
    echo(f"\n{network}, {judges}\n\n{HEAD}\n{'|---' * HEAD.count(' | ')}|---|")
    for quantiser, row in rows.items():
        echo(
            f"| {network} | {quantiser} | {row.mean:.5f} | {row.least:.3f} | {row.area:.4f} | {row.accepted:.1%} | "
            f"{row.bytes:,} | {row.time:.2f} |"
        )


if __name__ == "__main__":
    sys.exit(main())
