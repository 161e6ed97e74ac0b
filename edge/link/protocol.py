"""What is said over the daemon's socket, version 1: requests, messages, and how they are framed.

Both sides write lines of JSON. A `picture` line is followed by as many bytes of JPEG as it says. A client asks one
thing at a time; `watch`, `live` and `guide` turn the connection into a stream, which ends when the client closes it.
docs/contributing/link.md describes it.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from edge.errors import UsageError, WhosthereError
from edge.metrics.snapshot import MetricsSnapshot
from edge.mqtt.challenge_payload import ChallengePayload
from edge.mqtt.payloads import ControlsPayload, Count, DoorbellPayload, HealthPayload, Similarity
from edge.mqtt.visit_payloads import CandidatePayload, VisitPayload
from edge.records import Outcome, Problem

PROTOCOL: Final = 1
MAX_REQUEST = 4096
"""Bytes in a line from a client, without its end."""
MAX_MESSAGE = 1024 * 1024
"""Bytes in a line from the daemon."""
MAX_PICTURE = 16 * 1024 * 1024
"""Bytes in a picture."""


class LinkRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="request"):
    """Anything that a client may ask."""


class AskStatus(LinkRequest, frozen=True, tag="status"):
    """How the box is doing, and who is here."""


class AskMetrics(LinkRequest, frozen=True, tag="metrics"):
    """Everything that is counted and measured."""


class AskWatch(LinkRequest, frozen=True, tag="watch"):
    """Send the status now and whenever it changes, and every visit event, ring and challenge as it happens."""


class AskPicture(LinkRequest, frozen=True, tag="picture"):
    """Send what the camera saw last."""

    boxes: bool = False
    """Whether faces are framed, with names and with the reasons why they are not used."""


class AskLive(LinkRequest, frozen=True, tag="live"):
    """Send what the camera sees, picture after picture; what the client is too slow for is left out."""

    boxes: bool = False
    max_fps: Annotated[float, Meta(gt=0, le=30)] = 30.0


class AskCommand(LinkRequest, frozen=True, tag="command"):
    """Carry out what could also be asked over MQTT, on `command/<name>`."""

    name: Annotated[str, Meta(max_length=64)]
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    """As in docs/40-mqtt.md: a JSON object."""


class AskGuide(LinkRequest, frozen=True, tag="guide"):
    """Guide somebody in front of the camera until there are enough portraits; one client at a time."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    """The person's name in the gallery, or that of somebody new."""
    count: Annotated[int, Meta(ge=1, le=20)] = 5
    within_s: Annotated[float, Meta(gt=0, le=600)] = 120.0


Request = AskStatus | AskMetrics | AskWatch | AskPicture | AskLive | AskCommand | AskGuide
KINDS: Final = "status, metrics, watch, picture, live, command, guide"


class LinkMessage(msgspec.Struct, frozen=True, tag_field="message"):
    """Anything that the daemon says."""


class Hello(LinkMessage, frozen=True, tag="hello"):
    """The first line of every connection."""

    device_id: str
    software: str
    """The version of the daemon."""
    protocol: int = PROTOCOL


class LinkAnswer(LinkMessage, frozen=True, tag="answer"):
    """How a command went, or why a request was refused."""

    ok: bool
    text: str


class BoxStatus(LinkMessage, frozen=True, tag="status"):
    """The state of the box."""

    health: HealthPayload
    controls: ControlsPayload
    here: tuple[VisitPayload, ...]
    """The last event of each visit that has not ended."""
    challenge: ChallengePayload | None
    """Where the last challenge stands; None: there was none, or it is over."""


class BoxMetrics(LinkMessage, frozen=True, tag="metrics"):
    """For Prometheus."""

    metrics: MetricsSnapshot


class VisitNews(LinkMessage, frozen=True, tag="visit"):
    """Something happened in a visit; the payload is the one on MQTT's topic `visit`."""

    visit: VisitPayload


class RingNews(LinkMessage, frozen=True, tag="ring"):
    """Somebody rang."""

    ring: DoorbellPayload


class ChallengeNews(LinkMessage, frozen=True, tag="challenge"):
    """What a challenged visitor should do now, or how it ended."""

    challenge: ChallengePayload


class FaceInView(msgspec.Struct, frozen=True):
    """A face in a picture, and what the box makes of it."""

    box: tuple[int, int, int, int]
    """left, top, width, height, in pixels of the picture that was sent."""
    visit_id: str | None
    outcome: Outcome | None
    """What was decided about the visit so far; None: nothing yet."""
    candidates: tuple[CandidatePayload, ...]
    """Who it is; or, when `uncertain`, who it may be."""
    similarity: Similarity | None
    threshold: Similarity | None
    problem: Problem | None
    """Why the face was not used when it was analysed last; None: it was, or it has not been analysed."""
    reason: str | None
    """The problem as a clause: what was found, and what is needed."""


