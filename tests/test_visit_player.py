"""Scripted visits: the same scenes each time, honest truth, and a score that counts what it says."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from converter.visit_player.answers import KeptAnswers, load_remembering
from converter.visit_player.box import BoxEngine, EventCheck
from converter.visit_player.director import scenes
from converter.visit_player.painting import TREATMENTS, PaintedScene, part_at, place
from converter.visit_player.playing import Played, Said, play
from converter.visit_player.rules import RULES, Rule, removed
from converter.visit_player.scoring import OddTake, odd_takes, score
from converter.visit_player.script import LEAD_S, Actor, Part, VisitScene
from converter.visit_player.visit_report import PlayedDocument, write
from edge.config.loading import Config
from edge.errors import UsageError
from edge.events import Event, EventKind
from edge.records import Box
from edge.visits.state import Visit
from edge.visits.thresholds import LinkingThresholds
from support.portraits import PORTRAITS, analyser

OBAMA, HOPPER = "Barack Obama", "Grace Hopper"
SHOWN = {
    OBAMA: ("enroll/barack-obama/photo.jpg", "visit/barack-obama-2009.jpg"),
    HOPPER: ("enroll/grace-hopper/photo.jpg", "enroll/grace-hopper/photo.jpg"),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """(enrolled, shown) per person, cut like LFW's: 250 x 250, the eyes 42 px apart in the middle."""
    folder = tmp_path_factory.mktemp("lfw")
    found = {}
    for name, pair in SHOWN.items():
        paths = []
        for number, relative in enumerate(pair):
            image = np.asarray(cv2.imread(str(PORTRAITS / relative)), np.uint8)
            five = analyser().look(image, analyser().detector.detect(image)[0]).landmarks.five
            scale = 42 / float(np.linalg.norm(five[1] - five[0]))
            x, y = five.mean(0) * scale
            matrix = np.array([[scale, 0, 125 - x], [0, scale, 125 - y]])
            path = folder / f"{name}_{number}.png"
            cv2.imwrite(str(path), cv2.warpAffine(image, matrix, (250, 250)))
            paths.append(path)
        found[name] = (paths[0], paths[1])
    return found


def people(count: int = 14, photos_each: int = 6) -> dict[str, list[Path]]:
    return {f"person{n}": [Path(f"{n}_{i}.jpg") for i in range(photos_each)] for n in range(count)}


def test_the_same_seed_gives_the_same_scenes_and_another_gives_others() -> None:
    assert scenes(people(), [], 0.1, seed=1) == scenes(people(), [], 0.1, seed=1)
    assert scenes(people(), [], 0.1, seed=1) != scenes(people(), [], 0.1, seed=2)
    every = scenes(people(), [])
    assert len(every) >= 300
    assert sum(len(scene.actors) for scene in every) >= 400


def test_a_smaller_share_plays_some_of_the_same_scenes_and_every_kind() -> None:
    every, some = scenes(people(), []), scenes(people(), [], 0.05)
    assert all(scene in every for scene in some)
    assert {scene.kind for scene in some} == {scene.kind for scene in every}
    assert len({scene.kind for scene in some[:27]}) == 27, "the kinds take turns, so that an interrupted run has all"


def test_some_kinds_alone_are_the_same_scenes_and_others_are_refused() -> None:
    every = scenes(people(), [], 0.3)
    some = scenes(people(), [], 0.3, only=("dark", "infrared"))
    assert some == [scene for scene in every if scene.kind in {"dark", "infrared"}]
    with pytest.raises(UsageError, match=r"--kind: found night; allowed: known; stranger; "):
        scenes(people(), [], only=("dark", "night"))


def test_nobody_is_shown_in_a_photo_that_is_enrolled_and_strangers_are_not_enrolled() -> None:
    barred = [("person0", "person1")]
    for scene in scenes(people(), barred, 0.3):
        enrolled = {photo for known in scene.enrolled.values() for photo in known}
        assert len({actor.person for actor in scene.actors}) == len(scene.actors)
        for actor in scene.actors:
            assert actor.known == (actor.person in scene.enrolled)
            assert not enrolled & {part.photo for part in actor.parts}
            assert all(part.treatment in TREATMENTS for part in actor.parts)
            if not actor.known and actor.person in barred[0]:
                assert not set(barred[0]) & set(scene.enrolled)


def one_after_the_other(photos: dict[str, tuple[Path, Path]], *, second_known: bool) -> PaintedScene:
    parts = {
        name: Part(LEAD_S + 3 * n, LEAD_S + 3 * n + 3, photos[name][1], (0.9, 0.9), (0.5, 0.5))
        for n, name in enumerate((OBAMA, HOPPER))
    }
    enrolled = {OBAMA: [photos[OBAMA][0]]} | ({HOPPER: [photos[HOPPER][0]]} if second_known else {})
    actors = (Actor(OBAMA, True, (parts[OBAMA],)), Actor(HOPPER, second_known, (parts[HOPPER],)))
    return PaintedScene(VisitScene("swap", 1, actors, enrolled))


def engine(answers: KeptAnswers, check: EventCheck | None = None, rule: Rule | None = None) -> BoxEngine:
    return BoxEngine(load_remembering(Config().models, None, answers), Config(), check or EventCheck(), rule)


@pytest.mark.slow
@pytest.mark.parametrize("second_known", [True, False])
def test_a_swap_is_two_visits_and_no_wrong_name(
    photos: dict[str, tuple[Path, Path]], second_known: bool, tmp_path: Path
) -> None:
    scene = one_after_the_other(photos, second_known=second_known)
    answers, check = KeptAnswers(tmp_path), EventCheck()
    answers.open("swap")
    box, bare = engine(answers, check), engine(answers, check, next(rule for rule in RULES if rule.name == "swap"))
    once, without = play(scene, [box, bare])
    answers.save()
    again = KeptAnswers(tmp_path)
    again.open("swap")
    [second] = play(scene, [engine(again)])
    assert again.asked > 0, "the networks were asked"
    assert again.computed == 0, "and everything was known from the first run"
    assert (second.said, second.labels) == (once.said, once.labels)
    row, _, unbound, _ = score([once, without])
    assert (row.wrong_names, row.visits, row.people) == (0, 2, 2)
    assert row.named == 1 + second_known
    assert row.rightly_unknown == 1 - second_known
    assert row.wrong_labels <= 3, "at most two looks, a frame apart, and the one before the first"
    assert unbound.wrong_labels > 10, "without the rule the newcomer inherits the name"
    assert check.checked > 8
    assert check.faults == []


def test_networks_that_remember_answer_as_the_networks_do(photos: dict[str, tuple[Path, Path]]) -> None:
    [image] = [image for at, image in one_after_the_other(photos, second_known=True).frames() if at == 2.0]
    remembering = engine(KeptAnswers(None))._analyser
    for _ in range(2):
        [mine], [real] = remembering.portraits(image), analyser().portraits(image)
        assert mine.face.box == real.face.box
        assert mine.quality == real.quality
        assert mine.embedding is not None
        assert real.embedding is not None
        assert (mine.embedding == real.embedding).all()


def test_a_damaged_store_is_started_over(tmp_path: Path) -> None:
    answers = KeptAnswers(tmp_path)
    answers.open("a")
    image = np.zeros((2, 2, 3), np.uint8)
    assert answers.ask_about(b"who", [image], lambda: [b"1"]) == [b"1"]
    answers.save()
    answers.open("a")
    assert answers.ask_about(b"who", [image], lambda: [b"2"]) == [b"1"]
    assert answers.ask_about(b"else", [image], lambda: [b"3"]) == [b"3"]
    (tmp_path / "a.msgpack").write_bytes(b"torn")
    answers.open("a")
    assert answers.ask_about(b"who", [image], lambda: [b"2"]) == [b"2"]


def test_an_event_that_does_not_fit_the_schema_is_counted() -> None:
    check = EventCheck()
    check.add(Event(EventKind.STARTED, "v", 0, 1.0, 1.0, 0.0))
    check.add(Event(EventKind.STARTED, "v", -1, 1.0, 1.0, 0.0))
    assert check.checked == 2
    assert len(check.faults) == 1
    assert "v/-1" in check.faults[0]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_that_is_taken_out_is_put_back(rule: Rule) -> None:
    assert rule.settings or rule.stand_ins
    for owner, name, value in rule.stand_ins:
        # A property stands in for what each visit holds itself.
        real = Visit.rung("a", 0.0, LinkingThresholds(0.45, 0.2, 0.35)) if isinstance(value, property) else owner
        assert name in vars(real), f"{name} has moved, so that {rule.name} is not taken out at all"
    before = [vars(owner).get(name) for owner, name, _ in rule.stand_ins]
    with pytest.raises(ZeroDivisionError), removed(rule):
        assert [vars(owner)[name] for owner, name, _ in rule.stand_ins] == [value for _, _, value in rule.stand_ins]
        raise ZeroDivisionError
    assert [vars(owner).get(name) for owner, name, _ in rule.stand_ins] == before
    if rule.settings:
        assert rule.config(Config()) != Config(), "another value than the default"


def test_the_frames_are_the_same_each_time_and_show_the_face_where_the_truth_says(
    photos: dict[str, tuple[Path, Path]],
) -> None:
    painted = one_after_the_other(photos, second_known=True)
    first, second = list(painted.frames()), list(painted.frames())
    assert all((a == b).all() for (_, a), (_, b) in zip(first, second, strict=True))
    at, image = first[15]
    [face] = analyser().detector.detect(image)
    part = part_at(painted.actors[0], at)
    assert part is not None
    x, y, _ = place(part, at)
    assert np.hypot(face.box.centre[0] - x, face.box.centre[1] - y) < 25
    assert painted.actor_at(at, face.box) is painted.actors[0]
    assert painted.actor_at(at, Box(0, 0, 20, 20)) is None


