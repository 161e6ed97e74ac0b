"""Sightings over time -> one decision and one set of events per visit."""

from collections.abc import Callable, Iterable, Set
from dataclasses import replace

from edge.config.faces import QualitySettings
from edge.config.visits import VisitSettings
from edge.events import ChallengeResult, Event, EventKind
from edge.records import Image, Match
from edge.sightings import Sighting
from edge.visits.decision import Announcement, announcement, correction, is_ignored, likeness, match_visit
from edge.visits.good_faces import is_good
from edge.visits.matcher import Matcher
from edge.visits.state import Visit
from edge.visits.swap import LOOKS_TO_SPLIT, Verdict, judge
from edge.visits.thresholds import LinkingThresholds


class VisitManager:
    """All visits that have not ended."""

    def __init__(
        self,
        settings: VisitSettings,
        linking: LinkingThresholds,
        matcher: Matcher,
        new_id: Callable[[], str],
        *,
        pictures: bool,
        good_faces: QualitySettings | None = None,
    ) -> None:
        """`good_faces`: what a face needs to link visits of a stranger; None: strangers are not grouped."""
        self._matcher = matcher
        self.linking = linking
        self._settings = settings
        self._new_id = new_id
        self._pictures = pictures
        self._good_faces = good_faces
        self._visits: list[Visit] = []

    @property
    def empty(self) -> bool:
        """Whether there is no visit, started or not."""
        return not self._visits

    @property
    def matcher(self) -> Matcher:
        """Decides who visitors are. Visits that have not ended follow people who are renamed in a new one."""
        return self._matcher

    @matcher.setter
    def matcher(self, matcher: Matcher) -> None:
        self._matcher = matcher
        names = {person.id: person.name for person in matcher.gallery.people}
        for visit in self._visits:
            visit.provisional = visit.provisional and visit.provisional.renamed(names)
            visit.decision = visit.decision and visit.decision.renamed(names)

    def wants_look(self, track_id: int, now: float, *, changed: bool = False) -> bool:
        """Whether analysing this face now could change anything. `changed`: it jumped, or looks different."""
        visit = self._of_track(track_id)
        if visit is None or visit.looked_at is None or changed:
            return True
        # A look that did not confirm the name is followed by others at once: either one does, or it is withheld.
        unsure = bool(visit.doubts) or 0 < visit.unconfirmed <= LOOKS_TO_SPLIT
        eager = unsure or (not visit.decided and visit.looks < self._settings.max_looks)
        interval = self._settings.look_interval_s if eager else self._settings.recheck_s
        return now - visit.looked_at >= interval

    def label(self, track_id: int) -> tuple[str, Match | None] | None:
        """The id of a track's visit and the decision so far; None when it has none.

        The decision is withheld while the last looks did not confirm that the face is still the visitor's.
        """
        visit = self._of_track(track_id)
        if visit is None:
            return None
        sure = not visit.assumed and visit.unconfirmed <= LOOKS_TO_SPLIT
        return visit.id, (visit.decision or visit.provisional) if sure else None

    def confirmed(self, track_id: int) -> str | None:
        """The id of a track's visit, if the last look showed its visitor for sure; None otherwise."""
        visit = self._of_track(track_id)
        return visit.id if visit is not None and visit.started and not visit.unconfirmed else None

    def in_view(self) -> str | None:
        """The id of the visit whose face is the largest in view; None when nobody is."""
        here = [(v.box.area_px, v.id) for v in self._visits if v.started and v.track_id is not None and v.box]
        return max(here)[1] if here else None

    def is_open(self, visit_id: str) -> bool:
        """Whether this visit has started and not ended."""
        return any(visit.id == visit_id and visit.started for visit in self._visits)

    def challenged(self, visit_id: str, result: ChallengeResult | None) -> None:
        """Note how a challenge ended, for the visit's next events; None: a new one has begun."""
        for visit in self._visits:
            if visit.id == visit_id:
                visit.challenge = result

    def update(
        self, sightings: Iterable[Sighting], alive: Set[int], now: float, image: Image | None = None
    ) -> list[Event]:
        """Add the sightings of one frame. `alive` are the tracks that are not lost."""
        for sighting in sightings:
            self._see(sighting, image)
        for visit in self._visits:
            if visit.track_id is not None and visit.track_id not in alive:
                visit.track_id = None
        events = [event for visit in self._unstarted() for event in self._begin(visit, now)]
        events += self._decide_all(now)
        events += [event for visit in self._gone(now) for event in self._end(visit, now)]
        return events

    def ring(self, now: float) -> tuple[str, list[Event]]:
        """Somebody rang: the id of the visit and, if it begins now, its first event.

        When nobody is in sight, the next face is the ringer's. If none comes, the visit ends like any other.
        """
        here = [visit for visit in self._visits if visit.track_id is not None]
        visit = max(here, key=lambda v: (v.started, v.last_seen_at), default=None) or self._expected()
        if visit is None:
            visit = Visit.rung(self._new_id(), now, self.linking)
            self._visits.append(visit)
        visit.log.rang(now)
        return visit.id, [] if visit.started else self._start(visit, now)

    def _expected(self) -> Visit | None:
        """The visit of somebody who rang and has not been seen."""
        return next((v for v in self._visits if v.started and v.track_id is None and not v.seen), None)

    def flush(self, now: float) -> list[Event]:
        """End everything: there will be no more frames."""
        self._visits = [v for v in self._visits if v.started or v.faces.any_face]
        events = [event for visit in self._unstarted() for event in self._start(visit, now)]
        return events + [event for visit in list(self._visits) for event in self._end(visit, now)]

    def _see(self, sighting: Sighting, image: Image | None) -> None:
        """Add a sighting to its visit, or to a new one when the track shows somebody else by now."""
        visit = self._of_track(sighting.track_id)
        if visit is None:
            visit = self._opened(sighting)
        visit.see(sighting)
        if sighting.quality is None:
            return
        visit.unconfirmed += 1
        match = self._match_look(sighting)
        verdict = self._verdict(visit, sighting, match)
        if verdict is Verdict.SAME:
            self._add(visit, sighting, match, image)
            return
        visit.doubts.append(sighting)
        if verdict is Verdict.OTHER or visit.assumed or len(visit.doubts) >= LOOKS_TO_SPLIT:
            self._split(visit, image)

    def _add(self, visit: Visit, sighting: Sighting, match: Match | None, image: Image | None) -> None:
        if sighting.quality is None:
            return
        visit.log.add(sighting.quality, match.best.similarity if match and match.best else None, sighting.at)
        visit.faces.add(sighting.quality, sighting.embedding, sighting.at)
        self._add_good(visit, sighting, image)
        if sighting.liveness is not None:
            visit.liveness.add(sighting.liveness)
        if sighting.embedding is not None or visit.faces.count == 0:
            visit.confirm(sighting)
            if self._pictures and image is not None:
                visit.keep_picture(sighting.quality, image, sighting.box)

    def _add_good(self, visit: Visit, sighting: Sighting, image: Image | None) -> None:
        limits, quality, embedding = self._good_faces, sighting.quality, sighting.embedding
        named = visit.decided and visit.person_id is not None
        if limits is None or quality is None or embedding is None or named or not is_good(quality, limits):
            return
        visit.good_faces.add(quality, embedding, image, sighting.box)

    def _match_look(self, sighting: Sighting) -> Match | None:
        """The gallery's answer to one look alone; None: it was not embedded."""
        vector = sighting.embedding
        return None if vector is None else self.matcher.match(vector, infrared=sighting.infrared)

    def _verdict(self, visit: Visit, sighting: Sighting, match: Match | None) -> Verdict:
        """A look without an embedding says nothing, and neither does the first one of a visit."""
        if sighting.embedding is None or match is None or visit.faces.count == 0:
            return Verdict.SAME
        named = visit.person_id if visit.decided else None
        linking = self.linking.under(infrared=sighting.infrared and visit.faces.infrared)
        return judge(visit.faces, sighting.embedding, named, match, linking)

    def _opened(self, sighting: Sighting) -> Visit:
        visit = Visit.of(self._new_id(), sighting, self.linking)
        self._visits.append(visit)
        return visit

    def _split(self, old: Visit, image: Image | None) -> None:
        """The newcomer gets a visit, which begins with the looks that gave them away."""
        assumed, doubts = old.assumed, old.lose()
        new = self._opened(doubts[0] if assumed else replace(doubts[0], since=doubts[0].at))
        new.tentative = not assumed
        for sighting in doubts:
            new.see(sighting)
            # Only the last of them was taken from this frame.
            self._add(new, sighting, self._match_look(sighting), image if sighting is doubts[-1] else None)

    def _unstarted(self) -> list[Visit]:
        return [visit for visit in self._visits if not visit.started]

    def _begin(self, visit: Visit, now: float) -> list[Event]:
        """Start a new visit, or join it to that of somebody who was here a moment ago."""
        odd = visit.tentative and visit.faces.count < self._settings.min_faces
        if odd or not visit.faces.any_face:
            # One odd look or two are not a visitor: the one before may be back in the next frame. Nor is a shop-window
            # dummy or the back of a head.
            self._visits = [v for v in self._visits if v is not visit or v.track_id is not None]
            return []
        if (rung := self._expected()) is not None:
            return self._join(rung, visit)
        # Somebody who steps in front of another takes over that one's track, while their own is not lost yet.
        gone = now if visit.tentative else float("-inf")
        dormant = [v for v in self._visits if v.started and (v.track_id is None or v.last_seen_at < gone)]
        return self._link(visit, dormant, now) if dormant else self._start(visit, now)

    def _link(self, visit: Visit, dormant: list[Visit], now: float) -> list[Event]:
        """Join a visit to one of those of a moment ago, start it as a new one, or wait for more faces."""
        fused = visit.faces.embedding
        waited = visit.track_id is None or now - visit.since >= self._settings.link_wait_s
        if fused is None:
            return self._join(max(dormant, key=lambda v: v.last_seen_at), visit) if waited else []
        match = self._match(visit)
        name = match.person.person_id if match and match.person else None
        namesake = next((v for v in dormant if name is not None and v.person_id == name), None)
        if namesake is not None:
            return self._join(namesake, visit)
        scored = [(v.faces.similarity(fused), v) for v in dormant]
        nearness, nearest = max(scored, key=lambda pair: pair[0])
        somebody_else = name is not None and nearest.person_id is not None
        linking = self.linking.under(infrared=visit.faces.infrared and nearest.faces.infrared)
        if nearness >= linking.same and not somebody_else:
            return self._join(nearest, visit)
        sure = nearness < linking.different or visit.faces.count >= self._settings.min_faces
        return self._start(visit, now) if sure or waited else []

    def _join(self, old: Visit, new: Visit) -> list[Event]:
        old.absorb(new)
        self._visits.remove(new)
        return []

    def _start(self, visit: Visit, now: float) -> list[Event]:
        visit.started = True
        return [visit.event(EventKind.STARTED, now)]

    def _decide_all(self, now: float) -> list[Event]:
        """Decide what can be decided, the most similar first: two people in one frame never share a name."""
        open_visits = [v for v in self._visits if v.started and (not v.decided or v.correctable) and v.faces.count]
        open_visits.sort(key=lambda v: -likeness(self._match(v)))
        return [event for visit in open_visits for event in self._decide(visit, now, last=False)]

    def _match(self, visit: Visit, taken: Set[str] = frozenset()) -> Match | None:
        return match_visit(self.matcher, visit.faces, self._settings, taken)

    def _decide(self, visit: Visit, now: float, *, last: bool) -> list[Event]:
        match = self._match(visit, self._taken(visit))
        if match is not None and match.best is not None:
            visit.log.fused(match.best.similarity)
        if visit.decided:
            return self._correct(visit, correction(visit.faces, match, self._settings), now)
        found = announcement(visit.faces, match, self._settings, now, last=last)
        if found is None or (found.provisional and visit.provisional is not None):
            return []
        if found.provisional:
            visit.provisional = found.match
        else:
            visit.decision, visit.decided, visit.decided_in = found.match, True, visit.sequence
            visit.silenced = is_ignored(self.matcher, visit.faces, found.kind)
        event = visit.event(found.kind, now, found.match, provisional=found.provisional)
        return [] if visit.silenced else [event]

    def _correct(self, visit: Visit, found: Announcement | None, now: float) -> list[Event]:
        if found is None:
            return []
        # What was not published cannot be corrected.
        corrects = None if visit.silenced else visit.decided_in
        visit.decision, visit.corrected, visit.silenced = found.match, True, False
        return [visit.event(found.kind, now, found.match, corrects=corrects)]

    def _taken(self, visit: Visit) -> set[str]:
        others = (v for v in self._visits if v is not visit and v.track_id is not None)
        return {v.person_id for v in others if v.person_id is not None}

    def _gone(self, now: float) -> list[Visit]:
        limit = now - self._settings.gap_s
        return [v for v in self._visits if v.started and v.track_id is None and v.last_seen_at <= limit]

    def _end(self, visit: Visit, now: float) -> list[Event]:
        decision = [] if visit.decided else self._decide(visit, now, last=True)
        self._visits.remove(visit)
        ended = visit.event(EventKind.ENDED, now, visit.decision)
        return [*decision, replace(ended, account=visit.account(self._settings.min_faces))]

    def _of_track(self, track_id: int) -> Visit | None:
        return next((visit for visit in self._visits if visit.track_id == track_id), None)
