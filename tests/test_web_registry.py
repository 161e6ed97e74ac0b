"""The list of pages says what their modules say, and loads no more of them than somebody asks for."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.diary.diary_file import DiaryFile
from edge.visits.strangers_file import NAME, StrangersFile
from edge.web.registry import PAGES, ListedPage
from support.diaries import new
from support.http_client import Client
from support.web import WebPage, running_page, write_web_config

LOADED = """
import json, sys
from edge.web import server
from edge.web.registry import PAGES
before = [page.name for page in PAGES if f"edge.web.pages.{page.name}" in sys.modules]
routes = [next(page for page in PAGES if page.holds(path)).routes for path in ("/login", "/door", "/live.mjpg")]
print(json.dumps([before, "numpy" in sys.modules, "cv2" in sys.modules, all(routes)]))
"""


ALL = """
import json, sys
from edge.web import server
from edge.web.registry import PAGES
routes = [page.routes for page in PAGES]
print(json.dumps(sorted(set(sys.modules) & set(sys.argv[1:]))))
"""
ELSEWHERE = ("numpy", "cv2", "pyrage", "segno", "zipfile", "edge.backup.making", "edge.people.export")
"""What one request in a thousand needs is loaded for that request, or by the process that carries it out."""


NOTES_WHO_PARSES = """
import os, sys
class Noted:
    @staticmethod
    def find_spec(name, *_):
        if name == "ruamel.yaml":
            with open(os.environ["WHO_PARSES"], "a") as noted:
                print(os.getpid(), file=noted)
sys.meta_path.insert(0, Noted)
"""
"""Python loads a module of this name before anything else."""


@pytest.mark.parametrize("listed", PAGES, ids=lambda page: page.name)
def test_the_list_says_what_the_module_says(listed: ListedPage) -> None:
    page = listed.page
    assert (page.name, page.title, page.path, page.public) == (listed.name, listed.title, listed.path, listed.public)
    for route in page.routes:
        assert [one.name for one in PAGES if one.holds(route.path)] == [listed.name], route.path


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/", "//", "/x", "/visitsx"])
def test_an_address_of_no_page_belongs_to_none(path: str) -> None:
    """`/api` was an error of the server. `/` leads to the log-in."""
    assert [page.name for page in PAGES if page.holds(path)] == (["login"] if path in ("/api/", "//") else [])


def test_the_door_can_be_watched_without_numpy_and_opencv() -> None:
    """They would take two thirds of the page's memory."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], False, False, True]


def test_all_pages_together_load_nothing_that_is_hardly_ever_needed() -> None:
    done = subprocess.run([sys.executable, "-c", ALL, *ELSEWHERE], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_nothing_is_shown_with_numpy_opencv_or_a_network(tmp_path: Path, demo_gallery: Path) -> None:
    """The box holds them in another process already; the page has 25 MB."""
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    diary = DiaryFile(tmp_path / "diary.sqlite3", 10)
    visit = new(1, "barack-obama", jpeg=b"\xff\xd8\xff", vector=True)
    diary.add(visit)
    diary.close()
    config = write_web_config(tmp_path, gallery, strangers={"group": True, "keep": 9})
    StrangersFile(tmp_path / "strangers" / NAME).close()
    with running_page(config, tmp_path) as page:
        client = Client(page.address)
        client.log_in()
        for path in (
            *(listed.path for listed in PAGES if listed.path),
            *("/visits?who=barack-obama", f"/visits/{visit.record.id}", f"/visits/{visit.record.id}/picture.jpg"),
            *("/people/barack-obama", "/people/+/add", "/guests", "/corrections", "/box/log"),
            *("/api/visits", "/api/people", "/api/strangers", "/api/box", "/api/guests", "/api/changes"),
        ):
            answer = client.get(path)
            assert answer.status in (200, 503) and "Traceback" not in answer.text, (path, answer.text)
            assert loaded(page) & {"numpy", "cv2", "ai_edge_litert", "tflite_runtime", "PIL"} == set(), path


def test_yaml_is_parsed_in_other_processes_only(
    tmp_path: Path, demo_gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parser takes 2 MB, and some 250 times the size of a text while it parses that."""
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    diary = DiaryFile(tmp_path / "diary.sqlite3", 10)
    visit = new(1, "barack-obama")
    diary.add(visit)
    diary.close()
    config = write_web_config(tmp_path, gallery, strangers={"group": True, "keep": 9})
    StrangersFile(tmp_path / "strangers" / NAME).close()
    noted = tmp_path / "noted"
    (tmp_path / "sitecustomize.py").write_text(NOTES_WHO_PARSES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("WHO_PARSES", str(noted))
    with running_page(config, tmp_path) as page:
        client = Client(page.address)
        client.log_in()
        for path in (*(listed.path for listed in PAGES if listed.path), f"/visits/{visit.record.id}"):
            assert client.get(path).status == 200, path
        before = noted.read_text().split()
        assert client.post("/box/target", {"step": "0"}).status == 303
        assert "false_alarm_target" in config.read_text()
        config.write_text(f"{config.read_text()}visit:\n  gap_s: no\n")
        assert client.get("/box").status == 200, "it goes on with the last config"
        assert "gap_s: found false" in (tmp_path / "web.log").read_text()
        after = noted.read_text().split()
        assert str(page.process.pid) not in after
        assert len(before) == len(set(before)) in (2, 3), "config.yaml, the card and that of int8: once each"
        assert len(after) > len(before)


def loaded(page: WebPage) -> set[str]:
    """The packages whose libraries are in the page's memory."""
    maps = Path(f"/proc/{page.process.pid}/maps").read_text()
    return {found[1] for found in re.finditer(r"/site-packages/(\w+)/", maps)}
