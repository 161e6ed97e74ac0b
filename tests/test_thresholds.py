"""From a target to a similarity and back: the arithmetic of thresholds, and where the data end."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.loading import Config, LoadedConfig
from edge.config.visits import MatchSettings
from edge.errors import ModelError, UsageError
from edge.models import card
from edge.models.card import Calibration, Card
from edge.visits.thresholds import (
    Bounds,
    LinkingThresholds,
    check_target,
    linking_thresholds,
    lookalike_threshold,
    name_margin,
    similarity_scale,
    target_bounds,
    threshold_for,
    threshold_in_force,
)
from support.people import gallery_of, somebody

CALIBRATION = Calibration("made up", "none", [(0.2, 1e-1), (0.4, 1e-3), (0.6, 1e-5)])


def loaded(**match: float) -> LoadedConfig:
    return LoadedConfig(Config(match=MatchSettings(**match)), Path("/etc/whosthere"))


def embedder(calibration: Calibration | None) -> Card:
    bundled = card.read_card(card.find("mobilefacenet"))
    return msgspec.structs.replace(bundled, calibration=calibration)


@given(st.floats(2e-5, 0.4), st.integers(1, 1000))
def test_at_the_threshold_a_stranger_is_named_as_rarely_as_asked(target: float, templates: int) -> None:
    found = threshold_for(MatchSettings(false_alarm_target=target), CALIBRATION, templates)
    assert found is not None
    assert found.calibrated
    per_comparison = CALIBRATION.rate_at(found.similarity)
    if 0.2 < found.similarity < 0.6:
        assert 1 - (1 - per_comparison) ** templates == pytest.approx(target, rel=1e-6)
        assert found.within_data
    elif found.similarity == 0.6:
        assert 1 - (1 - per_comparison) ** templates >= target * (1 - 1e-6)


@given(st.integers(1, 1000))
def test_the_bounds_are_where_the_threshold_stops_moving(templates: int) -> None:
    bounds = target_bounds(CALIBRATION, templates)
    assert bounds is not None
    assert bounds.low == pytest.approx(1 - (1 - 1e-5) ** templates)
    assert bounds.high == pytest.approx(min(1 - 0.9**templates, 0.5))
    inside = threshold_for(MatchSettings(false_alarm_target=bounds.low * 1.001), CALIBRATION, templates)
    outside = threshold_for(MatchSettings(false_alarm_target=bounds.low * 0.999), CALIBRATION, templates)
    assert inside is not None and inside.within_data and inside.similarity < 0.6
    assert outside is not None and not outside.within_data and outside.similarity == 0.6


def test_a_gallery_without_templates_counts_as_one() -> None:
    asked = MatchSettings(false_alarm_target=1e-3)
    assert threshold_for(asked, CALIBRATION, 0) == threshold_for(asked, CALIBRATION, 1)
    assert target_bounds(CALIBRATION, 0) == target_bounds(CALIBRATION, 1)


def test_an_override_ignores_the_calibration_and_claims_no_data() -> None:
    found = threshold_for(MatchSettings(threshold=0.9), CALIBRATION, 3)
    assert found is not None
    assert (found.similarity, found.calibrated, found.within_data) == (0.9, False, True)


def test_the_threshold_in_force_counts_the_gallerys_templates() -> None:
    two = gallery_of(ada=somebody(1), ben=somebody(2))
    found = threshold_in_force(loaded(false_alarm_target=1e-3), embedder(CALIBRATION), two)
    assert found == threshold_for(MatchSettings(false_alarm_target=1e-3), CALIBRATION, 2)


def test_an_embedder_without_calibration_needs_an_override() -> None:
    assert target_bounds(None, 3) is None
    with pytest.raises(ModelError, match=r"'mobilefacenet' has no calibration.*set match\.threshold"):
        threshold_in_force(loaded(), embedder(None), gallery_of())
    assert threshold_in_force(loaded(threshold=0.3), embedder(None), gallery_of()).similarity == 0.3


def test_visitors_are_linked_at_one_in_a_thousand_and_told_apart_at_one_in_ten() -> None:
    wide = Calibration("made up", "none", [(0.0, 0.5), (0.3, 1e-2), (0.7, 1e-5)])
    linking = linking_thresholds(wide)
    assert (wide.rate_at(linking.same), wide.rate_at(linking.different)) == pytest.approx((1e-3, 1e-1))


def test_without_calibration_the_owners_threshold_says_how_similar_faces_are() -> None:
    with pytest.raises(ModelError, match=r"no calibration.*whosthere-converter calibrate.*set match\.threshold"):
        similarity_scale(MatchSettings(), embedder(None))
    assert similarity_scale(MatchSettings(threshold=0.2), embedder(CALIBRATION)) is CALIBRATION
    for threshold in (-0.5, 0.45, 0.98):
        linking = linking_thresholds(similarity_scale(MatchSettings(threshold=threshold), embedder(None)))
        assert linking.different < linking.doubtful < linking.same == pytest.approx(threshold)
        assert linking.same < linking.coherent < linking.too_alike < 1


def test_people_can_be_mistaken_from_the_threshold_for_a_name_on() -> None:
    asked = MatchSettings(false_alarm_target=1e-3)
    assert lookalike_threshold(asked, embedder(CALIBRATION), 1) == pytest.approx(0.4)
    assert lookalike_threshold(MatchSettings(threshold=0.7), embedder(None), 1) == 0.7
    with pytest.raises(ModelError, match="has no calibration"):
        lookalike_threshold(asked, embedder(None), 1)


def test_a_target_outside_the_bounds_is_refused_with_what_is_allowed() -> None:
    bounds = Bounds(2e-5, 0.25)
    for allowed in (2e-5, 0.01, 0.25):
        check_target(allowed, bounds)
    for refused in (1.99e-5, 0.2501):
        with pytest.raises(
            UsageError, match=f"found {refused:g}; the calibration and this gallery allow 2e-05 to 0.25"
        ):
            check_target(refused, bounds)
    with pytest.raises(UsageError, match="there is no target to set"):
        check_target(0.01, None)


def test_two_infrared_faces_have_thresholds_of_their_own_and_others_do_not() -> None:
    night = LinkingThresholds(same=0.7, different=0.5, doubtful=0.5)
    both = LinkingThresholds(same=0.4, different=0.2, doubtful=0.2, infrared=night)
    assert (both.under(infrared=True), both.under(infrared=False)) == (night, both)
    assert (night.under(infrared=True), night.under(infrared=False)) == (night, night)


def test_the_margin_shrinks_with_the_room_between_faces() -> None:
    settings = MatchSettings(min_margin=0.08)
    near = Calibration("made up", "none", [(0.8, 1e-1), (0.9, 1e-3), (0.95, 1e-5)])
    far, close = name_margin(settings, CALIBRATION), name_margin(settings, near)
    # One stranger in a thousand reaches 0.4 of the first embedder, 0.9 of the second: 0.6 and 0.1 of room above.
    assert far > 0.08 > close
    assert far / close == pytest.approx(6, rel=0.02)
