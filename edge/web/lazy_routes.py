"""The routes of all pages, without the modules of those that nobody has asked for."""

from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from edge.web.registry import ListedPage

_FOUND = "found_route"


class LazyRoutes(BaseRoute):
    """Stands for the routes of one page."""

    def __init__(self, listed: ListedPage) -> None:
        self._listed = listed

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether one of the page's routes matches. Its module is loaded when the address is one of its own."""
        if scope["type"] != "http" or not self._listed.holds(scope["path"]):
            return Match.NONE, {}
        best: tuple[Match, Scope] = (Match.NONE, {})
        for route in self._listed.routes:
            match, child = route.matches(scope)
            if match.value > best[0].value:
                best = match, {**child, _FOUND: route}
        return best

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        route: BaseRoute = scope[_FOUND]
        await route.handle(scope, receive, send)
