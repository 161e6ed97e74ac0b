"""Options that the commands about galleries and boxes share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge.bare_address import ExistingPath
from edge.terminal import NumberRange

F = TypeVar("F", bound=Callable[..., Any])

FILE = ExistingPath(dir_okay=False)
OUTPUT = click.Path(dir_okay=False, path_type=Path)

inventory = click.option(
    "--inventory", type=FILE, help="A boxes.yaml that lists boxes and groups. Without HOSTS, all its boxes are meant."
)
retry = click.option(
    "--retry",
    "retries",
    type=click.IntRange(0, 10),
    default=0,
    show_default=True,
    help="How many more times to try a box that does not answer.",
)
ssh = click.option(
    "--ssh",
    default="ssh",
    show_default=True,
    help="The ssh client to use, with any options of your own: 'ssh -i KEY -F CONFIG'.",
)
sign = click.option(
    "--sign", "key", type=click.Path(path_type=Path), help="Sign the gallery with this SSH key: ~/.ssh/id_ed25519."
)
whg_output = click.option("-o", "--output", required=True, type=OUTPUT, help="The gallery file to write, NAME.whg.")


def timeout(default_s: float) -> Callable[[F], F]:
    """--timeout."""
    return click.option(
        "--timeout",
        "timeout_s",
        type=NumberRange(1, 3600),
        default=default_s,
        show_default=True,
        help="How long each box may take to answer, in seconds.",
    )
