"""Guest passes in a real browser: the owner's phone shows the code, the guest's phone opens it, and nothing else."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.galleries.file import open_gallery
from edge.web.passes import LINK_S, Passes
from support.browser import Browser, Visitor
from support.diaries import contents
from support.portraits import COLLINS, HOPPER, OBAMA_2009
from support.web import WebPage, running_page, write_web_config

pytestmark = pytest.mark.slow
"""The rules themselves are tested without a browser, by the tests of the API and the command line."""

UNTIL = datetime.now(UTC).date() + timedelta(days=3)


@pytest.fixture
def page(tmp_path: Path, demo_gallery: Path) -> Iterator[WebPage]:
    gallery = Path(shutil.copy(demo_gallery, tmp_path / "gallery.whg"))
    with running_page(write_web_config(tmp_path, gallery), tmp_path) as running:
        yield running


def make_pass(owner: Visitor, name: str = "Eileen") -> str:
    """The address in the code that the owner's phone shows."""
    owner.log_in()
    owner.open("/guests")
    owner.check()
    owner.page.get_by_label("Who is it for?").fill(name)
    owner.page.get_by_label("Known until").fill(str(UNTIL))
    owner.page.get_by_role("button", name="Make a pass").click()
    owner.page.locator(".code svg").wait_for()
    owner.check()
    owner.page.get_by_text("Or send the address").click()
    address: str = owner.page.locator(".code code").inner_text()
    return address


def join(guest: Visitor, photo: Path, name: str | None = None) -> None:
    if name is not None:
        guest.page.get_by_label("Your name").fill(name)
    guest.page.get_by_label("A picture of you, from the front, in good light").set_input_files(str(photo))
    guest.page.get_by_label("I agree to be recognised").check()
    guest.page.get_by_role("button", name="Let the box know me").click()


def test_a_guest_joins_with_their_own_phone_and_leaves_again(browser: Browser, page: WebPage) -> None:
    with browser.visitor(page.address) as owner:
        address = make_pass(owner)
        with browser.visitor(page.address) as guest:
            guest.page.goto(address)
            assert "a list of numbers that describes your face" in guest.page.locator("main").inner_text()
            assert guest.page.locator("nav").count() == 0
            guest.check()
            guest.picture("web-guest")
            join(guest, OBAMA_2009, "Barry")
            guest.page.get_by_text("cannot tell you apart from somebody").wait_for()
            assert "Barack" not in guest.page.content()
            join(guest, COLLINS, "barack  obama")
            guest.page.get_by_text("this name is taken").wait_for()
            assert guest.page.get_by_label("Your name").input_value() == "barack  obama"
            join(guest, COLLINS, "Eileen Collins")
            guest.page.get_by_text(f"The box recognises you until {UNTIL}.").wait_for()
            known = open_gallery(page.folder / "gallery.whg", None).named("Eileen Collins")
            assert known is not None and known.guest and str(known.consent and known.consent.until) == str(UNTIL)
            # No other page can be reached with it.
            for path in ("/", "/people", "/visits", "/guests", "/people/barack-obama"):
                guest.open(path)
                assert "/login" in guest.page.url
            guest.errors.clear()
            guest.page.goto(address)
            guest.page.get_by_role("button", name="Delete everything about me now").click()
            guest.page.get_by_text("The box has deleted everything about you.").wait_for(timeout=60_000)
            left = contents(page.folder)
            assert b"Eileen Collins" not in left and b"eileen-collins" not in left
            assert guest.page.goto(address).status == 404
            guest.page.get_by_text("its time is over. Ask those who gave it to you").wait_for()
            guest.errors.clear()
            guest.check()
            assert guest.page.locator("nav").count() == guest.page.get_by_role("link", name="door").count() == 0
        owner.open("/guests")
        assert "Eileen" not in owner.page.locator("main").inner_text()


def send(visitor: Visitor, address: str, photo: Path | None, origin: str, **fields: str) -> tuple[int, str]:
    """Send a guest's form without a page; status and text of the answer."""
    parts: dict[str, object] = dict(fields)
    if photo is not None:
        parts["photos"] = {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": photo.read_bytes()}
    answer = visitor.page.request.post(
        address, multipart=parts, headers={"Origin": origin}, max_redirects=0, timeout=60_000
    )
    return answer.status, answer.text()


def test_a_pass_is_for_one_person_and_for_one_day(browser: Browser, page: WebPage) -> None:
    with browser.visitor(page.address) as owner:
        address = make_pass(owner)
    home = page.address
    with browser.visitor(home) as phone:
        assert send(phone, address, COLLINS, "http://evil.example", name="Eileen", agreed="yes")[0] == 403
        assert send(phone, address, COLLINS, home, name="Eileen", agreed="yes")[0] == 303
        code, text = send(phone, address, HOPPER, home, name="Grace H", agreed="yes")
        assert code == 422 and "has been used already" in text
        for secret in ("x" * 32, address.rpartition("/")[2][:-1], "%2e%2e%2fpeople"):
            assert phone.page.request.get(f"{home}/guest/{secret}", max_redirects=0).status in (303, 404)
            assert send(phone, f"{home}/guest/{secret}", None, home, name="Eve", agreed="yes")[0] in (401, 404)
    passes = Passes(page.folder / "web")
    made, _ = passes.make("Late", UNTIL)
    now = made.made_at
    assert made.id in {one.id for one in passes.all(now + LINK_S - 1)}
    assert made.id not in {one.id for one in passes.all(now + LINK_S + 1)}
    used = next(one for one in passes.all(now) if one.person_id)
    assert used.id in {one.id for one in passes.all(now + 2 * LINK_S)}
    assert used.id not in {one.id for one in passes.all(now + 5 * LINK_S)}
    # Only hashes are on disk.
    assert address.rpartition("/")[2].encode() not in contents(page.folder / "web")


def test_without_agreement_nothing_is_stored(browser: Browser, page: WebPage) -> None:
    with browser.visitor(page.address) as owner:
        address = make_pass(owner)
        for photo, fields in ((COLLINS, {"name": "Eileen"}), (None, {"name": "Eileen", "agreed": "yes"})):
            assert send(owner, address, photo, page.address, **fields)[0] == 422
            assert len(open_gallery(page.folder / "gallery.whg", None).people) == 3
    assert not list((page.folder / "web").glob("uploads/*/*"))
