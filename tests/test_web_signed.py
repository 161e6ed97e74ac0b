"""The page in a real browser where galleries are signed: what it changes is signed, and the daemon verifies it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.config.loading import load_config
from edge.galleries.additions import additions_path
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Gallery
from support.browser import Visitor
from support.daemon import running
from support.household import Household
from support.portraits import COLLINS, HOPPER
from support.sshd import new_key
from support.web import WebPage, running_page
from test_signature import allowing

pytestmark = pytest.mark.slow
"""The rules themselves are tested without a browser, by the tests of the API and the command line."""


@pytest.fixture
def box(tmp_path: Path, demo_gallery: Path) -> Household:
    """A box that signs with a key of its own; its gallery comes from a desktop with another."""
    desktop, own = new_key(tmp_path / "desktop"), new_key(tmp_path / "own")
    allowed = "".join(allowing(key, tmp_path).allowed_signers.read_text() for key in (desktop, own))  # type: ignore[union-attr]
    (tmp_path / "allowed_signers").write_text(allowed)
    keys = {"allowed_signers": str(tmp_path / "allowed_signers"), "signing_key": str(own)}
    box = Household(tmp_path, demo_gallery, **keys)
    box.config.write_text(f"{box.config.read_text()}web:\n  path: {tmp_path / 'web'}\n")
    write_gallery(open_gallery(box.path, None), box.path, desktop)
    return box


@pytest.fixture
def page(box: Household) -> Iterator[WebPage]:
    with running_page(box.config, box.folder) as running_one:
        yield running_one


def verified(box: Household) -> Gallery:
    """The gallery, as the daemon opens it: unsigned or foreign ones raise GalleryError."""
    keys = load_config(box.config).gallery_keys
    assert keys.allowed_signers is not None
    return open_gallery(box.path, None, keys)


@pytest.mark.slow(20)
def test_corrections_and_enrolment_are_signed_and_a_daemon_verifies_them(box: Household, owner: Visitor) -> None:
    assert verified(box).signer == "desktop@example"
    visit = box.came(box.looks_like(0.6))
    owner.open("/visits")
    owner.page.locator(f"#visit-{visit}").get_by_role("button", name="Right").click()
    owner.page.get_by_text("whom the box knows a little better now").wait_for()
    keys = load_config(box.config).gallery_keys
    assert open_gallery(additions_path(box.path), None, keys).signer == "own@example"

    owner.open("/people/+/add")
    owner.page.get_by_label("Name").fill("Eileen Collins")
    owner.page.get_by_label("Photos from this device").set_input_files([str(COLLINS)])
    owner.page.get_by_role("button", name="Add", exact=True).click()
    owner.page.wait_for_url("**/people/+/added/*")
    owner.open("/people/joe-biden")
    owner.page.get_by_role("textbox", name="Name").fill("Joe")
    owner.page.get_by_role("button", name="Rename").click()
    owner.page.get_by_text("The name is changed.").wait_for()
    owner.check()

    known = verified(box)
    assert known.signer == "own@example"
    assert {one.name for one in known.people} == {"Barack Obama", "Joe", "Grace Hopper", "Eileen Collins"}
    box.config.write_text(box.config.read_text().replace("realtime: false", "realtime: true\n  loop: true"))
    with running(box.config) as daemon:
        daemon.wait_for_log("recognized Joe")
        owner.open("/people")
        owner.page.get_by_text("Changes of the last week (2)").click()
        owner.page.get_by_role("button", name="Undo").first.click()
        owner.page.get_by_text("That change is undone.").wait_for()
        assert verified(box).named("Joe Biden") is not None
        daemon.wait_for_log("recognized Joe Biden")


def test_a_box_without_a_key_says_what_is_missing_and_changes_nothing(box: Household, owner: Visitor) -> None:
    text = "\n".join(line for line in box.config.read_text().splitlines() if "signing_key" not in line)
    box.config.write_text(text + "\n")
    before = box.path.read_bytes()
    owner.open("/people")
    assert "gallery.signing_key" in owner.page.locator("main").inner_text()
    owner.open("/people/joe-biden")
    owner.page.get_by_role("textbox", name="Name").fill("Joe")
    owner.page.get_by_role("button", name="Rename").click()
    owner.page.get_by_text("gallery.signing_key").first.wait_for()
    visit = box.came(box.looks_like(0.6))
    owner.open("/visits")
    owner.page.locator(f"#visit-{visit}").get_by_role("button", name="Right").click()
    owner.page.get_by_text("gallery.signing_key").first.wait_for()
    assert box.path.read_bytes() == before and not additions_path(box.path).exists()


def test_a_gallery_that_somebody_else_has_signed_is_not_touched(box: Household, owner: Visitor, tmp_path: Path) -> None:
    write_gallery(open_gallery(box.path, None), box.path, new_key(tmp_path / "stranger"))
    before = box.path.read_bytes()
    owner.open("/people/+/add")
    owner.page.get_by_label("Name").fill("Grace")
    owner.page.get_by_label("Photos from this device").set_input_files([str(HOPPER)])
    owner.page.get_by_role("button", name="Add", exact=True).click()
    owner.page.wait_for_url("**/people/+/added/*")
    assert "allowed_signers" in owner.page.locator("main").inner_text()
    assert box.path.read_bytes() == before
