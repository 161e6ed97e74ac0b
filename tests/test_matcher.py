"""Open-set matching: a name only over the threshold, clear of everybody else, and never twice in one picture."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import lazy_numpy
from edge.config.loading import Config, LoadedConfig
from edge.config.sections import GallerySettings
from edge.config.visits import MatchSettings
from edge.errors import GalleryError
from edge.galleries.file import write_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Person, Template
from edge.models import card
from edge.models.card import Calibration
from edge.records import Doubt, Outcome, SeenFaces
from edge.visits import matcher as matching
from edge.visits.matcher import Matcher, _products, load_matcher
from edge.visits.thresholds import target_bounds, threshold_for, threshold_in_force
from support.people import AT, alike, gallery_of, somebody

ADA, BEN, STRANGER = somebody(1), somebody(2), somebody(3)
CALIBRATION = Calibration("made up", "none", [(0.2, 1e-1), (0.4, 1e-3), (0.6, 1e-5)])


def matcher(threshold: float = 0.5, min_margin: float = 0.05, **people: np.ndarray) -> Matcher:
    return Matcher(gallery_of(**(people or {"ada": ADA, "ben": BEN})), threshold, min_margin, CALIBRATION)


def test_a_known_face_gets_its_name() -> None:
    match = matcher().match(alike(ADA, 0.8))
    assert match.outcome is Outcome.RECOGNIZED
    assert match.person is not None
    assert (match.person.person_id, round(match.person.similarity, 3)) == ("ada", 0.8)
    assert match.runner_up is not None
    assert match.runner_up.person_id == "ben"


def test_of_many_people_the_two_nearest_are_found_and_of_equals_the_first() -> None:
    everybody = {f"p{i}": somebody(i) for i in range(50)}
    everybody |= {"twin": everybody["p7"], "third": alike(everybody["p7"], 0.9)}
    found = matcher(**everybody).match(everybody["p7"])
    assert found.best is not None
    assert found.runner_up is not None
    assert (found.best.person_id, found.runner_up.person_id) == ("p7", "twin")
    assert found.doubt is Doubt.MARGIN
    alone = matcher(ada=ADA).match(ADA)
    assert (alone.best is not None, alone.runner_up) == (True, None)


def test_the_second_person_is_another_one_however_many_templates_the_first_has() -> None:
    everybody = {f"p{i}": somebody(i) for i in range(9)}
    more = [alike(everybody["p4"], likeness, seed=8) for likeness in (0.98, 0.96)]
    gallery = gallery_of(**everybody).with_templates("p4", more, [Template("b", 1.0, AT)] * 2, AT)
    found = Matcher(gallery, 0.5, 0.05, None).match(more[0])
    assert found.best is not None
    assert found.runner_up is not None
    assert (found.best.person_id, round(found.best.similarity, 3)) == ("p4", 1.0)
    nearest = max((name for name in everybody if name != "p4"), key=lambda name: float(everybody[name] @ more[0]))
    assert found.runner_up.person_id == nearest


@pytest.mark.parametrize(("new", "cached", "by_rows"), [(True, 0, True), (True, 1 << 20, False), (False, 0, False)])
def test_small_and_large_galleries_give_the_same_similarities_with_old_and_new_numpy(
    monkeypatch: pytest.MonkeyPatch, new: bool, cached: int, by_rows: bool
) -> None:
    called = []

    def vecdot(rows: np.ndarray, probe: np.ndarray) -> np.ndarray:
        called.append(len(rows))
        return np.einsum("nd,d->n", rows, probe)

    monkeypatch.delattr(lazy_numpy, "vecdot", raising=False)
    monkeypatch.delattr(np, "vecdot", raising=False)
    if new:
        monkeypatch.setattr(lazy_numpy, "vecdot", vecdot, raising=False)
    monkeypatch.setattr(matching, "CACHED_BYTES", cached)
    rows = np.stack([somebody(i) for i in range(7)])
    assert np.allclose(_products(rows, ADA), [float(row @ ADA) for row in rows], atol=1e-6)
    assert called == ([7] if by_rows else [])


def test_a_stranger_is_unknown_but_the_nearest_is_told() -> None:
    match = matcher().match(STRANGER)
    assert match.outcome is Outcome.UNKNOWN
    assert match.person is None
    assert match.best is not None


def test_the_threshold_itself_is_enough() -> None:
    exactly = float(ADA @ ADA)
    assert matcher(threshold=exactly).match(ADA).outcome is Outcome.RECOGNIZED
    assert matcher(threshold=np.nextafter(exactly, 2)).match(ADA).outcome is Outcome.UNKNOWN


def test_too_close_between_two_people_is_uncertain_with_both() -> None:
    between = ADA + BEN
    match = matcher().match(between / np.linalg.norm(between))
    assert match.outcome is Outcome.UNCERTAIN
    assert match.person is None
    assert {c.person_id for c in (match.best, match.runner_up) if c} == {"ada", "ben"}
    assert match.margin is not None
    assert match.margin < 0.05


@pytest.mark.parametrize(
    ("best", "second", "taken", "names"),
    [
        (0.60, 0.57, False, ["ada", "ben"]),  # too close
        (0.52, 0.49, False, ["ada", "ben"]),  # too close, though the second one is below the threshold
        (0.75, 0.60, True, ["ada", "ben"]),  # Ada is beside them, and Ben is over the threshold as well
        (0.80, 0.20, True, ["ada"]),  # Ada is beside them, and Ben is out of the question
        (0.75, 0.60, False, []),
        (0.30, 0.29, False, []),
    ],
)
def test_uncertain_names_everybody_whom_it_may_be_and_nobody_else(
    best: float, second: float, taken: bool, names: list[str]
) -> None:
    """With Ada and Ben at right angles, the probe has these similarities to them."""
    ben = alike(ADA, 0.0, seed=5)
    rest = alike(ADA, 0.0, seed=6)
    rest = rest - ben * float(rest @ ben)
    rest /= np.linalg.norm(rest)
    probe = best * ADA + second * ben + np.sqrt(1 - best**2 - second**2) * rest
    match = matcher(ada=ADA, ben=ben).match(probe.astype(np.float32), {"ada"} if taken else set())
    assert [candidate.person_id for candidate in match.contenders] == names


def test_two_templates_of_one_person_are_no_doubt() -> None:
    gallery = gallery_of(ada=ADA).with_templates("ada", [alike(ADA, 0.95)], [Template("b", 1.0, AT)], AT)
    match = Matcher(gallery, 0.5, 0.05, None).match(alike(ADA, 0.9, seed=7))
    assert match.outcome is Outcome.RECOGNIZED
    assert match.runner_up is None
    assert match.margin is None


def test_a_person_is_as_near_as_their_nearest_template() -> None:
    gallery = gallery_of(ada=ADA, ben=BEN).with_templates("ada", [somebody(9)], [Template("b", 1.0, AT)], AT)
    match = Matcher(gallery, 0.5, 0.05, None).match(somebody(9))
    assert match.person is not None
    assert match.person.person_id == "ada"
    assert match.person.similarity == pytest.approx(1)


def test_who_is_taken_is_not_given_again_and_nobody_else_takes_their_place() -> None:
    match = matcher(ada=ADA, ben=BEN).match(alike(ADA, 0.8), taken={"ada"})
    assert match.outcome is Outcome.UNCERTAIN
    assert matcher().match(STRANGER, taken={"ada", "ben"}).outcome is Outcome.UNKNOWN


def test_nobody_known() -> None:
    match = Matcher(gallery_of(), 0.5, 0.05, CALIBRATION).match(ADA)
    assert (match.outcome, match.best, match.margin, match.false_match_rate) == (Outcome.UNKNOWN, None, None, None)


def test_the_false_match_rate_counts_every_template() -> None:
    one = matcher(ada=ADA).match(alike(ADA, 0.4)).false_match_rate
    two = matcher(ada=ADA, ben=BEN).match(alike(ADA, 0.4)).false_match_rate
    assert one == pytest.approx(1e-3, rel=1e-3)
    assert two == pytest.approx(2e-3, rel=1e-2)


def test_without_calibration_there_is_no_rate() -> None:
    assert Matcher(gallery_of(ada=ADA), 0.5, 0.05, None).match(ADA).false_match_rate is None


def test_the_threshold_in_force() -> None:
    asked = MatchSettings(false_alarm_target=1e-3)
    alone = threshold_for(asked, CALIBRATION, 1)
    many = threshold_for(asked, CALIBRATION, 20)
    assert alone is not None
    assert many is not None
    assert alone.similarity == pytest.approx(0.4)
    assert alone.calibrated
    # Twenty templates give a stranger twenty chances: each may be taken 1/20 as often.
    assert many.similarity == pytest.approx(0.4 + 0.2 * np.log10(20) / 2, abs=1e-3)


def test_what_the_data_cannot_show_is_said() -> None:
    rarer = threshold_for(MatchSettings(false_alarm_target=1e-6), CALIBRATION, 1)
    assert rarer is not None
    assert (rarer.similarity, rarer.within_data) == (0.6, False)


def test_a_threshold_of_ones_own() -> None:
    own = threshold_for(MatchSettings(threshold=0.33), CALIBRATION, 100)
    assert own is not None
    assert (own.similarity, own.calibrated) == (0.33, False)
    assert threshold_for(MatchSettings(), None, 1) is None


@given(st.floats(1e-6, 0.5), st.integers(0, 500), st.integers(0, 500))
def test_more_templates_never_lower_the_threshold(target: float, some: int, more: int) -> None:
    asked = MatchSettings(false_alarm_target=target)
    fewer, larger = sorted((some, more))
    low, high = threshold_for(asked, CALIBRATION, fewer), threshold_for(asked, CALIBRATION, larger)
    assert low is not None
    assert high is not None
    assert low.similarity <= high.similarity
    assert 0.2 <= low.similarity <= 0.6


@given(
    st.integers(0, 2**32 - 1), st.floats(0.1, 0.9), st.floats(0, 0.3), st.sets(st.sampled_from(["ada", "ben", "cy"]))
)
def test_a_name_is_always_earned(seed: int, threshold: float, margin: float, taken: set[str]) -> None:
    """For any probe: recognized means over the threshold, clear of the second, and not taken; the best is the best."""
    people = {"ada": ADA, "ben": BEN, "cy": alike(ADA, 0.7)}
    rng = np.random.default_rng(seed)
    mixed = ADA * rng.uniform(0, 2) + BEN * rng.uniform(0, 2) + somebody(seed % 1000 + 100)
    probe = (mixed / np.linalg.norm(mixed)).astype(np.float32)
    match = matcher(threshold, margin, **people).match(probe, taken)
    scores = sorted((float(vector @ probe) for vector in people.values()), reverse=True)
    assert match.best is not None
    assert match.best.similarity == pytest.approx(scores[0], abs=1e-5)
    assert match.margin == pytest.approx(scores[0] - scores[1], abs=1e-5)
    if match.outcome is Outcome.RECOGNIZED:
        assert match.best.similarity >= threshold
        assert match.margin is not None
        assert match.margin >= margin
        assert match.best.person_id not in taken
    if match.best.similarity < threshold:
        assert match.outcome is Outcome.UNKNOWN


exact = st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=3, max_size=3)
"""Vectors whose products have no rounding, so that thresholds and margins are met exactly."""


@given(
    st.lists(st.lists(exact, min_size=1, max_size=3), max_size=4),
    exact,
    st.sampled_from([-0.5, 0.0, 0.25, 0.5, 1.0]),
    st.sampled_from([0.0, 0.25, 0.5]),
    st.sets(st.integers(0, 3)),
)
def test_a_match_is_what_comparing_everybody_one_by_one_gives(
    people: list[list[list[float]]], probe: list[float], threshold: float, margin: float, taken: set[int]
) -> None:
    known = [
        (Person(f"p{n}", f"P{n}", [Template("test", 1.0, AT)] * len(some)), [np.array(v, np.float32) for v in some])
        for n, some in enumerate(people)
    ]
    gallery = Gallery.of(1, AT, EmbedderId("vectors", "0" * 64), 3, known)
    match = Matcher(gallery, threshold, margin, None).match(np.array(probe, np.float32), {f"p{n}" for n in taken})
    scores = [max(float(np.dot(vector, probe)) for vector in some) for some in people]
    ranked = sorted(range(len(people)), key=lambda n: -scores[n])
    assert [(c.person_id, c.name, c.similarity) for c in (match.best, match.runner_up) if c] == [
        (f"p{n}", f"P{n}", scores[n]) for n in ranked[:2]
    ]
    if not ranked or scores[ranked[0]] < threshold:
        assert match.outcome is Outcome.UNKNOWN
    elif ranked[0] in taken or (len(ranked) > 1 and scores[ranked[0]] - scores[ranked[1]] < margin):
        assert match.outcome is Outcome.UNCERTAIN
    else:
        assert match.outcome is Outcome.RECOGNIZED
    assert match.threshold == threshold


def test_the_bounds_of_the_target_count_the_gallerys_templates() -> None:
    assert matcher(ada=ADA, ben=BEN).target_bounds == target_bounds(CALIBRATION, 2)
    assert Matcher(gallery_of(ada=ADA), 0.5, 0.05, None).target_bounds is None


def test_the_configured_gallery_is_loaded_with_the_threshold_in_force(tmp_path: Path) -> None:
    embedder = card.read_card(card.find("mobilefacenet"))
    unit = np.eye(1, 192, dtype=np.float32)[0]
    person = Person("ada", "Ada", [Template("test", 1.0, AT)])
    gallery = Gallery.of(1, AT, EmbedderId(embedder.name, embedder.sha256), 192, [(person, [unit])])
    path = tmp_path / "family.whg"
    write_gallery(gallery, path)
    loaded = LoadedConfig(
        Config(gallery=GallerySettings(path=path.name), match=MatchSettings(min_margin=0.2)), tmp_path
    )
    found = load_matcher(loaded, embedder)
    assert [person.id for person in found.gallery.people] == ["ada"]
    assert found.threshold == threshold_in_force(loaded, embedder, gallery).similarity
    assert (found.min_margin, found.calibration) == (0.2, embedder.calibration)
    path.unlink()
    assert load_matcher(loaded, embedder, gallery).gallery is gallery
    with pytest.raises(GalleryError, match="no such gallery"):
        load_matcher(loaded, embedder)


@pytest.mark.parametrize("dimensions", [64, 256])
def test_templates_of_another_length_are_refused(dimensions: int) -> None:
    embedder = card.read_card(card.find("mobilefacenet"))
    odd = Gallery.empty(EmbedderId(embedder.name, embedder.sha256), dimensions)
    with pytest.raises(GalleryError, match=f"{dimensions} numbers each, but those of .* mobilefacenet have 192"):
        load_matcher(LoadedConfig(Config(), Path("/etc/whosthere")), embedder, odd)


def test_more_probes_need_more_similarity_so_that_strangers_get_no_extra_chance() -> None:
    calibration = Calibration(data="", command="", points=[(0.2, 0.1), (0.4, 1e-3), (0.6, 1e-5)])
    matcher = Matcher(gallery_of(ada=ADA), 0.4, 0.05, calibration)
    assert matcher.threshold_for_probes(1) == 0.4
    for probes in (2, 3):
        stricter = matcher.threshold_for_probes(probes)
        assert calibration.rate_at(stricter) * probes == pytest.approx(calibration.rate_at(0.4))
        just_below = alike(ADA, stricter - 0.005)
        assert matcher.match(just_below).outcome is Outcome.RECOGNIZED
        refused = matcher.match(just_below, probes=probes)
        assert (refused.outcome, refused.threshold) == (Outcome.UNKNOWN, stricter)


def test_without_a_calibration_the_threshold_is_the_one_there_is() -> None:
    assert Matcher(gallery_of(ada=ADA), 0.4, 0.05, None).threshold_for_probes(3) == 0.4


def ignoring(count: int, people: Gallery | None = None, calibration: Calibration | None = CALIBRATION) -> Matcher:
    """A matcher that ignores STRANGER and `count` - 1 others."""
    vectors = np.stack([STRANGER, *(somebody(seed) for seed in range(100, 99 + count))])[:count]
    ignored = SeenFaces(vectors, np.zeros(count, bool)) if count else None
    return Matcher(people or gallery_of(ada=ADA, ben=BEN), 0.4, 0.05, calibration, ignored=ignored)


def test_the_bar_of_an_ignored_stranger_is_that_of_a_name_for_as_many_comparisons() -> None:
    for count in (3, 8, 100):
        bar = ignoring(count).ignoring_similarity
        assert bar > 0.4
        assert CALIBRATION.rate_at(bar) * count == pytest.approx(CALIBRATION.rate_at(0.4) * 2)
        if count < 50:  # The calibration's data end there.
            assert ignoring(count, gallery_of(ada=ADA)).ignoring_similarity > bar
    nobody = Gallery.empty(EmbedderId("vectors", "0" * 64), len(ADA))
    assert CALIBRATION.rate_at(ignoring(4, nobody).ignoring_similarity) * 4 == pytest.approx(CALIBRATION.rate_at(0.4))


def test_the_bar_of_an_ignored_stranger_is_never_below_the_threshold() -> None:
    assert ignoring(1).ignoring_similarity == 0.4
    assert ignoring(2).ignoring_similarity == 0.4
    assert ignoring(50, calibration=None).ignoring_similarity == 0.4
    assert ignoring(0).ignoring_similarity == 0.4


@pytest.mark.parametrize("count", [1, 5])
def test_a_stranger_is_ignored_from_the_bar_on(count: int) -> None:
    matcher = ignoring(count)
    bar = matcher.ignoring_similarity
    for similarity, ignored in ((1.0, True), (bar + 0.01, True), (bar - 0.01, False), (0.0, False)):
        assert matcher.ignores(alike(STRANGER, similarity)) is ignored
    assert matcher.ignores(-STRANGER) is False
    assert ignoring(0).ignores(STRANGER) is False


def test_exactly_the_bar_is_enough_to_be_ignored() -> None:
    axis = np.eye(len(ADA), dtype=np.float32)[0]
    half = np.zeros_like(axis)
    half[:4] = 0.5
    ignored = SeenFaces(axis[None], np.zeros(1, bool))
    assert Matcher(gallery_of(ada=ADA), 0.5, 0.05, None, ignored=ignored).ignores(half)


def test_a_lead_of_exactly_the_margin_takes_a_name_away_and_less_does_not() -> None:
    axes = np.eye(len(ADA), dtype=np.float32)
    probe = (axes[0] + axes[1]) / np.float32(2**0.5)
    for margin, outcome in ((0.0, Outcome.UNKNOWN), (0.01, Outcome.RECOGNIZED)):
        anchors = {"ada": SeenFaces(axes[1][None], np.zeros(1, bool))}
        match = Matcher(gallery_of(ada=axes[0]), 0.5, margin, None, anchors).match(probe)
        assert match.outcome is outcome


def test_somebody_unknown_whose_nearest_is_taken_says_so() -> None:
    match = matcher(0.9).match(alike(ADA, 0.5), taken={"ada"})
    assert (match.outcome, match.doubt) == (Outcome.UNKNOWN, Doubt.TAKEN)
    assert matcher(0.9).match(alike(ADA, 0.5)).doubt is None
