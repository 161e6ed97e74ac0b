"""What the commands share: the option `--config`, and loading what a command stands on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from edge.config.loading import DEFAULT_PATH, LoadedConfig, default_config, load_config
from edge.faces.analyser import Analyser
from edge.faces.loading import load_analyser

F = TypeVar("F", bound=Callable[..., Any])

config_option = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="config.yaml to take models and limits from; without it, the defaults.",
)


def box_config(help_text: str) -> Callable[[F], F]:
    """--config for commands about this very box: the daemon's own file unless another is named."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(dir_okay=False, path_type=Path),
        default=DEFAULT_PATH,
        show_default=True,
        help=help_text,
    )


def settings(config_path: Path | None) -> LoadedConfig:
    """The given config, or all defaults. Raises ConfigError."""
    return load_config(config_path) if config_path else default_config()


def analyser(loaded: LoadedConfig) -> Analyser:
    """The networks as configured. Raises ModelError."""
    config = loaded.config
    return load_analyser(config.models, config.detect, config.quality, loaded.base)
