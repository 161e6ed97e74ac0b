"""The proof that an imported network is the original: the same pictures through both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converter import faces
from converter.graph import Values
from converter.importing.originals import ImportedNetwork
from converter.runner import vectors
from edge.errors import ModelError
from edge.faces.framing import Framing
from edge.models.card import InputSpec

FACES = 24
RANDOM = 24
LEAST_COSINE = 0.9999
"""Below this, for any picture, the import is refused: a float network that is the same reaches 0.999999."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How near the result is to the original, over all pictures."""

    mean_cosine: float
    least_cosine: float
    largest_difference: float
    """The largest difference between any two numbers, after normalisation."""
    normalised: bool
    """Whether the original's vectors have length one."""

    def text(self, made_by: str) -> str:
        """For the terminal and the cards."""
        return (
            f"mean cosine {self.mean_cosine:.7f}, least {self.least_cosine:.7f}, largest difference "
            f"{self.largest_difference:.1e} after normalisation, on {FACES} aligned faces and {RANDOM} random pictures "
            f"({made_by}; at least {LEAST_COSINE} is needed)"
        )


def prove(imported: ImportedNetwork, path: Path, spec: InputSpec, framing: Framing) -> Proof:
    """Run both on aligned faces of the bundled portraits and on noise. Raises ModelError when they are not the same."""
    inputs = _inputs(spec, framing)
    wanted = imported.original.vectors(inputs)
    try:
        found = vectors(imported.content, str(path), inputs)
    except RuntimeError as error:
        raise ModelError(f"{path}: {imported.made_by} made a network of it that does not run: {error}") from error
    proof = compare(wanted, found, path)
    if not proof.least_cosine >= LEAST_COSINE:
        raise ModelError(f"{path}: the converted network is not the original: {proof.text(imported.made_by)}")
    return proof


def compare(original: Values, result: Values, path: Path) -> Proof:
    """`original`: vectors (n, numbers) of any length; `result`: of length one. Raises ModelError."""
    if original.shape != result.shape:
        raise ModelError(
            f"{path}: the original gives {original.shape[1]} numbers per picture, the converted one {result.shape[1]}"
        )
    if not np.isfinite(original).all():
        raise ModelError(f"{path}: the original gives NaN or infinity: check --range, or the network is damaged")
    lengths = np.linalg.norm(original, axis=1, keepdims=True)
    unit = original / np.maximum(lengths, 1e-12)
    cosines = (unit * result).sum(1)
    normalised = bool(np.abs(lengths - 1).max() < 1e-2)
    return Proof(float(cosines.mean()), float(cosines.min()), float(np.abs(unit - result).max()), normalised)


def _inputs(spec: InputSpec, framing: Framing) -> Sequence[Values]:
    size = spec.shape[1]
    found = faces.find_faces([faces.PORTRAITS], FACES).found
    return faces.tensors([*faces.crops(found, framing, size, FACES), *faces.noise(size, RANDOM)], spec)
