"""What the page has done in a process of its own: every errand fits its function, and errors arrive as they were."""

import inspect
import shutil
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import get_type_hints

import msgspec
import pytest

from edge.config.loading import LoadedConfig, load_config
from edge.errors import WhosthereError
from edge.galleries.file import open_gallery
from edge.people.editing import rename
from edge.web.box import WebBox
from edge.web.errand import function_of
from edge.web.errands import Errand
from edge.web.registry import PAGES
from support.web import write_web_config

ERRANDS = {
    f"{name}.{attribute}": value
    for name in sorted({listed.name for listed in PAGES} | {"visits_api", "people_api", "coached", "box_settings"})
    for attribute, value in vars(import_module(f"edge.web.pages.{name}")).items()
    if isinstance(value, Errand)
}


@pytest.mark.parametrize("errand", ERRANDS.values(), ids=ERRANDS.keys())
def test_an_errand_fits_its_function(errand: Errand[object]) -> None:
    function = function_of(errand.function)
    hints = get_type_hints(function)
    first, *others = inspect.signature(function).parameters.values()
    assert hints[first.name] is LoadedConfig
    assert errand.gives in (NoneType, hints["return"])
    for kind in (errand.gives, *(hints[one.name] for one in others if one.default is one.empty)):
        # Raises TypeError for what JSON cannot carry.
        msgspec.json.Decoder(kind)


def test_all_of_them_are_known_here() -> None:
    assert len(ERRANDS) >= 20


@pytest.fixture
def box(tmp_path: Path, demo_gallery: Path) -> WebBox:
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    config = write_web_config(tmp_path, gallery)
    return WebBox.of(config, load_config(config))


def test_it_does_what_it_is_asked_for(box: WebBox) -> None:
    Errand("edge.people.editing:rename", NoneType).run(box, person="joe-biden", name="Joe")
    loaded = load_config(box.config_path)
    people = open_gallery(loaded.gallery_path, None, loaded.gallery_keys).people
    assert {person.id: person.name for person in people}["joe-biden"] == "Joe"


def test_errors_arrive_as_they_were(box: WebBox) -> None:
    with pytest.raises(WhosthereError) as direct:
        rename(load_config(box.config_path), "nobody-here", "Joe")
    with pytest.raises(type(direct.value)) as sent:
        Errand("edge.people.editing:rename", NoneType).run(box, person="nobody-here", name="Joe")
    assert str(sent.value) == str(direct.value)


def test_a_crash_is_none_of_the_errors_that_are_shown(box: WebBox) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)edge\.people\.editing:rename crashed:.+KeyError"):
        Errand("edge.people.editing:rename", NoneType).run(box, person="joe-biden", surname="?")
