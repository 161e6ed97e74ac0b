"""Scripted visits: the same scenes each time, honest truth, and a score that counts what it says."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from converter.commands.play_visits import matcher_for
from converter.visit_player import script as scripts
from converter.visit_player.painting import frames, part_at, place
from converter.visit_player.playing import Memory, PlayedScene, actor_at, play
from converter.visit_player.scoring import score
from converter.visit_player.script import LEAD_S, Actor, Part, VisitScene, scenes
from edge.config.loading import Config
from edge.events import Event, EventKind
from edge.records import Box, Match, Outcome
from edge.records import Candidate as Near
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


def people(count: int = 12, photos_each: int = 6) -> dict[str, list[Path]]:
    return {f"person{n}": [Path(f"{n}_{i}.jpg") for i in range(photos_each)] for n in range(count)}


def test_the_same_seed_gives_the_same_scenes_and_another_gives_others() -> None:
    assert scenes(people(), [], 0.1, seed=1) == scenes(people(), [], 0.1, seed=1)
    assert scenes(people(), [], 0.1, seed=1) != scenes(people(), [], 0.1, seed=2)
    assert len(scenes(people(), [])) >= 300


def test_nobody_is_shown_in_a_photo_that_is_enrolled_and_strangers_are_not_enrolled() -> None:
    barred = [("person0", "person1")]
    for scene in scenes(people(), barred, 0.3):
        enrolled = {photo for known in scene.enrolled.values() for photo in known}
        for actor in scene.actors:
            assert actor.known == (actor.person in scene.enrolled)
            assert not enrolled & {part.photo for part in actor.parts}
            if not actor.known and actor.person in barred[0]:
                assert not set(barred[0]) & set(scene.enrolled)


def one_after_the_other(photos: dict[str, tuple[Path, Path]], *, second_known: bool) -> VisitScene:
    parts = {
        name: Part(LEAD_S + 3 * n, LEAD_S + 3 * n + 3, photos[name][1], (0.9, 0.9), (0.5, 0.5))
        for n, name in enumerate((OBAMA, HOPPER))
    }
    enrolled = {OBAMA: [photos[OBAMA][0]]} | ({HOPPER: [photos[HOPPER][0]]} if second_known else {})
    actors = (Actor(OBAMA, True, (parts[OBAMA],)), Actor(HOPPER, second_known, (parts[HOPPER],)))
    return VisitScene("swap", 1, actors, enrolled)


@pytest.mark.parametrize("second_known", [True, False])
def test_a_swap_is_two_visits_and_no_wrong_name(photos: dict[str, tuple[Path, Path]], second_known: bool) -> None:
    scene = one_after_the_other(photos, second_known=second_known)
    memory = Memory(analyser())
    once = play(scene, matcher_for(scene.enrolled, memory, Config()), memory, Config())
    asked = len(memory.answers)
    again = play(scene, matcher_for(scene.enrolled, memory, Config()), memory, Config())
    assert len(memory.answers) == asked, "a second run asks the networks nothing"
    assert [event.kind for event, _ in once.events] == [event.kind for event, _ in again.events]
    row = score([once])[0]
    assert (row.wrong_names, row.visits, row.people) == (0, 2, 2)
    assert row.named == 1 + second_known
    assert row.rightly_unknown == 1 - second_known
    assert row.wrong_labels <= 3, "at most two looks, a frame apart, and the one before the first"


def test_the_frames_are_the_same_each_time_and_show_the_face_where_the_truth_says(
    photos: dict[str, tuple[Path, Path]],
) -> None:
    scene = one_after_the_other(photos, second_known=True)
    first, second = list(frames(scene)), list(frames(scene))
    assert all((a == b).all() for (_, a), (_, b) in zip(first, second, strict=True))
    at, image = first[15]
    [face] = analyser().detector.detect(image)
    part = part_at(scene.actors[0], at)
    assert part is not None
    x, y, _ = place(part, at)
    assert np.hypot(face.box.centre[0] - x, face.box.centre[1] - y) < 25
    assert actor_at(scene, at, face.box) is scene.actors[0]
    assert actor_at(scene, at, Box(0, 0, 20, 20)) is None


def test_the_score_counts_wrong_names_labels_and_corrections() -> None:
    ada = Actor("ada", True, (Part(0, 9, Path("a"), (1, 1), (0.5, 0.5)),))
    guest = Actor("guest", False, (Part(0, 9, Path("b"), (1, 1), (0.5, 0.5)),))
    played = PlayedScene(VisitScene("test", 0, (ada, guest), {}), usable={"ada": 1.0}, looks=7)

    def event(kind: EventKind, at: float, name: str | None = None, corrects: int | None = None) -> Event:
        person = Near("id", name, 0.7) if name else None
        match = Match(Outcome.RECOGNIZED, person, None, 0.5, None) if person else None
        return Event(kind, "v", 0, at, 0.0, 0.0, match=match, corrects=corrects)

    played.events = [
        (event(EventKind.STARTED, 0.5), ada),
        (event(EventKind.UNKNOWN, 3.0), ada),
        (event(EventKind.RECOGNIZED, 4.0, "ada", corrects=1), ada),
        (event(EventKind.RECOGNIZED, 5.0, "ada"), guest),
    ]
    played.labels = [(ada, "ada"), (guest, "ada"), (guest, None)]
    row, everything = score([played])
    assert (row.named, row.seconds(50), row.rightly_unknown, row.wrong_names) == (1, 3.0, 0, 1)
    assert (row.wrong_labels, row.labels, row.corrections, row.decisions, row.visits) == (1, 3, 1, 3, 1)
    assert everything.kind == "all"
    assert scripts.FPS == 10
