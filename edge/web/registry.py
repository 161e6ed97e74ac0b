"""Every page there is, in the order of the navigation. To add one: its module in `pages`, and a line here."""

from edge.web.page import Page
from edge.web.pages import (
    box,
    door,
    guests,
    live,
    login,
    metrics,
    people,
    strangers,
    visits,
)

PAGES: tuple[Page, ...] = (
    door.PAGE,
    visits.PAGE,
    strangers.PAGE,
    people.PAGE,
    box.PAGE,
    guests.PAGE,
    login.PAGE,
    live.PAGE,
    metrics.PAGE,
)
