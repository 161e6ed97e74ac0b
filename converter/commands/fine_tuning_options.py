"""The options of `convert` for fine-tuning int8 on photos."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from converter.commands import options
from converter.commands.convert_input import ConvertInput
from converter.fine_tuning.learning import TuningPlan
from converter.fine_tuning.photos import tuning_photos
from converter.fine_tuning.tuner import PhotoTuner
from converter.sources import tensorflow
from converter.variants import TUNED, Variant
from edge.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
CROPS = "fine-tuning"
"""The folder within the output folder for the faces."""


def options_of_fine_tuning(command: F) -> F:
    """--fine-tune, --fine-tune-epochs and --seed."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--fine-tune", "tuning", type=options.PEOPLE,
        help="Fine-tune int8-full on photos of people, one folder per person, or a .tar, .tar.gz or .zip of that: the "
        "rounded network learns to give the vectors of the float one. Names are not learnt. A fifth of the people only "
        "judge. It needs TensorFlow.",
    ),
    click.option(
        "--fine-tune-epochs", "epochs", type=click.IntRange(1, 1000), default=TuningPlan().epochs, show_default=True,
        help="With --fine-tune: how many times to go through the photos. The best time counts, by the people who "
        "judge.",
    ),
    click.option(
        "--seed", type=options.SEED, default=0, show_default=True,
        help="With --fine-tune: the seed of who judges, and of everything random. One seed gives one result.",
    ),
)  # fmt: skip


def check_tuning(feeding: dict[str, Any], wanted: Sequence[Variant]) -> None:
    """Raises UsageError when the options do not fit together, and ModelError when TensorFlow is not installed."""
    given = click.get_current_context().get_parameter_source
    for option, name in (("--fine-tune-epochs", "epochs"), ("--seed", "seed")):
        if feeding["tuning"] is None and given(name) is not ParameterSource.DEFAULT:
            raise UsageError(f"{option} belongs to --fine-tune; give that too")
    if feeding["tuning"] is None:
        return
    if TUNED not in wanted:
        raise UsageError(f"--fine-tune: found with --variants {','.join(wanted)}; allowed with {TUNED}")
    tensorflow()


def tuner_of(feeding: dict[str, Any], network: ConvertInput, output: Path) -> PhotoTuner | None:
    """Crop the faces of --fine-tune; None: nothing will be fine-tuned. Raises PeopleError, DatasetError."""
    if feeding["tuning"] is None:
        return None
    spec, plan = network.origin.spec, TuningPlan(feeding["epochs"], feeding["seed"])
    photos = tuning_photos(feeding["tuning"], spec, network.framing, output / CROPS, plan.seed)
    return PhotoTuner(photos, spec, plan)
