"""What the daemon answers to each request of a client. Runs on the socket's thread."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from edge.errors import WhosthereError
from edge.link.live_view import LiveView
from edge.link.open_visits import OpenVisits
from edge.link.protocol import (
    AskCommand,
    AskGuide,
    AskLive,
    AskMetrics,
    AskPicture,
    AskStatus,
    AskWatch,
    BadLink,
    BoxMetrics,
    BoxStatus,
    GuideNews,
    LinkAnswer,
    read_request,
)
from edge.link.session import LinkSession
from edge.metrics.snapshot import MetricsSnapshot
from edge.mqtt.command_payloads import Request, parse
from edge.mqtt.commands import Reply
from edge.mqtt.payloads import ControlsPayload, HealthPayload, State


class LinkedBox(Protocol):
    """What the daemon says about itself, and what it can be asked. Any thread; nothing blocks for long."""

    @property
    def state(self) -> State: ...

    def health(self) -> HealthPayload: ...

    def controls(self) -> ControlsPayload: ...

    def metrics(self) -> MetricsSnapshot: ...

    def guide(self, asked: AskGuide, say: Callable[[GuideNews, bytes], None]) -> Callable[[], None]:
        """Begin to guide an enrolment; what is returned ends it. `say` gets the advice, on any thread.

        Raises WhosthereError while somebody else is being enrolled.
        """
        ...

    def command(self, command: Request, reply: Reply) -> None:
        """Carry it out and reply once, now or later from another thread. Raises WhosthereError."""
        ...


class LinkAnswers:
    """Answers requests, or begins what a session asks for."""

    def __init__(
        self, view: LiveView, box: LinkedBox, later: Callable[[LinkSession, Callable[[float], None]], None]
    ) -> None:
        """`later` does something for a session on the socket's thread; any thread may call it."""
        self.open_visits = OpenVisits()
        self._view = view
        self._box = box
        self._later = later

    @property
    def settings(self) -> tuple[object, ...]:
        """What those who watch should hear of at once when it changes."""
        controls = self._box.controls()
        return self._box.state, controls.paused, controls.false_alarm_target, controls.threshold

    def status(self) -> BoxStatus:
        visits = self.open_visits
        return BoxStatus(self._box.health(), self._box.controls(), visits.here, visits.challenge)

    def answer(self, session: LinkSession, text: bytes, now: float) -> None:
        """Answer a line of a client. Raises SessionOver and OSError."""
        try:
            request = read_request(text)
        except BadLink as error:
            session.send(LinkAnswer(False, str(error)), now)
            return
        match request:
            case AskStatus():
                session.send(self.status(), now)
            case AskMetrics():
                session.send(BoxMetrics(self._box.metrics()), now)
            case AskWatch():
                session.watches = True
                session.send(self.status(), now)
            case AskPicture():
                self._show(session, request, now)
            case AskLive():
                session.live = request
            case AskGuide():
                self._guide(session, request, now)
            case AskCommand():
                self._carry_out(session, request, now)

    def _show(self, session: LinkSession, asked: AskPicture, now: float) -> None:
        picture = self._view.picture(boxes=asked.boxes)
        if picture is None:
            session.send(LinkAnswer(False, "the camera has not delivered a frame yet"), now)
        else:
            session.send(picture[0], now, picture[1])

    def _guide(self, session: LinkSession, asked: AskGuide, now: float) -> None:
        def say(news: GuideNews, picture: bytes) -> None:
            self._later(session, lambda when: session.send(news, when, picture))

        try:
            session.on_close = self._box.guide(asked, say)
        except WhosthereError as error:
            session.send(LinkAnswer(False, str(error)), now)

    def _carry_out(self, session: LinkSession, asked: AskCommand, now: float) -> None:
        session.busy = True

        def reply(ok: bool, text: str) -> None:
            self._later(session, partial(self._replied, session, LinkAnswer(ok, text)))

        try:
            self._box.command(parse(asked.name, bytes(asked.payload)), reply)
        except WhosthereError as error:
            self._replied(session, LinkAnswer(False, str(error)), now)

    def _replied(self, session: LinkSession, answer: LinkAnswer, now: float) -> None:
        # Only the first reply counts.
        if session.busy:
            session.busy = False
            session.send(answer, now)
