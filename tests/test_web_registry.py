"""The list of pages says what their modules say, and loads no more of them than somebody asks for."""

import json
import subprocess
import sys

import pytest

from edge.web.registry import PAGES, ListedPage

LOADED = """
import json, sys
from edge.web import server
from edge.web.registry import PAGES
before = [page.name for page in PAGES if f"edge.web.pages.{page.name}" in sys.modules]
routes = [next(page for page in PAGES if page.holds(path)).routes for path in ("/login", "/door", "/live.mjpg")]
print(json.dumps([before, "numpy" in sys.modules, "cv2" in sys.modules, all(routes)]))
"""


@pytest.mark.parametrize("listed", PAGES, ids=lambda page: page.name)
def test_the_list_says_what_the_module_says(listed: ListedPage) -> None:
    page = listed.page
    assert (page.name, page.title, page.path, page.public) == (listed.name, listed.title, listed.path, listed.public)
    for route in page.routes:
        assert [one.name for one in PAGES if one.holds(route.path)] == [listed.name], route.path


def test_the_door_can_be_watched_without_numpy_and_opencv() -> None:
    """They take two thirds of the page's memory; 21 MB beyond a bare interpreter are left."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], False, False, True]


def test_visits_are_shown_without_opencv() -> None:
    """The box holds it in another process already; the page has 25 MB."""
    program = "import sys; from edge.web.pages import visits; print('cv2' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )
