"""`whosthere explain`: what it says is true. Advice is applied to the same visit, and the real decision changes."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge.__main__ import main
from edge.config.faces import QualitySettings
from edge.config.visits import MatchSettings, VisitSettings
from edge.diary.certainty import certainty
from edge.diary.diary_file import DiaryFile, NewVisit
from edge.diary.explanation import Explanation, as_text, explain
from edge.diary.listing import VisitLine
from edge.diary.plot import COLUMNS, plot
from edge.diary.record import LookRecord, Rules, VisitRecord
from edge.diary.what_if import STEP, VisitChange, advice
from edge.events import EventKind
from edge.models import card
from edge.models.card import Calibration
from edge.records import Doubt, Problem, Vector
from edge.sightings import Sighting
from edge.visits.manager import VisitManager
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds, threshold_for
from support.broker import Broker
from support.daemon import write_config
from support.diaries import decision, visit
from support.people import DIMENSIONS, PLACE, gallery_of, quality

NAMES = {"ada": "Ada Lovelace", "ben": "Ben"}
MIN_MARGIN = 0.05
TARGET = 0.001


def calibration() -> Calibration:
    found = card.read_card(card.find("mobilefacenet")).calibration
    assert found is not None
    return found


CALIBRATION = calibration()


@dataclass(frozen=True)
class Scene:
    """A visitor in front of a gallery of two, whose templates are at right angles."""

    ada: float
    ben: float
    usable: int
    refused: tuple[tuple[Problem, int], ...]
    target: float = TARGET

    @property
    def possible(self) -> bool:
        return self.ada**2 + self.ben**2 <= 1

    def face(self) -> Vector:
        vector = np.zeros(DIMENSIONS, np.float32)
        vector[[0, 1, 2]] = self.ada, self.ben, math.sqrt(1 - self.ada**2 - self.ben**2)
        return vector

    def changed(self, change: VisitChange) -> "Scene":
        """The scene as the advice wants it. What it says of the first person holds for the more similar one."""
        first, second = ("ada", "ben") if self.ada >= self.ben else ("ben", "ada")
        left = tuple((p, n - change.faces if p is change.problem else n) for p, n in self.refused)
        return replace(
            self,
            usable=self.usable + change.faces,
            refused=left,
            target=change.false_alarm_target or self.target,
            **{first: getattr(self, first) + change.similarity, second: getattr(self, second) - change.lead},
        )


def play(scene: Scene) -> VisitRecord:
    """The visit as the real code decides and reports it."""
    templates = np.eye(DIMENSIONS, dtype=np.float32)
    gallery = gallery_of(ada=templates[0], ben=templates[1])
    found = threshold_for(MatchSettings(false_alarm_target=scene.target), CALIBRATION, 2)
    assert found is not None
    matcher = Matcher(gallery, found.similarity, MIN_MARGIN, CALIBRATION)
    visits = VisitManager(VisitSettings(), linking_thresholds(CALIBRATION), matcher, lambda: "v1", pictures=False)
    looks = [None] * scene.usable + [problem for problem, count in scene.refused for _ in range(count)]
    for n, problem in enumerate(looks):
        seen = Sighting(1, n / 10, PLACE, 0.0, quality(0.8, problem), None if problem else scene.face())
        visits.update([seen], {1}, n / 10)
    ended = [event for event in visits.flush(10.0) if event.kind is EventKind.ENDED][-1]
    assert ended.account is not None
    rules = Rules(scene.target, False, 2, MIN_MARGIN, 3, QualitySettings())
    return VisitRecord.of(
        ended, ended.account, 1.75e9, clock_set=True, model="mobilefacenet", gallery_version="1", rules=rules
    )


def kind(scene: Scene) -> EventKind:
    return play(scene).kind


hundredths = st.integers(-20, 99).map(lambda n: n / 100)
near = st.integers(400, 520).map(lambda n: n / 1000)
"""Around the threshold, which is 0.477."""
scenes = st.builds(
    Scene,
    hundredths | near,
    hundredths | near,
    st.integers(0, 12),
    st.lists(st.tuples(st.sampled_from([p for p in Problem if p is not Problem.NOT_A_FACE]), st.integers(1, 5)),
             max_size=3, unique_by=lambda pair: pair[0]).map(tuple),
).filter(lambda scene: scene.possible and scene.usable + len(scene.refused) > 0)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(scene=scenes)
def test_all_advice_is_true(scene: Scene) -> None:
    assume(scene.ada != scene.ben)
    told = play(scene)
    for one in advice(told, CALIBRATION):
        other = scene.changed(one.change)
        assume(other.possible)
        after = kind(other)
        if told.kind is EventKind.NO_USABLE_FACE:
            assert after in {EventKind.RECOGNIZED, EventKind.UNKNOWN, EventKind.UNCERTAIN}, one
        else:
            assert after is one.decision is not told.kind, one


@settings(max_examples=200, deadline=None, derandomize=True)
@given(scene=scenes)
def test_advice_asks_for_no_more_than_is_needed(scene: Scene) -> None:
    assume(scene.ada != scene.ben)
    told = play(scene)
    for one in advice(told, CALIBRATION):
        change = one.change
        less = []
        if change.similarity:
            by = 2 * STEP * (1 if change.similarity > 0 else -1)
            less.append(msgspec.structs.replace(change, similarity=change.similarity - by))
        if change.lead:
            less.append(msgspec.structs.replace(change, lead=change.lead - 2 * STEP))
        if change.faces and change.problem is None:
            less.append(msgspec.structs.replace(change, faces=change.faces - 1))
        for smaller in less:
            other = scene.changed(smaller)
            # Changes across zero have turned round.
            assume(other.possible and change.similarity * smaller.similarity >= 0 and smaller.lead >= 0)
            assert kind(other) is not one.decision, smaller


@settings(max_examples=100, deadline=None, derandomize=True)
@given(scene=scenes)
def test_there_is_advice_unless_there_is_none_to_give(scene: Scene) -> None:
    assume(scene.ada != scene.ben)
    told = play(scene)
    assert advice(told, CALIBRATION) or told.kind is EventKind.ENDED or scene.ada < -0.19


def test_the_examples_of_the_documentation() -> None:
    def texts(scene: Scene) -> list[str]:
        return [one.text for one in explain(play(scene), NAMES, CALIBRATION).advice]

    assert texts(Scene(0.6, 0.1, 1, ((Problem.TURNED_AWAY, 12),))) == [
        "2 more usable faces; it would have been Ada Lovelace",
        "move the camera: 12 of 13 turned away by more than 45 degrees (0); it would have been Ada Lovelace",
    ]
    assert texts(Scene(0.44, 0.1, 9, ())) == [
        "0.038 more similarity to Ada Lovelace; it would have been Ada Lovelace",
        (
            "match.false_alarm_target: 0.0027, which calls one stranger in 370 by a name, not one in 1,000; "
            "it would have been Ada Lovelace"
        ),
    ]
    assert texts(Scene(0.6, 0.58, 9, ())) == ["0.031 less similarity to Ben; it would have been Ada Lovelace"]
    assert texts(Scene(0.6, 0.2, 9, ())) == ["0.123 less similarity to Ada Lovelace; it would have been unknown"]
    dark = "4 of 4 too dark, with a brightness below 3 of 255 (120)"
    assert texts(Scene(0.6, 0.2, 0, ((Problem.TOO_DARK, 4),))) == [
        f"add light, or raise camera.exposure_ev: {dark}; it would have been a name, or unknown",
    ]


@pytest.mark.parametrize("doubt", [Doubt.TAKEN, Doubt.GROUPS])
def test_no_advice_where_no_figure_would_have_helped(doubt: Doubt) -> None:
    told = play(Scene(0.6, 0.1, 2, ()))
    taken = msgspec.structs.replace(
        told, decisions=[msgspec.structs.replace(told.decisions[0], doubt=doubt, usable_faces=5)]
    )
    assert advice(taken, CALIBRATION) == []
    assert "another face in the picture" in as_text(explain(taken, NAMES, None)) or doubt is Doubt.GROUPS


def test_a_target_ten_times_laxer_is_no_advice_and_neither_is_one_without_calibration() -> None:
    for ada, given_ in ((0.44, True), (0.30, False)):
        told = play(Scene(ada, 0.1, 9, ()))
        targets = [one.change.false_alarm_target for one in advice(told, CALIBRATION)]
        assert any(targets) == given_
        assert not any(one.change.false_alarm_target for one in advice(told, None))
        rules = msgspec.structs.replace(told.rules, fixed_threshold=True)
        fixed = msgspec.structs.replace(told, rules=rules)
        assert not any(one.change.false_alarm_target for one in advice(fixed, CALIBRATION))


def test_the_explanation_has_the_whole_chain() -> None:
    told = explain(play(Scene(0.6, 0.2, 5, ((Problem.CUT_OFF, 2), (Problem.TOO_SMALL, 3)))), NAMES, CALIBRATION)
    assert [(one.problem, one.count, one.limit) for one in told.refused] == [
        (Problem.TOO_SMALL, 3, 7.0),
        (Problem.CUT_OFF, 2, None),
    ]
    assert told.threshold is not None
    assert told.threshold.similarity == told.threshold.base == pytest.approx(0.477, abs=1e-4)
    assert "one stranger in 1,000" in told.threshold.text and "2 templates" in told.threshold.text
    [decision] = told.decisions
    assert decision.margin == pytest.approx(0.4) and decision.second is not None and decision.second.name == "Ben"
    text = as_text(told)
    for part in ("Ada Lovelace", "10 analysed, 5 used", "3 of 10 with less than 7 pixels", "0.400 ahead of Ben"):
        assert part in text
    assert msgspec.json.decode(msgspec.json.encode(told), type=Explanation) == told


def test_a_visit_without_anybody_is_explained_too() -> None:
    empty = msgspec.structs.replace(visit(0), decisions=[], looks=[], analysed=0, usable=0, refused=[], rang_s=0.0)
    text = as_text(explain(empty, {}, None))
    assert "nobody seen" in text and "rang" in text and "No decision" in text and "would have changed" not in text


def looked(at_s: float, similarity: float | None, fused: float | None = None) -> LookRecord:
    return LookRecord(at_s, 0.5, Problem.TOO_DARK if similarity is None else None, similarity, fused)


def test_the_plot_shows_each_look_at_its_time_and_height() -> None:
    lines = plot([looked(0, 0.2), looked(1, None), looked(2, 0.9, 0.6)], 0.5)
    assert lines[0].startswith("   0.90 ") and lines[0].endswith(".")
    assert len(lines[0]) == 8 + COLUMNS
    assert [line[8] for line in lines if line[8:9] == "."] == ["."]
    assert sum("-" * 20 in line for line in lines) == 1
    assert lines[-2].split() == ["refused", "x"]
    assert lines[-1].split() == ["0", "2.0", "s"]
    assert plot([], 0.5) == []
    assert plot([looked(3, None)], None)[-1].split() == ["0", "0.0", "s"]
    assert plot([looked(3, 0.5, 0.5)], 0.5)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.none() | st.floats(-1, 1), st.none() | st.floats(-1, 1)), max_size=40))
def test_any_looks_can_be_plotted(values: list[tuple[float, float | None, float | None]]) -> None:
    looks = [looked(*one) for one in sorted(values, key=lambda one: one[0])]
    assert all(len(line) <= 8 + COLUMNS for line in plot(looks, 0.4))


def test_the_command_explains_a_visit_by_the_beginning_of_its_id(tmp_path: Path, demo_gallery: Path) -> None:
    config = write_config(tmp_path, Broker(tmp_path, port=9), demo_gallery)
    diary = DiaryFile(tmp_path / "diary.sqlite3", 10)
    for n in range(3):
        diary.add(NewVisit(visit(n, "grace-hopper", second="barack-obama")))
    diary.close()

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, ["explain", *arguments, "--config", str(config)])
        return done.exit_code, done.output

    code, text = run(visit(1).id[:-1])
    assert code == 0 and text.startswith(f"{visit(1).id}: Grace Hopper\n") and "ahead of Barack Obama" in text
    code, text = run("last", "--json")
    assert code == 0 and json.loads(text)["visit"]["visit_id"] == visit(2).id
    assert json.loads(text)["advice"][0]["change"]["similarity"] == -0.251
    code, text = run("2025")
    assert code == 2 and "several visits begin with '2025'" in text
    code, text = run("tomorrow")
    assert code == 2 and "found no visit 'tomorrow'; `whosthere visits` lists them" in text


@pytest.mark.parametrize(
    ("doubt", "said"),
    [
        (Doubt.MARGIN, "It may be Ada Lovelace or Ben; too close to call."),
        (Doubt.FEW_FACES, "It may be Ada Lovelace, but too few good faces were seen to be sure."),
        (Doubt.TAKEN, "It may be Ada Lovelace, but another face in the picture had that name."),
        (Doubt.GROUPS, "It may be Ada Lovelace or Ben; the faces did not agree."),
    ],
)
def test_the_card_of_an_uncertain_visit_says_what_was_missing(doubt: Doubt, said: str) -> None:
    last = msgspec.structs.replace(decision(EventKind.UNCERTAIN, "ada", "ben"), doubt=doubt)
    found = msgspec.structs.replace(visit(1, None), decisions=[last])
    assert certainty(VisitLine.of(found, NAMES)).text == said
