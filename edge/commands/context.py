"""The options that commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge.config.loading import DEFAULT_PATH

F = TypeVar("F", bound=Callable[..., Any])

gallery_option = click.option(
    "--gallery",
    "gallery_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The gallery file. Without it, the one that config.yaml names.",
)


def box_config(help_text: str) -> Callable[[F], F]:
    """`--config` for commands about this very box: the daemon's own file unless another is named."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(dir_okay=False, path_type=Path),
        default=DEFAULT_PATH,
        show_default=True,
        help=help_text,
    )
