"""Every page there is, in the order of the navigation. To add one: its module in `pages`, and a line here."""

from edge.web.page import Page
from edge.web.pages import (
    box,
    guests,
    login,
    metrics,
    people,
    strangers,
    visits,
)

PAGES: tuple[Page, ...] = (
    visits.PAGE,
    strangers.PAGE,
    people.PAGE,
    box.PAGE,
    guests.PAGE,
    login.PAGE,
    metrics.PAGE,
)
