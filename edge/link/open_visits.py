"""Who is here now: what has been said about visits that have not ended, and where a challenge stands."""

import threading

from edge.events import ChallengeState, EventKind
from edge.link.protocol import ChallengeNews, RingNews, VisitNews
from edge.mqtt.challenge_payload import ChallengePayload
from edge.mqtt.visit_payloads import VisitPayload

_OVER = (ChallengeState.PASSED, ChallengeState.FAILED)

News = VisitNews | RingNews | ChallengeNews


class OpenVisits:
    """Follows the news. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._visits: dict[str, VisitPayload] = {}
        self._challenge: ChallengePayload | None = None

    @property
    def here(self) -> tuple[VisitPayload, ...]:
        """The last event of each open visit, in the order in which the visits began."""
        with self._lock:
            return tuple(self._visits.values())

    @property
    def challenge(self) -> ChallengePayload | None:
        """Where the last challenge stands; None: there was none, or it is over."""
        return self._challenge

    def update(self, news: News) -> None:
        with self._lock:
            match news:
                case VisitNews(visit) if visit.event_type is EventKind.ENDED:
                    self._visits.pop(visit.visit_id, None)
                case VisitNews(visit):
                    self._visits[visit.visit_id] = visit
                case ChallengeNews(challenge):
                    self._challenge = None if challenge.state in _OVER else challenge
                case RingNews():
                    pass
