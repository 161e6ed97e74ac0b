"""whosthere tune"""

from pathlib import Path

import click

from edge.commands.context import box_config
from edge.config.config_text import Value, as_lines, rewrite
from edge.config.loading import DEFAULT_PATH, LoadedConfig, load_config
from edge.errors import UsageError
from edge.inspection.tuning import Choice, Tuner
from edge.models import card
from edge.terminal import json_option, print_json, table, warn

UNIT = Path("/etc/systemd/system/whosthere.service")
DROP_IN = UNIT.with_name("whosthere.service.d") / "cores.conf"


@click.command("tune")
@box_config("The config.yaml to write the settings into; its comments stay.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="How long to measure.")
@click.option(
    "--model",
    "models",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Card of an embedder of your own that may be chosen as well; may be given several times.",
)
@click.option("--dry-run", is_flag=True, help="Only print the lines to set.")
@json_option
def command(config_path: Path, seconds: float, models: tuple[Path, ...], dry_run: bool, as_json: bool) -> None:
    """Measure this box, and write what suits it into config.yaml.

    How many threads a network runs on, whether the fast kernels are fast here, on a board whose cores differ which
    ones to keep to, and which embedder. Looks at a face are timed with each, in turns.

    The embedder is left alone as long as there is a gallery that was made with another one: that would have to be
    enrolled again, which is up to you.
    """
    loaded = load_config(config_path)
    choice = Tuner(loaded, seconds).choose([*_bundled_embedders(), *(str(path.resolve()) for path in models)])
    values = changes(loaded, choice)
    if as_json:
        print_json({"choice": choice, "changes": values})
    else:
        _show(choice)
    if not dry_run and values:
        rewrite(config_path, values)
    pinned = _pin(choice, write=not dry_run and config_path == DEFAULT_PATH)
    if not as_json:
        _conclude(config_path, values, pinned, dry_run)


def changes(loaded: LoadedConfig, choice: Choice) -> dict[str, Value]:
    """The keys whose values are to be other ones."""
    now = loaded.config.models
    chosen: dict[str, Value] = {
        "models.threads": choice.threads,
        "models.xnnpack": choice.xnnpack,
        "models.embedder": choice.embedder,
    }
    return {key: value for key, value in chosen.items() if getattr(now, key.partition(".")[2]) != value}


def _bundled_embedders() -> list[str]:
    return [name for name in card.bundled() if card.read_card(card.find(name)).task == "embed"]


def _show(choice: Choice) -> None:
    rows = [
        (question, timing.option, f"{timing.look_ms:.2f}", str(timing.looks))
        for question, timings in choice.timings.items()
        for timing in timings
    ]
    click.echo(table(("measured", "with", "ms a look", "looks"), rows, right=frozenset({2, 3})))
    for text in choice.left_alone:
        warn(f"not chosen: {text}")


def _pin(choice: Choice, *, write: bool) -> str:
    """The unit's sandbox lets no process choose its cores: systemd has to. What was done, or is to be done."""
    if choice.cores is None:
        return ""
    text = f"[Service]\nCPUAffinity={' '.join(map(str, choice.cores))}\n"
    if not (write and UNIT.exists()):
        return f"with `systemctl edit whosthere`:\n{text}"
    try:
        DROP_IN.parent.mkdir(exist_ok=True)
        DROP_IN.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{DROP_IN}: cannot be written: {error.strerror}; run this as root, with sudo") from error
    return f"{DROP_IN}: keeps to cores {', '.join(map(str, choice.cores))}; take it up with `systemctl daemon-reload`"


def _conclude(path: Path, values: dict[str, Value], pinned: str, dry_run: bool) -> None:
    if not values:
        click.echo(f"{path} suits this box as it is")
    elif dry_run:
        click.echo(f"to be set in {path}:\n{as_lines(values).rstrip()}")
    else:
        click.echo(f"{path}: set {', '.join(f'{key}: {value}' for key, value in values.items())}")
        click.echo("in force after a restart: sudo systemctl restart whosthere")
    if pinned:
        click.echo(pinned)
