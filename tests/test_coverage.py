"""Which views of a person their templates show, in words."""

import pytest

from edge.faces.enrolment import template
from edge.galleries.coverage import DARK_BELOW, TURNED_DEG, coverage
from edge.galleries.gallery import Template
from edge.records import Pose, Quality
from support.people import AT


def shown(yaw: float = 0.0, brightness: float = 120.0, *, infrared: bool = False) -> Template:
    seen = Quality(0.8, 40, 50, brightness, Pose(yaw, 0, 0), 1.0, None)
    return template("photo.jpg", seen, AT, infrared=infrared)


def test_every_view_is_counted() -> None:
    found = coverage([shown(), shown(-30), shown(-20, 50), shown(25), shown(brightness=DARK_BELOW, infrared=True)])
    assert (found.front, found.left, found.right, found.dark, found.infrared, found.not_known) == (2, 2, 1, 1, 1, 0)
    assert found.in_words() == "from the front (2), turned left (2), turned right (1), dark (1), infrared or grey (1)"


@pytest.mark.parametrize(("yaw", "view"), [(TURNED_DEG, "turned right"), (-TURNED_DEG, "turned left"), (14.9, "front")])
def test_a_side_begins_at_its_limit(yaw: float, view: str) -> None:
    assert f"{view} (1)" in coverage([shown(yaw)]).in_words()


def test_what_is_missing_is_said() -> None:
    assert coverage([shown()]).in_words() == (
        "from the front (1); missing: turned left, turned right, dark, infrared or grey"
    )


def test_templates_of_earlier_releases_are_not_guessed_at() -> None:
    found = coverage([Template("old.jpg", 0.9, AT), shown(30)])
    assert (found.front, found.right, found.not_known) == (0, 1, 1)
    assert found.in_words().endswith("; not recorded: 1")
