"""What a run of kills came to: events logged by the box, received by a subscriber, lost, and delivered twice."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from support.broker import Listener
from support.daemon import TOPIC, decoded

_LOGGED = re.compile(r"visit (\S+): ([a-z_]+)")


def logged(text: str) -> Counter[tuple[str, str]]:
    """The events in a daemon's log: (visit id, event type) -> how many lines."""
    return Counter((visit, kind) for visit, kind in _LOGGED.findall(text))


def in_a_visit(text: str) -> bool:
    """Whether the log ends while somebody is there."""
    kinds: dict[str, str] = dict(_LOGGED.findall(text))
    return any(kind != "ended" for kind in kinds.values())


@dataclass(frozen=True)
class Deliveries:
    """The subscriber's side compared with the box's log."""

    logged: int
    received: int
    """Different events, by `event_id`."""
    lost: list[tuple[str, str]]
    """Logged and never received, as (visit id, event type)."""
    gaps: list[str]
    """Visits of which an event in between never arrived: nothing that was sent after it may have overtaken it."""
    twice: int
    """Second and further copies of an event."""
    resent: int
    """Those of them that the broker itself sent again, with MQTT's DUP flag."""
    unmarked: list[str]
    """Event ids of copies that say neither `delayed` nor `late` and have no DUP flag."""
    disordered: list[str]
    """Event ids that arrived for the first time after a later event of their visit."""

    @classmethod
    def of(cls, log: str, listener: Listener) -> "Deliveries":
        heard = [message for message in listener.heard if message.topic.startswith(f"{TOPIC}/visit")]
        first: dict[str, dict[str, Any]] = {}
        resent, copies, unmarked, disordered = 0, 0, [], []
        latest: dict[str, int] = {}
        for message in heard:
            event = decoded(message)
            if event["event_id"] in first:
                copies += 1
                resent += message.duplicate
                if not (message.duplicate or event["delayed"] or event["late"]):
                    unmarked.append(event["event_id"])
                continue
            first[event["event_id"]] = event
            if event["sequence"] < latest.get(event["visit_id"], 0):
                disordered.append(event["event_id"])
            latest[event["visit_id"]] = event["sequence"]
        known = Counter((event["visit_id"], event["event_type"]) for event in first.values())
        counts = Counter(event["visit_id"] for event in first.values())
        box = logged(log)
        return cls(
            logged=box.total(),
            received=len(first),
            lost=sorted((box - known).elements()),
            gaps=sorted(visit for visit, count in counts.items() if count != latest[visit] + 1),
            twice=copies,
            resent=resent,
            unmarked=unmarked,
            disordered=disordered,
        )

    def __str__(self) -> str:
        return (
            f"{self.logged} events logged, {self.received} received, {len(self.lost)} lost, {len(self.gaps)} visits "
            f"with a gap, {len(self.disordered)} out of order; {self.twice} delivered twice ({self.resent} of them by "
            f"the broker), {len(self.unmarked)} of them without a mark"
        )

    def check(self) -> None:
        """Nothing lost, nothing out of order, no second copy that looks like a new event."""
        assert (self.lost, self.gaps, self.disordered, self.unmarked) == ([], [], [], []), self
