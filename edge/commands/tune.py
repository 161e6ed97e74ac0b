"""whosthere tune"""

from operator import attrgetter
from pathlib import Path

import click

from edge.bare_address import ExistingPath
from edge.commands.context import box_config
from edge.config.config_text import Value, as_lines, rewrite
from edge.config.loading import DEFAULT_PATH, LoadedConfig, load_config
from edge.errors import UsageError
from edge.inspection.tuning import Choice, Tuner
from edge.models import card
from edge.terminal import NumberRange, echo, json_option, print_json, table, warn

UNIT = Path("/etc/systemd/system/whosthere.service")
DROP_IN = UNIT.with_name("whosthere.service.d") / "cores.conf"


@click.command("tune")
@box_config("The config.yaml to write the settings into; its comments are kept.")
@click.option(
    "--seconds",
    type=NumberRange(min=0.1),
    default=10.0,
    show_default=True,
    help="Measure for about this many seconds in all.",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    type=ExistingPath(dir_okay=False),
    help="The card of an embedder of your own to try as well. May be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Print the lines that would be set, and write nothing.")
@json_option
def command(config_path: Path, seconds: float, models: tuple[Path, ...], dry_run: bool, as_json: bool) -> None:
    """Measure this box and write the fastest settings into config.yaml.

    It finds out how many threads a network should run on, whether XNNPACK's kernels are faster than the plain ones,
    which cores to use on a board whose cores differ, which embedder is fastest, and how many tiles with far faces
    (detect.tiles) it can search in each frame at runtime.max_fps. The time to recognise a face is measured with each
    setting, in turns; the number of tiles is only ever lowered.

    The embedder is kept while there is a gallery that was made with it: changing it means enrolling everybody again,
    and that decision is yours.

    \b
      sudo whosthere tune
      whosthere tune --config config.yaml --seconds 30 --dry-run
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
    """The keys whose values should change, with the new ones."""
    chosen: dict[str, Value] = {
        "models.threads": choice.threads,
        "models.xnnpack": choice.xnnpack,
        "models.embedder": choice.embedder,
        "detect.tiles": choice.tiles,
    }
    return {key: value for key, value in chosen.items() if attrgetter(key)(loaded.config) != value}


def _bundled_embedders() -> list[str]:
    return [name for name in card.bundled() if card.read_card(card.find(name)).task == "embed"]


def _show(choice: Choice) -> None:
    rows = [
        (question, timing.option, f"{timing.look_ms:.2f}", str(timing.looks))
        for question, timings in choice.timings.items()
        for timing in timings
    ]
    echo(table(("setting", "tried", "ms", "runs"), rows, right=frozenset({2, 3})))
    if choice.embedder_why:
        echo(f"models.embedder: {choice.embedder} is {choice.embedder_why}")
    for text in choice.left_alone:
        warn(f"not chosen: {text}")


def _pin(choice: Choice, *, write: bool) -> str:
    """Keep the service to some cores; systemd must, as its sandbox forbids choosing them. Returns a message."""
    if choice.cores is None:
        return ""
    text = f"[Service]\nCPUAffinity={' '.join(map(str, choice.cores))}\n"
    if not (write and UNIT.exists()):
        return f"to keep the service to the fast cores, run `systemctl edit whosthere` and add:\n{text}"
    try:
        DROP_IN.parent.mkdir(exist_ok=True)
        DROP_IN.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{DROP_IN}: cannot be written: {error.strerror}; run this as root, with sudo") from error
    return f"{DROP_IN}: keeps to cores {', '.join(map(str, choice.cores))}; apply it with `systemctl daemon-reload`"


def _conclude(path: Path, values: dict[str, Value], pinned: str, dry_run: bool) -> None:
    if not values:
        echo(f"{path} already has the fastest settings for this box")
    elif dry_run:
        echo(f"would be set in {path}:\n{as_lines(values).rstrip()}")
    else:
        echo(f"{path}: set {', '.join(f'{key}: {value}' for key, value in values.items())}")
        echo("apply it with: sudo systemctl restart whosthere")
    if pinned:
        echo(pinned)
