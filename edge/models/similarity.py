"""What "nearly the same" means for an embedder, whatever the scale of its similarities.

The constants were chosen with the bundled embedder. One network gives strangers cosines around 0, another around 0.9,
so a constant is stretched by the room between `same`, the similarity that one stranger in a thousand reaches, and 1.
"""

from edge.models.card import Calibration

SAME_PERSON_RATE = 1e-3
BUNDLED_SAME = 0.4521
"""`same` for the bundled embedder; tests/test_similarity.py compares it with the card."""
CLOSEST = 1 - 1e-6
"""Rounding leaves the embeddings of one picture this similar, and no more."""
TOO_ALIKE = 0.97
"""Two faces this similar, with the bundled embedder, teach nothing new."""
NEAR_COPY = 0.95
"""The same for two templates: frames of one burst are this similar, photos of different days hardly ever."""
BUNDLED_CURVE = (
    (0.1989, 1e-1), (0.3484, 1e-2), (0.4521, 1e-3), (0.5298, 1e-4), (0.5930, 1e-5),
)  # fmt: skip


def same_person(calibration: Calibration) -> float:
    """The similarity from which two faces are taken for one person: one stranger in a thousand reaches it."""
    return calibration.similarity_at(SAME_PERSON_RATE)[0]


def spread(same: float) -> float:
    """How far apart the faces of this embedder lie: 1 for the bundled one, less where all faces are alike."""
    return max(1.0 - same, 1e-9) / (1.0 - BUNDLED_SAME)


def alike(similarity: float, same: float) -> float:
    """The similarity that means for this embedder what `similarity` means for the bundled one."""
    return min(1.0 - (1.0 - similarity) * spread(same), CLOSEST)


def assumed(threshold: float) -> Calibration:
    """What is assumed of an embedder without a calibration for which the owner set a threshold.

    The bundled embedder's curve, stretched so that one stranger in a thousand reaches the threshold. It serves to link
    and compare faces; no rate is ever reported from it.
    """
    room = spread(threshold)
    points = [(1.0 - (1.0 - similarity) * room, rate) for similarity, rate in BUNDLED_CURVE]
    return Calibration("none: assumed from match.threshold", "none", points)