def test_a_face_is_painted_in_every_treatment_and_at_the_edge(photos: dict[str, tuple[Path, Path]]) -> None:
    shown = set()
    for treatment in TREATMENTS:
        part = Part(0.0, 1.0, photos[OBAMA][1], (0.9, 0.9), (0.02, 0.5), treatment)
        scene = PaintedScene(VisitScene("test", 1, (Actor(OBAMA, True, (part,)),), {}, cuts=(0.5,)))
        pictures = [image for _, image in scene.frames()]
        assert all(image.shape == (480, 640, 3) for image in pictures)
        shown.add(pictures[9].tobytes())
    assert len(shown) == len(TREATMENTS)


def test_the_score_counts_wrong_names_labels_corrections_and_pictures() -> None:
    part = (Part(0, 9, Path("a"), (1, 1), (0.5, 0.5)),)
    ada, guest = Actor("ada", True, part), Actor("guest", False, part)
    poster, screen = Actor("eve", True, part, pictured=True), Actor("tom", True, part, pictured=True)
    played = Played("box", "test", (ada, guest, poster, screen), usable={"ada": 1.0}, looks=7)
    played.said = [
        (Said(0.5, None, started=True), ada),
        (Said(0.6, None, started=True), None),
        (Said(3.0, None), ada),
        (Said(4.0, None, "ada", corrects=True), ada),
        (Said(5.0, None, "ada"), guest),
        (Said(6.0, None, "ada"), guest),
        (Said(6.0, None, "eve"), poster),
        (Said(6.0, None, spoof=True), screen),
        (Said(7.0, None, "ada"), None),
    ]
    played.labels = [(ada, "ada"), (guest, "ada"), (guest, None)]
    row, everything = score([played])
    assert (row.known, row.usable, row.named, row.seconds(50)) == (1, 1, 1, 3.0)
    assert (row.strangers, row.rightly_unknown, row.wrong_names) == (1, 0, 2), "the guest once, and nobody's face once"
    assert (row.pictures, row.pictures_named, row.pictures_noticed, row.spoofs) == (2, 1, 1, 0)
    assert (row.wrong_labels, row.labels, row.corrections, row.decisions) == (1, 3, 1, 7)
    assert (row.visits, row.elsewhere, row.people) == (2, 1, 4)
    assert everything.kind == "all"
    [odd] = odd_takes([played])
    assert odd.said == [
        "guest was called ada",
        "guest was called ada",
        "nobody was called ada",
        "another name was shown at 1 of 3 faces",
        "visits: 2, 1 of them elsewhere; people: 4",
    ]


def test_a_take_without_a_fault_is_not_listed_and_a_missing_name_is() -> None:
    ada = Actor("ada", True, (Part(0, 9, Path("a"), (1, 1), (0.5, 0.5)),))
    started = (Said(1.0, None, started=True), ada)
    right = Played("box", "test", (ada,), [started, (Said(1.5, None, "ada"), ada)], usable={"ada": 1.0})
    silent = Played("box", "test", (ada,), [started, (Said(1.5, None), ada)], usable={"ada": 1.0}, number=7)
    [odd] = odd_takes([right, silent])
    assert (odd.kind, odd.number, odd.said) == ("test", 7, ["ada was not named"])


def test_somebody_without_a_usable_face_counts_as_known_only() -> None:
    ada = Actor("ada", True, (Part(0, 9, Path("a"), (1, 1), (0.5, 0.5)),))
    row, _ = score([Played("box", "test", (ada,), said=[(Said(1.0, None, "ada"), ada)])])
    assert (row.known, row.usable, row.named, row.seconds_to_name) == (1, 0, 0, [])


def test_the_page_shows_every_engine(tmp_path: Path) -> None:
    ada = Actor("ada", True, ())
    rows = score(
        Played(name, "test", (ada,), said=[(Said(2.0, None, "ada"), ada)], usable={"ada": 1.5})
        for name in ("box", "peer")
    )
    odd = [OddTake("box", "test", 4, ["<ada> was not named"])]
    path = write(tmp_path / "page", PlayedDocument(1, 1, 3, ["visit-1/0: wrong"], rows, {"swap": "a <rule>"}, odd))
    page = path.read_text()
    assert page.count("peer") >= 1
    assert "1 do not fit it" in page
    assert "a &lt;rule&gt;" in page
    assert "test, no. 4: &lt;ada&gt; was not named" in page
    assert (tmp_path / "page" / "visits.json").exists()
    assert all(cv2.imread(str(tmp_path / "page" / f"{name}.png")) is not None for name in ("people", "seconds"))
