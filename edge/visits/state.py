"""The state of one visit."""

from dataclasses import replace

from edge.events import ChallengeResult, Event, EventKind, VisitAccount
from edge.records import Box, Image, Match, Outcome, Quality
from edge.sightings import Sighting
from edge.visits.best_picture import picture_value
from edge.visits.fusion import FusedFaces
from edge.visits.good_faces import GoodFaces
from edge.visits.liveness import LivenessEvidence
from edge.visits.thresholds import LinkingThresholds
from edge.visits.visit_log import LookLog


class Visit:
    """One visit. Only `VisitManager` touches it."""

    def __init__(
        self, visit_id: str, track_id: int | None, since: float, at: float, box: Box | None, linking: LinkingThresholds
    ) -> None:
        self.id = visit_id
        self.track_id = track_id
        self.since = since
        self.last_seen_at = at
        self.box = box
        self.faces = FusedFaces(linking.coherent)
        self.log = LookLog()
        self.good_faces = GoodFaces(linking.too_alike)
        """Those of the faces that may link this visit to others, when strangers are grouped."""
        self.liveness = LivenessEvidence()
        self.challenge: ChallengeResult | None = None
        self.doubts: list[Sighting] = []
        """Looks in a row that may show somebody else; they are in no other way part of the visit."""
        self.assumed = False
        """Joined by a face that has not been usable yet, so that it may be somebody else's."""
        self.unconfirmed = 0
        """Looks since the last one that showed this visitor for sure."""
        self.confirmed_at = at
        self.confirmed_box = box
        self.looked_at: float | None = None
        self.looks = 0
        self.started = False
        self.tentative = False
        """Split off another visit, and so few looks old that it may be an error."""
        self.provisional: Match | None = None
        self.decision: Match | None = None
        self.decided = False
        self.decided_in: int | None = None
        """The `sequence` of the final decision."""
        self.corrected = False
        self.silenced = False
        """A stranger to ignore: the decision is not published."""
        self.sequence = 0
        self.picture: Image | None = None
        self.picture_box: Box | None = None
        self.picture_value = -1.0

    @classmethod
    def of(cls, visit_id: str, sighting: Sighting, linking: LinkingThresholds) -> "Visit":
        """Begin with a face that has come into view."""
        return cls(visit_id, sighting.track_id, sighting.since, sighting.at, sighting.box, linking)

    @classmethod
    def rung(cls, visit_id: str, now: float, linking: LinkingThresholds) -> "Visit":
        """Begin with somebody who rang and is not in sight yet."""
        return cls(visit_id, None, now, now, None, linking)

    @property
    def seen(self) -> bool:
        """Whether a face of this visit has been in view."""
        return self.box is not None

    def see(self, sighting: Sighting) -> None:
        self.last_seen_at, self.box = sighting.at, sighting.box
        if sighting.quality is not None:
            self.looked_at = sighting.at
            self.looks += 1

    def confirm(self, sighting: Sighting) -> None:
        """The sighting showed this visitor."""
        self.doubts = []
        self.unconfirmed, self.assumed = 0, False
        self.confirmed_at, self.confirmed_box = sighting.at, sighting.box

    def lose(self) -> list[Sighting]:
        """Somebody else is where this visitor was: forget what was seen since. Returns the doubtful looks."""
        doubts, self.doubts = self.doubts, []
        self.log.doubtful += len(doubts)
        self.track_id, self.unconfirmed, self.assumed = None, 0, False
        self.last_seen_at, self.box = self.confirmed_at, self.confirmed_box
        return doubts

    def keep_picture(self, quality: Quality, image: Image, box: Box) -> None:
        """Keep the picture if none before showed the visitor better."""
        value = picture_value(quality, box, image.shape[1], image.shape[0])
        if value > self.picture_value:
            self.picture, self.picture_box, self.picture_value = image, box, value

    def absorb(self, other: "Visit") -> None:
        """Add what another visit saw: it was the same person."""
        self.track_id = other.track_id
        self.last_seen_at, self.box = other.last_seen_at, other.box
        self.doubts, self.unconfirmed = other.doubts, other.unconfirmed
        self.assumed = other.faces.count == 0
        if not self.assumed:
            self.confirmed_at, self.confirmed_box = other.confirmed_at, other.confirmed_box
        self.faces.absorb(other.faces)
        self.log.absorb(other.log)
        self.good_faces.absorb(other.good_faces)
        self.liveness.absorb(other.liveness)

    @property
    def person_id(self) -> str | None:
        """The person whose name it has, provisional or final."""
        match = self.decision if self.decided else self.provisional
        return match.person.person_id if match and match.person else None

    @property
    def correctable(self) -> bool:
        """Whether the final decision may still become a name."""
        return self.decided and not self.corrected and self.decision is not None and self.decision.person is None

    def event(
        self,
        kind: EventKind,
        at: float,
        match: Match | None = None,
        *,
        provisional: bool = False,
        corrects: int | None = None,
    ) -> Event:
        faces = self.faces
        # Nobody wants to hear how often an ignored stranger comes.
        unknown = match is not None and match.outcome is Outcome.UNKNOWN and not self.silenced
        problem = faces.main_problem if kind is EventKind.NO_USABLE_FACE else None
        made = Event(
            kind=kind,
            visit_id=self.id,
            sequence=self.sequence,
            at=at,
            started_at=self.since,
            latency_s=max(0.0, at - self.since),
            provisional=provisional,
            corrects=corrects,
            match=match,
            quality=faces.best_quality,
            box=self.box,
            usable_faces=faces.count,
            liveness=None if kind is EventKind.STARTED else self.liveness.score(),
            challenge=self.challenge,
            problem=problem,
            picture=self.picture,
            picture_box=self.picture_box,
            silenced=self.silenced,
            probe=self.good_faces.probe if unknown else None,
            good_faces=tuple(self.good_faces.kept) if unknown and kind is EventKind.ENDED else (),
        )
        self.sequence += 1
        self.log.note(replace(made, picture=None, picture_box=None, good_faces=()))
        return made

    def account(self, min_faces: int) -> VisitAccount:
        """The story of the visit, for its last event."""
        return self.log.account(self.faces.count, (group.embedding for group in self.faces.groups(min_faces)))
