"""Everything that an embedder depends on, except the number of epochs; and what its folder holds."""

from pathlib import Path

import msgspec

from converter.files import write_whole
from edge.errors import UsageError
from edge.models.card import InputSpec


class TrainingPlan(msgspec.Struct, frozen=True):
    """The settings of one training."""

    network: str
    objective: str
    spec: InputSpec
    dimensions: int
    learning_rate: float
    batch: int
    augment: bool
    last_layers: int | None
    """How many layers with weights are trained, the last ones; None: all."""
    validation: float
    test: float
    seed: int
    pictures: str
    """Fingerprint of the crops."""
    aligned: bool = True
    margin: float | None = None
    scale: float | None = None
    sub_centres: int = 1
    mining: str = "batch"
    teacher: str = ""
    """Fingerprint of the teacher's vectors; empty: there is none."""
    schedule: str = "plateau"
    warm_up: int = 0
    planned_epochs: int | None = None
    """None: the schedule does not depend on it."""
    mixed_precision: bool = False
    replicas: int = 1
    """On how many devices each step is computed."""


def begin(path: Path, plan: TrainingPlan) -> None:
    """Write the plan, or check that the folder holds the same one. Raises UsageError naming what differs."""
    if not path.is_file():
        write_whole(path, msgspec.json.format(msgspec.json.encode(plan)))
        return
    try:
        old = msgspec.json.decode(path.read_bytes(), type=TrainingPlan)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path}: not the plan of a training ({error}); give another folder, or start over with --restart"
        ) from error
    names = [field.name for field in msgspec.structs.fields(TrainingPlan)]
    changed = [
        f"{n} was {getattr(old, n)}, is {getattr(plan, n)}" for n in names if getattr(old, n) != getattr(plan, n)
    ]
    if changed:
        listed = "; ".join(changed)
        raise UsageError(
            f"{path.parent}: holds another training: {listed}. Give another folder, or start over with --restart"
        )
