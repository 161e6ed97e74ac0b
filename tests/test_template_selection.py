"""Which pictures become templates: duplicates, strays and the choice of few that differ."""

from collections import Counter

import numpy as np

from converter.template_selection import Fate, Selection, Shot, cover, select
from edge.records import Pose, Quality, Vector
from support.people import alike, somebody

NAMES = {"ada": "Ada", "ben": "Ben"}
NOTHING = np.zeros((1, 1, 3), np.uint8)


def shot(source: str, vector: Vector, score: float = 0.8, yaw: float = 0.0, brightness: float = 120.0) -> Shot:
    seen = Quality(score, 40, 200, brightness, Pose(yaw, 0, 0), 1.0, None)
    return Shot(source, vector, seen, NOTHING, "2025-01-01T00:00:00Z")


def album(person: int, count: int, similarity: float = 0.8) -> list[Shot]:
    return [shot(f"{n}.jpg", alike(somebody(person), similarity, seed=1000 * person + n)) for n in range(count)]


def fates(selection: Selection, person: str) -> dict[str, Fate]:
    return {verdict.source: verdict.fate for verdict in selection.verdicts[person]}


def test_of_near_duplicates_the_best_stays() -> None:
    poor = shot("poor.jpg", alike(somebody(1), 0.97), score=0.4)
    fine = shot("fine.jpg", somebody(1), score=0.9)
    selection = select({"ada": [poor, fine]}, NAMES, 0.5, 10, 0.95)
    assert fates(selection, "ada") == {"poor.jpg": Fate.DUPLICATE, "fine.jpg": Fate.IN}
    assert selection.verdicts["ada"][0].reason == "nearly the same as fine.jpg (0.97)"
    assert selection.chosen["ada"] == [fine]


def test_a_stray_is_set_aside_and_its_owner_keeps_all() -> None:
    stray = shot("stray.jpg", alike(somebody(2), 0.8, seed=7))
    selection = select({"ada": [*album(1, 4), stray], "ben": album(2, 3)}, NAMES, 0.5, 10, 0.95)
    assert fates(selection, "ada")["stray.jpg"] is Fate.SET_ASIDE
    assert Counter(fates(selection, "ada").values()) == {Fate.IN: 4, Fate.SET_ASIDE: 1}
    assert set(fates(selection, "ben").values()) == {Fate.IN}
    reason = next(v.reason for v in selection.verdicts["ada"] if v.fate is Fate.SET_ASIDE)
    assert reason.startswith("looks like Ben (") and "not like the others in its folder" in reason


def test_only_a_picture_that_could_be_taken_for_somebody_else_is_a_stray() -> None:
    """Unlike its own people and nearer to Ben's, but not as near as a name would need: an unusual photo of Ada."""
    [ben], odd = album(2, 1), shot("odd.jpg", alike(somebody(2), 0.45, seed=7))
    people = {"ada": [*album(1, 4), odd], "ben": [ben]}
    nearest = float(odd.vector @ ben.vector)
    assert nearest > 0.2

    assert fates(select(people, NAMES, nearest + 0.01, 10, 0.95), "ada")["odd.jpg"] is Fate.IN
    assert fates(select(people, NAMES, nearest - 0.01, 10, 0.95), "ada")["odd.jpg"] is Fate.SET_ASIDE


def test_twins_are_kept_both() -> None:
    """Nearer to their own pictures than to the other's: alike, but nothing is misplaced."""
    other = alike(somebody(1), 0.8, seed=3)
    ben = [shot(f"{n}.jpg", alike(other, 0.9, seed=50 + n)) for n in range(3)]
    ada = [shot(f"{n}.jpg", alike(somebody(1), 0.9, seed=70 + n)) for n in range(3)]
    selection = select({"ada": ada, "ben": ben}, NAMES, 0.5, 10, 0.95)
    assert {v.fate for some in selection.verdicts.values() for v in some} == {Fate.IN}


def test_a_single_picture_is_nobodys_stray() -> None:
    same = shot("only.jpg", alike(somebody(2), 0.8, seed=9))
    selection = select({"ada": [same], "ben": album(2, 3)}, NAMES, 0.5, 10, 0.95)
    assert selection.chosen["ada"] == [same]


def test_the_few_that_are_taken_cover_pose_and_light() -> None:
    frontal = [shot(f"front{n}.jpg", alike(somebody(1), 0.94, seed=31 + n), score=0.9) for n in range(6)]
    left = shot("left.jpg", alike(somebody(1), 0.9, seed=21), yaw=-40, score=0.7)
    right = shot("right.jpg", alike(somebody(1), 0.9, seed=22), yaw=40, score=0.7)
    dark = shot("dark.jpg", alike(somebody(1), 0.9, seed=23), brightness=40, score=0.7)
    taken = {s.source for s in cover([*frontal, left, right, dark], 4)}
    assert {"left.jpg", "right.jpg", "dark.jpg"} <= taken
    selection = select({"ada": [*frontal, left, right, dark]}, NAMES, 0.5, 4, 0.95)
    assert Counter(fates(selection, "ada").values()) == {Fate.IN: 4, Fate.SURPLUS: 5}


def test_the_same_shots_give_the_same_choice() -> None:
    some = {"ada": album(1, 20), "ben": album(2, 20)}
    first, second = select(some, NAMES, 0.5, 5, 0.95), select(some, NAMES, 0.5, 5, 0.95)
    assert {k: [s.source for s in v] for k, v in first.chosen.items()} == {
        k: [s.source for s in v] for k, v in second.chosen.items()
    }
