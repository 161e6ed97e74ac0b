"""What a false-alarm target means: many households drawn from a data set, and who is called by whose name.

The box's own matcher decides, at the threshold that follows from target, calibration and size of the gallery.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from converter.datasets import DatasetError
from edge.config.visits import MatchSettings
from edge.errors import ModelError
from edge.galleries.gallery import EmbedderId, Gallery, Person, Template
from edge.models.card import Calibration
from edge.models.measure import COSINE, Measure
from edge.models.similarity import assumed
from edge.records import Match, Outcome
from edge.visits.infrared_scale import infrared_scale
from edge.visits.lookalikes import LookAlikes, MatchRule, look_alikes
from edge.visits.matcher import Matcher
from edge.visits.thresholds import name_margin, threshold_for

PROBES_EACH = 2
PAIRS_SHOWN = 5
STRANGERS = 500
"""How many strangers visit each household, with one picture each."""


class Household(msgspec.Struct, frozen=True):
    """Households of one size, together. Every figure is of single faces; a visit adds several up."""

    people: int
    templates_each: int
    threshold: float
    within_data: bool
    """Whether the calibration reaches as far as the target asks."""
    households: int
    probes: int
    """Pictures of those who live there."""
    named: float
    uncertain: float
    wrong: int
    """Probes that were called by another resident's name."""
    strangers: int
    strangers_named: int
    worst_twentieth: float
    """In 19 of 20 households no larger share of the strangers is called by a name."""
    look_alike_households: int
    """In how many households somebody cannot be told apart from somebody else, or hardly."""
    lookalikes: list[LookAlikes]
    """Some of those people: the pairs with the least lead, or the most similar where none can be tried."""


@dataclass(frozen=True, slots=True)
class UsableFaces:
    """Usable faces by person, as unit vectors (n, d), and whose pairs are no strangers to each other."""

    vectors: Mapping[str, NDArray[np.float32]]
    not_compared: Sequence[tuple[str, str]] = ()
    sources: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The photos' names by person, as many as vectors; without them they are numbered from 1."""
    infrared: bool = False
    """Whether all of them, templates and visitors, were seen in infrared light."""

    def source(self, person: str, row: int) -> str:
        """The name of the photo that a person's vector was made of."""
        return self.sources[person][row] if person in self.sources else str(row + 1)


def simulate(
    faces: UsableFaces,
    people: int,
    templates: int,
    households: int,
    settings: MatchSettings,
    calibration: Calibration | None,
    infrared_calibration: Calibration | None = None,
    measure: Measure = COSINE,
) -> Household:
    """Draw them, the same ones every time. Raises DatasetError when there are too few people, ModelError without
    a calibration.
    """
    threshold = threshold_for(settings, calibration, people * templates)
    if threshold is None:
        raise ModelError("the embedder's card has no calibration; run `whosthere-converter calibrate` first")
    able = [name for name, vectors in faces.vectors.items() if len(vectors) > templates]
    if len(able) < people or len(faces.vectors) <= people:
        raise DatasetError(
            f"people with more than {templates} usable pictures: found {len(able)}; {people} are needed, and strangers "
            "too"
        )
    rng = np.random.default_rng(0)
    own: list[tuple[str, Match]] = []
    strangers: list[list[Match]] = []
    alike: list[list[LookAlikes]] = []
    margin = name_margin(settings, calibration or assumed(threshold.similarity))
    scale = infrared_scale(infrared_calibration, calibration)
    rule = MatchRule(threshold.similarity, margin, calibration, scale, measure)
    for _ in range(households):
        chosen = [able[i] for i in rng.choice(len(able), people, replace=False)]
        rows = {name: rng.permutation(len(faces.vectors[name])) for name in chosen}
        gallery = _gallery(faces, {name: rows[name][:templates] for name in chosen})
        alike.append(look_alikes(gallery, rule))
        matcher = Matcher(
            gallery, threshold.similarity, margin, calibration, infrared=infrared_calibration, measure=measure
        )
        for name in chosen:
            asked = rows[name][templates : templates + PROBES_EACH]
            own += [(name, matcher.match(face, infrared=faces.infrared)) for face in faces.vectors[name][asked]]
        strangers.append([matcher.match(face, infrared=faces.infrared) for face in _strangers(faces, chosen, rng)])
    named = np.array([sum(m.outcome is Outcome.RECOGNIZED for m in some) / len(some) for some in strangers])
    right = [m for name, m in own if m.person is not None and m.person.name == name]
    return Household(
        people=people,
        templates_each=templates,
        threshold=threshold.similarity,
        within_data=threshold.within_data,
        households=households,
        probes=len(own),
        named=len(right) / len(own),
        uncertain=sum(m.outcome is Outcome.UNCERTAIN for _, m in own) / len(own),
        wrong=sum(m.person is not None for _, m in own) - len(right),
        strangers=sum(map(len, strangers)),
        strangers_named=sum(m.outcome is Outcome.RECOGNIZED for some in strangers for m in some),
        worst_twentieth=float(np.quantile(named, 0.95, method="higher")),
        look_alike_households=sum(map(bool, alike)),
        lookalikes=_hardest(alike),
    )


def _gallery(faces: UsableFaces, enrolled: Mapping[str, NDArray[np.intp]]) -> Gallery:
    """A gallery of some rows of each person's vectors."""
    known = [
        (Person(f"p{i}", name, _templates(faces, name, rows)), list(faces.vectors[name][rows]))
        for i, (name, rows) in enumerate(enrolled.items())
    ]
    return Gallery.of(1, "", EmbedderId("", ""), next(iter(faces.vectors.values())).shape[1], known)


def _templates(faces: UsableFaces, name: str, rows: NDArray[np.intp]) -> list[Template]:
    return [Template(faces.source(name, int(row)), 1.0, "", faces.infrared) for row in rows]


def _hardest(alike: Sequence[Sequence[LookAlikes]]) -> list[LookAlikes]:
    """The hardest pairs, each once."""
    pairs: dict[frozenset[str], LookAlikes] = {}
    for pair in sorted((pair for some in alike for pair in some), key=_ease):
        pairs.setdefault(frozenset(pair.names), pair)
    return list(pairs.values())[:PAIRS_SHOWN]


def _ease(pair: LookAlikes) -> tuple[float, float]:
    """The key that puts the hardest pair first."""
    return (-pair.similarity if pair.lead is None else pair.lead, -pair.similarity)


def _strangers(faces: UsableFaces, chosen: Sequence[str], rng: Generator) -> list[NDArray[np.float32]]:
    """One face each of people who do not live there, and are not listed as possibly the same person as a resident."""
    barred = set(chosen).union(*(pair for pair in faces.not_compared if set(pair) & set(chosen)))
    others = [name for name in faces.vectors if name not in barred]
    picked = [others[i] for i in rng.permutation(len(others))[:STRANGERS]]
    return [faces.vectors[name][rng.integers(len(faces.vectors[name]))] for name in picked]
