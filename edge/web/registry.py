"""Every page there is, in the order of the navigation. To add one: its module in `pages`, and a line here.

The module of a page is loaded when somebody asks for it first: all of them together take twice the memory of one, and
twice the time until the first answer.
"""

import importlib
from dataclasses import dataclass

from starlette.routing import Route

from edge.web.page import Page


@dataclass(frozen=True, slots=True)
class ListedPage:
    """What must be known of a page before its module is loaded; the module's own PAGE says the same."""

    name: str
    title: str
    path: str | None = None
    public: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    """The first parts of its addresses, below `/` or `/api/`; by default its name."""

    @property
    def page(self) -> Page:
        """The page itself, from its module."""
        page: Page = importlib.import_module(f"edge.web.pages.{self.name}").PAGE
        return page

    @property
    def routes(self) -> tuple[Route, ...]:
        return self.page.routes

    def holds(self, path: str) -> bool:
        """Whether an address is one of this page, if it exists."""
        return path.removeprefix("/api/").removeprefix("/").split("/")[0] in (self.places or (self.name,))


PAGES: tuple[ListedPage, ...] = (
    ListedPage("door", "Door", "/door", places=("door", "keys")),
    ListedPage("visits", "Visits", "/visits", places=("visits", "corrections", "session")),
    ListedPage("strangers", "Strangers", "/strangers"),
    ListedPage("people", "People", "/people", places=("people", "changes", "enrolments")),
    ListedPage("box", "Box", "/box"),
    ListedPage("guests", "Guest passes", public=("/guest/",), places=("guests", "guest")),
    ListedPage("login", "Log in", public=("/login",), places=("", "login", "logout")),
    ListedPage("live", "Live pictures", public=("/snapshot.jpg", "/live.mjpg"), places=("snapshot.jpg", "live.mjpg")),
    ListedPage("metrics", "Metrics", public=("/metrics",)),
)
