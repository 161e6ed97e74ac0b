"""What a quantised network costs and gives, beside its float form."""

import time
from collections.abc import Mapping

import msgspec
import numpy as np

from converter.graph import Values
from converter.runner import Runner, vectors
from converter.training.dataset import Dataset
from converter.training.teacher import normalised
from converter.verification import area_under_curve, operating_point
from edge.models.card import InputSpec

FALSE_ACCEPTS = 0.01


class QuantiserRow(msgspec.Struct, frozen=True):
    """One network by one quantiser."""

    mean: float
    """The mean cosine to float32 on the faces of people who judge."""
    least: float
    area: float
    """The area under the ROC curve, over all pairs of those faces."""
    accepted: float
    """The true-accept rate at a false-accept rate of 1 %."""
    bytes: int
    milliseconds: float
    """CPU time per picture, by one thread."""
    time: float
    """The same, relative to float32."""


def measure(
    made: Mapping[str, bytes], reference: str, judges: Dataset, spec: InputSpec, runs: int
) -> dict[str, QuantiserRow]:
    """A row for each file. Raises ModelError when the runtime refuses one."""
    pictures = [p[None] for p in normalised(judges.pixels(np.arange(len(judges))), spec)]
    seen = {name: vectors(content, name, pictures) for name, content in made.items()}
    times = cpu_times(made, pictures, runs)
    rows = {}
    for name, content in made.items():
        similar = (seen[name] * seen[reference]).sum(1)
        area, accepted = verification(seen[name], judges)
        rows[name] = QuantiserRow(
            mean=float(similar.mean()),
            least=float(similar.min()),
            area=area,
            accepted=accepted,
            bytes=len(content),
            milliseconds=1e3 * times[name],
            time=times[name] / times[reference],
        )
    return rows


def verification(found: Values, judges: Dataset) -> tuple[float, float]:
    """(area under the ROC curve, true-accept rate at 1 % false accepts), over all pairs of faces."""
    first, second = np.triu_indices(len(found), 1)
    scores = (found @ found.T).astype(np.float64)[first, second]
    same = judges.person[first] == judges.person[second]
    return area_under_curve(scores, same), operating_point(scores, same, FALSE_ACCEPTS).true_accept_rate


def cpu_times(made: Mapping[str, bytes], pictures: list[Values], runs: int) -> dict[str, float]:
    """Median CPU seconds per picture, by one thread. The files take turns: other programs slow all of them alike."""
    runners = {name: Runner(content, name) for name, content in made.items()}
    times: dict[str, list[float]] = {name: [] for name in made}
    for run in range(runs):
        picture = pictures[run % len(pictures)]
        for name, runner in runners.items():
            begun = time.process_time_ns()
            runner(picture)
            times[name].append((time.process_time_ns() - begun) / 1e9)
    return {name: float(np.median(taken)) for name, taken in times.items()}
