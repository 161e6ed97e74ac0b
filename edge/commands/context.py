"""What the commands share: their options, and what they do before they write a gallery."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge.config.loading import DEFAULT_PATH, LoadedConfig
from edge.errors import GalleryError

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


def signing_key(loaded: LoadedConfig) -> Path | None:
    """The key that this box signs with. Raises GalleryError when the daemon would refuse what it writes."""
    if loaded.gallery_keys.allowed_signers is not None and loaded.signing_key is None:
        raise GalleryError(
            "gallery.allowed_signers is set, so the daemon refuses unsigned galleries: set gallery.signing_key "
            "(and allow its public half), or change the gallery on the desktop and push it"
        )
    return loaded.signing_key