class PictureHeader(LinkMessage, frozen=True, tag="picture"):
    """A JPEG follows, after the end of the line."""

    size: Annotated[int, Meta(ge=1, le=MAX_PICTURE)]
    """Its bytes."""
    number: Count
    """Counts the camera's frames; the same number is the same frame."""
    age_s: Annotated[float, Meta(ge=0)]
    """How long ago it was taken; 0 for a recording."""
    width: Annotated[int, Meta(ge=1)]
    height: Annotated[int, Meta(ge=1)]
    faces: tuple[FaceInView, ...]
    boxes: bool


class GuideShot(msgspec.Struct, frozen=True):
    """A portrait that can become a template: `edge.galleries.gallery.Template` has the same fields."""

    embedding: bytes
    """float32, little-endian, of length one."""
    embedder: str
    """The sha256 of the embedder's file: a template fits only a gallery of the same."""
    quality: float
    infrared: bool
    yaw: float
    brightness: float


class GuideNews(LinkMessage, frozen=True, tag="guide"):
    """What to say to the person; with a shot, its picture follows as JPEG, after the end of the line."""

    text: str
    taken: Count
    count: Count
    over: bool = False
    """Whether this is the last one: enough portraits, or the time is up."""
    shot: GuideShot | None = None
    size: Annotated[int, Meta(ge=0, le=MAX_PICTURE)] = 0
    """The picture's bytes."""


Message = Hello | LinkAnswer | BoxStatus | BoxMetrics | VisitNews | RingNews | ChallengeNews | PictureHeader | GuideNews

_REQUESTS: "msgspec.json.Decoder[Request]" = msgspec.json.Decoder(Request)
_MESSAGES: "msgspec.json.Decoder[Message]" = msgspec.json.Decoder(Message)
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class BadLink(UsageError):
    """A line that is not part of the protocol."""


class LinkError(WhosthereError):
    """The daemon cannot be reached over its socket, or says what this version does not understand."""


def line(message: LinkMessage | LinkRequest) -> bytes:
    """One line of JSON with its end."""
    return msgspec.json.encode(message) + b"\n"


def read_request(text: bytes) -> Request:
    """The request in a line. Raises BadLink for anything else, whatever the bytes are."""
    try:
        return _REQUESTS.decode(text)
    except _BROKEN as error:
        raise BadLink(f"not a request: {error}; allowed: a JSON object whose `request` is one of {KINDS}") from error


def read_message(text: bytes) -> Message:
    """The message in a line. Raises LinkError."""
    try:
        return _MESSAGES.decode(text)
    except _BROKEN as error:
        raise LinkError(f"the daemon says something that this version does not understand: {error}") from error


class Lines:
    """Bytes as they come -> lines of a bounded length."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are now complete, without their ends. Raises BadLink when one is too long."""
        self._bytes += data
        *complete, rest = self._bytes.split(b"\n")
        if max(map(len, (*complete, rest))) > self._limit:
            self._bytes.clear()
            raise BadLink(f"a line is too long; allowed: {self._limit} bytes")
        self._bytes = bytearray(rest)
        return [bytes(one) for one in complete]


class Messages:
    """Bytes from the daemon -> messages, each picture with its JPEG. Checks the version first."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._header: PictureHeader | GuideNews | None = None
        self._greeted = False

    def feed(self, data: bytes) -> list[tuple[Message, bytes]]:
        """The messages that are now complete, except the greeting; the bytes are empty unless it is a picture.

        Raises LinkError for anything that is not the protocol.
        """
        self._bytes += data
        found = []
        while (one := self._next()) is not None:
            if self._greeted:
                found.append(one)
            else:
                self._greet(one[0])
        return found

    def _next(self) -> tuple[Message, bytes] | None:
        if self._header is None:
            end = self._bytes.find(b"\n")
            if max(end, len(self._bytes) if end < 0 else 0) > MAX_MESSAGE:
                raise LinkError(f"the daemon sent a line of more than {MAX_MESSAGE} bytes")
            if end < 0:
                return None
            message = read_message(bytes(self._bytes[:end]))
            del self._bytes[: end + 1]
            if not isinstance(message, PictureHeader | GuideNews):
                return message, b""
            self._header = message
        header = self._header
        if len(self._bytes) < header.size:
            return None
        picture = bytes(self._bytes[: header.size])
        del self._bytes[: header.size]
        self._header = None
        return header, picture

    def _greet(self, message: Message) -> None:
        if not isinstance(message, Hello) or message.protocol != PROTOCOL:
            found = message.protocol if isinstance(message, Hello) else type(message).__name__
            raise LinkError(
                f"the daemon speaks version {found} of the protocol, this program version {PROTOCOL}; restart both"
            )
        self._greeted = True


Picture = tuple[PictureHeader, bytes]
Guided = tuple[GuideNews, bytes]
