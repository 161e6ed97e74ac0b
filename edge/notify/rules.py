"""Which notices a channel sends, and when."""

from datetime import datetime, time

from edge.config.notify import NoticeRules
from edge.notify.notice import Notice


def wanted(notice: Notice, rules: NoticeRules, now: datetime) -> bool:
    """Whether a channel with these rules sends a notice; `now` is the local time. A test always is."""
    if not notice.kinds:
        return True
    # Before the clock is set nobody knows whether these are the quiet hours: better once too often.
    quiet = notice.clock_set and rules.quiet is not None and is_quiet(rules.quiet, now.time())
    return not quiet and not notice.kinds.isdisjoint(rules.events) and _about_wanted_people(notice, rules)


def is_quiet(hours: str, now: time) -> bool:
    """Whether a time of day is within hours such as `22:00-07:00`, which may span midnight. Equal ones are all day."""
    begin, end = (time.fromisoformat(text) for text in hours.split("-"))
    return begin <= now < end if begin < end else now >= begin or now < end


def _about_wanted_people(notice: Notice, rules: NoticeRules) -> bool:
    """Those without a name are wanted."""
    if not rules.people or not notice.people:
        return True
    return not {*notice.people, *notice.people.values()}.isdisjoint(rules.people)
