"""What each pass of `converter/passes` gains: every variant again, with one pass left out.

    python -m tools.quantisers.without IMAGES FOLDER [NETWORK ...]

IMAGES and FOLDER are those of `python -m tools.quantisers`, which trains the networks.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import click

from converter.exits import CleanCommand
from converter.passes.ranges import percentile_ranges
from converter.people_folder import photos_by_person
from converter.variants import Variant, VariantMaker
from edge.bare_address import ExistingPath
from edge.errors import ModelError
from edge.terminal import echo
from tools.quantisers.measuring import measure
from tools.quantisers.networks import NAMES, QuantisedNetwork, open_network
from tools.quantisers.people import shared_out

RUNS = 60
SIMPLIFY, RANGES, VARIANTS = "converter.passes.simplify", "converter.passes.ranges", "converter.variants"
REFERENCE = "fp32"


class LeftOut(NamedTuple):
    """A variant without something."""

    label: str
    variant: Variant
    instead: dict[str, Any]
    """What is put in the place of functions and constants, by their full names."""


def _nothing(*_: Any, **__: Any) -> None:
    """A pass that is left out."""


CASES = (
    LeftOut(REFERENCE, "fp32", {}),
    LeftOut("fp32, PReLU not recognised", "fp32", {f"{SIMPLIFY}.recognise_prelu": _nothing}),
    LeftOut("fp32, batch norm not folded", "fp32", {f"{SIMPLIFY}.fold_affine": _nothing}),
    LeftOut("fp32, activations not fused", "fp32", {f"{SIMPLIFY}.fuse_activations": _nothing}),
    LeftOut("fp32, linear layers not merged", "fp32", {f"{SIMPLIFY}.merge_linear": _nothing}),
    LeftOut("int8", "int8", {}),
    LeftOut("int8, never from one place on", "int8", {f"{VARIANTS}.LEAST_SHARE": 0.0}),
    LeftOut("int8, slopes not flipped", "int8", {f"{VARIANTS}.flip_slopes": _nothing}),
    LeftOut("int8, not equalised", "int8", {f"{VARIANTS}.equalise": _nothing}),
    LeftOut("int8-full", "int8-full", {}),
    LeftOut("int8-full, PReLU not recognised", "int8-full", {f"{SIMPLIFY}.recognise_prelu": _nothing}),
    LeftOut("int8-full, linear layers not merged", "int8-full", {f"{SIMPLIFY}.merge_linear": _nothing}),
    LeftOut("int8-full, slopes not flipped", "int8-full", {f"{VARIANTS}.flip_slopes": _nothing}),
    LeftOut("int8-full, not equalised", "int8-full", {f"{VARIANTS}.equalise": _nothing}),
    LeftOut("int8-full, PReLU not spelled out", "int8-full", {f"{VARIANTS}.spell_out_prelu": lambda _: []}),
    LeftOut("int8-full, hard-swish not spelled out", "int8-full", {f"{VARIANTS}.spell_out_hard_swish": lambda _: {}}),
    LeftOut("int8-full, PReLU with two scales", "int8-full", {f"{VARIANTS}.joined": lambda ranges, _: ranges}),
    LeftOut(
        "int8-full, ranges not searched", "int8-full",
        {f"{VARIANTS}.searched_ranges": lambda seen, _: percentile_ranges(seen)},
    ),
    LeftOut("int8-full, ranges judged before activations", "int8-full", {f"{VARIANTS}.curves": lambda _: {}}),
    LeftOut("int8-full, errors not relative to each picture", "int8-full", {f"{RANGES}.LEAST_ENERGY": 1e9}),
    LeftOut("int8-full, no room where little is seen", "int8-full", {f"{RANGES}.DEEP_ROOM": 1.0}),
    LeftOut("int8-full, biases not corrected", "int8-full", {f"{VARIANTS}.correct_biases": _nothing}),
)  # fmt: skip


def made_without(case: LeftOut, network: QuantisedNetwork) -> bytes:
    """The variant. Raises ModelError when it cannot be made."""
    with ExitStack() as replaced:
        for name, value in case.instead.items():
            replaced.enter_context(mock.patch(name, value))
        return VariantMaker(network.content, network.name, network.representative).make(case.variant).content


@click.command(cls=CleanCommand, help=__doc__)
@click.argument("images", type=ExistingPath(file_okay=False))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("names", nargs=-1, metavar="[NETWORK]...")
def main(images: Path, folder: Path, names: tuple[str, ...]) -> None:
    """See the module."""
    learnt, judges = shared_out(images, folder / "people")
    people = photos_by_person(judges)
    for name in names or NAMES:
        network = open_network(name, folder / name, learnt, people)
        made: dict[str, bytes] = {}
        for case in CASES:
            try:
                made[case.label] = made_without(case, network)
            except ModelError as error:
                echo(f"{case.label}: {error}", err=True)
        echo(f"\n{name}\n\n| | cosine, mean | least | bytes | CPU time |\n|---|---|---|---|---|")
        alike = {label: next(first for first in made if made[first] == content) for label, content in made.items()}
        found = measure(
            {label: made[label] for label in set(alike.values())}, REFERENCE, network.judges, network.spec, RUNS
        )
        for label, first in alike.items():
            row = found[first]
            same = "the same file | | |" if first != label else f"{row.least:.3f} | {row.bytes:,} | {row.time:.2f} |"
            echo(f"| {label} | {row.mean:.5f} | {same}")


if __name__ == "__main__":
    sys.exit(main())
