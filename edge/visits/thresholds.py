"""False-alarm target and calibration -> the similarity that a name, or a visit, needs."""

from dataclasses import dataclass

import msgspec

from edge.config.loading import LoadedConfig
from edge.config.visits import MatchSettings
from edge.errors import ModelError, UsageError
from edge.galleries.gallery import Gallery
from edge.models.card import Calibration, Card
from edge.models.similarity import TOO_ALIKE, alike, assumed, same_person, spread
from edge.visits.fusion import COHERENT


@dataclass(frozen=True, slots=True)
class Threshold:
    """A similarity, and where it comes from."""

    similarity: float
    calibrated: bool
    within_data: bool
    """False: the calibration has no data for so rare a target, and the strictest measured similarity is used."""


class LinkingThresholds(msgspec.Struct, frozen=True):
    """Cosine similarities that say whether two embeddings belong to one visitor."""

    same: float
    """At least this: the same person."""
    different: float
    """Less than this: another person."""
    doubtful: float
    """A look at a followed face that is less like the visit than this may show somebody else."""
    infrared: "LinkingThresholds | None" = None
    """Those for two faces in infrared light; None: the same."""

    def under(self, *, infrared: bool) -> "LinkingThresholds":
        """The thresholds for two faces, both seen in infrared light or not."""
        return self.infrared if infrared and self.infrared is not None else self

    @property
    def too_alike(self) -> float:
        """From this similarity on, a second face teaches nothing new."""
        return alike(TOO_ALIKE, self.same)

    @property
    def coherent(self) -> float:
        """From this similarity on, two groups of faces of a visit count as one."""
        return alike(COHERENT, self.same)


OTHER_PERSON_RATE = 1e-1
DOUBTFUL_RATE = 1e-2
"""One impostor in a hundred is that similar to somebody else."""
AGAIN_SHARE = 0.1
"""The part of the false-alarm target that holds for strangers among each other."""


def threshold_for(settings: MatchSettings, calibration: Calibration | None, templates: int) -> Threshold | None:
    """The similarity at which a stranger matches a gallery of that many templates as rarely as the target asks.

    With false-match rate f per comparison, N templates give FPIR = 1 - (1 - f)^N (Grother et al., NIST IR
    8271, taking comparisons as independent, which overstates it). None: no calibration and no override.
    """
    if settings.threshold is not None:
        return Threshold(settings.threshold, calibrated=False, within_data=True)
    if calibration is None:
        return None
    return _among(calibration, settings.false_alarm_target, templates)


def again_threshold(calibration: Calibration, target: float, strangers: int) -> Threshold:
    """The similarity from which an unknown visitor is one of so many strangers who came before.

    A new stranger is taken for one of them ten times more rarely than for somebody in the gallery: naming a stranger
    enrols all their pictures, so two people in one group would become one person.
    """
    return _among(calibration, target * AGAIN_SHARE, strangers)


def _among(calibration: Calibration, target: float, comparisons: int) -> Threshold:
    rate = 1.0 - (1.0 - target) ** (1.0 / max(1, comparisons))
    similarity, within = calibration.similarity_at(rate)
    return Threshold(similarity, calibrated=True, within_data=within)


def threshold_in_force(loaded: LoadedConfig, card: Card, gallery: Gallery) -> Threshold:
    """The threshold for a gallery. Raises ModelError without a calibration, unless match.threshold is set."""
    found = threshold_for(loaded.config.match, card.naming_calibration, len(gallery.embeddings))
    if found is None:
        raise _uncalibrated(card)
    return found


def similarity_scale(settings: MatchSettings, card: Card) -> Calibration:
    """How similar strangers are by cosine: the calibration or, without one, what match.threshold implies.

    Raises ModelError when there is neither.
    """
    if card.calibration is not None:
        return card.calibration
    if settings.threshold is None:
        raise _uncalibrated(card)
    return assumed(settings.threshold)


def naming_scale(settings: MatchSettings, card: Card) -> Calibration:
    """The same for the similarity by which names are given, where the card has one of its own."""
    if card.naming_calibration is not None:
        return card.naming_calibration
    if settings.threshold is None:
        raise _uncalibrated(card)
    return assumed(settings.threshold)


def _uncalibrated(card: Card) -> ModelError:
    return ModelError(
        f"the card of the embedder {card.name!r} has no calibration, so nothing says how similar two faces of one "
        "person are: calibrate it with `whosthere-converter calibrate`, or set match.threshold"
    )


def name_margin(settings: MatchSettings, scale: Calibration) -> float:
    """The lead in similarity that a name needs: match.min_margin, stretched to the scale of the embedder."""
    # To three digits, which is as well as a calibration knows it.
    return float(f"{settings.min_margin * spread(same_person(scale)):.3g}")


def linking_thresholds(calibration: Calibration, infrared_calibration: Calibration | None = None) -> LinkingThresholds:
    """The thresholds that follow from the calibrations, whatever the gallery."""
    same = same_person(calibration)
    different, _ = calibration.similarity_at(OTHER_PERSON_RATE)
    doubtful, _ = calibration.similarity_at(DOUBTFUL_RATE)
    infrared = linking_thresholds(infrared_calibration) if infrared_calibration else None
    return LinkingThresholds(same, different, doubtful, infrared)


def cosine_threshold(settings: MatchSettings, card: Card, templates: int) -> float:
    """The same by cosine, whatever similarity names go by: for choosing among photos.

    Raises ModelError for an embedder without a calibration, unless match.threshold is set.
    """
    found = threshold_for(settings, card.calibration, templates)
    if found is None:
        raise _uncalibrated(card)
    return found.similarity


def lookalike_threshold(settings: MatchSettings, card: Card, templates: int) -> float:
    """The similarity from which two people of a gallery can be mistaken for each other: the threshold for a name.

    Raises ModelError for an embedder without a calibration, unless match.threshold is set.
    """
    found = threshold_for(settings, card.naming_calibration, templates)
    if found is None:
        raise _uncalibrated(card)
    return found.similarity


@dataclass(frozen=True, slots=True)
class Bounds:
    """The range of false-alarm targets that the calibration covers."""

    low: float
    high: float


def target_bounds(calibration: Calibration | None, templates: int) -> Bounds | None:
    """The range for a gallery of that many templates, from the rates measured per comparison.

    FPIR = 1 - (1 - f)^N as in `threshold_for`. None: the embedder is not calibrated.
    """
    if calibration is None:
        return None
    rates = [rate for _, rate in calibration.points]
    low, high = (1.0 - (1.0 - rate) ** max(1, templates) for rate in (min(rates), max(rates)))
    return Bounds(low, min(high, 0.5))


def check_target(target: float, allowed: Bounds | None) -> None:
    """Raise UsageError when a false-alarm target lies outside the bounds, or there are none."""
    if allowed is None:
        raise UsageError("the embedder is not calibrated, or match.threshold is set: there is no target to set")
    if not allowed.low <= target <= allowed.high:
        raise UsageError(
            f"false_alarm_target: found {target:g}; the calibration and this gallery allow "
            f"{allowed.low:.2g} to {allowed.high:.2g}"
        )
