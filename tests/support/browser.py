"""A real browser on the box's page: Debian's Chromium, driven by Playwright, on a phone and on a desktop.

Every page that it opens is watched: no error in the console, no request to another host.
"""

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest

from support.web import PASSWORD

CHROMIUM = "/usr/bin/chromium"
# Without these, Chromium calls its maker.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]  # fmt: skip
AXE = Path(__file__).parents[1] / "vendor" / "axe.min.js"
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
SERIOUS = {"serious", "critical"}

Size = Literal["phone", "desktop"]
Scheme = Literal["light", "dark"]


def why_no_browser() -> str | None:
    """Why there is no browser to test with; None: there is one."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed"
    if shutil.which(CHROMIUM) is None:
        return f"there is no {CHROMIUM}: Debian's package chromium has it"
    return None


@dataclass
class Visitor:
    """One person's browser, on a page of the box."""

    page: Any
    """Playwright's."""
    address: str
    foreign: list[str] = field(default_factory=list)
    """Requests to other hosts."""
    errors: list[str] = field(default_factory=list)
    """What the console complained about."""

    def watch(self) -> None:
        """Note errors, and requests to other hosts, from now on."""
        host = urlsplit(self.address).netloc
        self.page.on("request", lambda request: self._note(request.url, host))
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def log_in(self, password: str = PASSWORD, then: str = "/visits") -> None:
        """Log in, and land on that page."""
        self.open(f"/login?next={then}")
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        self.page.wait_for_url(lambda url: "/login" not in url)

    def check(self) -> None:
        """Assert that nothing was wrong so far, and that the page as it is now is sound."""
        assert self.foreign == []
        assert self.errors == []
        assert self.accessibility_problems() == []
        too_wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert too_wide <= 0, f"{self.page.url} is {too_wide} pixels too wide"
        articles = self.page.get_by_role("article")
        nameless = articles.count() - self.page.get_by_role("article", name=re.compile(r"\S")).count()
        assert nameless == 0, f"{self.page.url} has {nameless} articles that a screen reader cannot name"

    def accessibility_problems(self) -> list[str]:
        """The serious ones that axe finds."""
        # Not as a script of the page, which its content security policy refuses.
        self.page.evaluate(AXE.read_text(encoding="utf-8") + ";0")
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]}"
            for one in found
            if one["impact"] in SERIOUS
        ]

    def picture(self, name: str) -> None:
        """Take a picture for the docs, docs/pictures/NAME.jpg, if WHOSTHERE_PICTURES is set."""
        if os.environ.get("WHOSTHERE_PICTURES"):
            self.page.screenshot(path=PICTURES / f"{name}.jpg", type="jpeg", quality=82)

    def _note(self, url: str, host: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"data", "blob", "about"} and parts.netloc != host:
            self.foreign.append(url)


class Browser:
    """Chromium, from which each `visitor` gets a context of their own: other cookies, another size."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium

    @contextmanager
    def visitor(
        self, address: str, size: Size = "phone", scheme: Scheme = "light", **options: Any
    ) -> Iterator[Visitor]:
        """A person with a phone (390 x 844) or a desktop (1280 x 800)."""
        shape: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
        if size == "phone":
            shape = {
                "viewport": {"width": 390, "height": 844},
                "device_scale_factor": 2,
                "is_mobile": True,
                "has_touch": True,
            }
        context = self._chromium.new_context(color_scheme=scheme, ignore_https_errors=True, **{**shape, **options})
        visitor = Visitor(context.new_page(), address)
        visitor.watch()
        try:
            yield visitor
        finally:
            context.close()


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium; skips the test where there is none."""
    if reason := why_no_browser():
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  (it may be missing)

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
