"""The box as an engine: the daemon's own loop, its events checked against the published schema."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import msgspec

from converter.embeddings import central
from converter.visit_player.playing import Said, Told
from converter.visit_player.rules import Rule, removed
from edge.capture.photos import read_photo
from edge.config.loading import Config
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.timings import Timings
from edge.errors import ModelError
from edge.events import Event, EventKind
from edge.faces.analyser import AnalysedFace, Analyser
from edge.faces.loading import Networks, assemble
from edge.frame import Frame
from edge.galleries.gallery import Gallery, Person, Template
from edge.models.measure import measure_of
from edge.mqtt.contract import json_schemas
from edge.mqtt.visit_payloads import EventOrigin, visit_payload
from edge.records import Vector
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds, name_margin, naming_scale, similarity_scale, threshold_for

WALL_S = 1.7e9
"""The wall-clock time at which every take begins."""


class EventCheck:
    """Validates events against `visit.json` of the contract."""

    def __init__(self) -> None:
        self._validator: Any = jsonschema.Draft202012Validator(json_schemas()["visit"])
        self.checked = 0
        self.faults: list[str] = []

    def add(self, event: Event) -> None:
        """Encode an event as the daemon does, and validate it."""
        payload = visit_payload(event, wall_offset=WALL_S, origin=EventOrigin("player", "script", "embedder", "1"))
        document = msgspec.json.decode(msgspec.json.encode(payload))
        self.checked += 1
        self.faults += [f"{payload.event_id}: {fault.message}" for fault in self._validator.iter_errors(document)]


class BoxEngine:
    """The box with its configuration, and without one of its rules if `rule` is given."""

    def __init__(self, networks: Networks, config: Config, check: EventCheck, rule: Rule | None = None) -> None:
        """Raises ModelError when a network's card lacks what its stage needs."""
        self.name = f"without {rule.name}" if rule else "whosthere"
        self._rule = rule
        self._config = rule.config(config) if rule else config
        self._analyser = assemble(networks, self._config.detect, self._config.quality)
        self._check = check

    def start(self, enrolled: Mapping[str, Sequence[Path]]) -> "BoxRun":
        matcher = matcher_for(templates(enrolled, self._analyser), self._analyser, self._config)
        with removed(self._rule):
            return BoxRun(self._analyser, matcher, self._config, self._check, self._rule)


class BoxRun:
    """One take."""

    def __init__(
        self, analyser: Analyser, matcher: Matcher, config: Config, check: EventCheck, rule: Rule | None
    ) -> None:
        numbers = itertools.count(1)
        self._rule = rule
        self._check = check
        embedder = analyser.embedder
        scale = similarity_scale(config.match, embedder.card)
        self._processor = FrameProcessor(
            analyser, matcher, linking_thresholds(scale, embedder.infrared_calibration),
            msgspec.structs.replace(config, motion=msgspec.structs.replace(config.motion, enabled=False)),
            lambda: f"visit-{next(numbers)}", Timings(),
        )  # fmt: skip

    def frame(self, frame: Frame) -> Told:
        with removed(self._rule):
            step = self._processor.process(frame)
        looked = [seen for seen in step.seen if seen.quality is not None]
        followed = [seen for seen in step.seen if seen.visit_id is not None]
        return Told(
            self._said(step.events),
            [(seen.box, seen.match.person.name if seen.match and seen.match.person else None) for seen in followed],
            [seen.box for seen in looked if seen.quality is not None and seen.quality.usable],
            len(looked),
        )

    def end(self, at: float) -> list[Said]:
        with removed(self._rule):
            return self._said(self._processor.flush(at))

    def _said(self, events: Sequence[Event]) -> list[Said]:
        found = []
        for event in events:
            self._check.add(event)
            if event.provisional or event.kind is EventKind.ENDED:
                continue
            person = event.match.person if event.match and event.kind is EventKind.RECOGNIZED else None
            found.append(
                Said(
                    event.at,
                    event.box,
                    person.name if person else None,
                    started=event.kind is EventKind.STARTED,
                    corrects=event.corrects is not None,
                    spoof=event.liveness is not None and event.liveness.spoof,
                )
            )
        return found


def templates(enrolled: Mapping[str, Sequence[Path]], analyser: Analyser) -> dict[str, list[AnalysedFace]]:
    """Person -> the embedded face of each photo; people without a face in any of them are left out."""
    found = {
        name: [face for photo in photos if (face := _embedded(photo, analyser)) is not None]
        for name, photos in enrolled.items()
    }
    return {name: faces for name, faces in found.items() if faces}


def _embedded(photo: Path, analyser: Analyser) -> AnalysedFace | None:
    image = read_photo(photo)
    faces = analyser.detector.detect(image)
    return analyser.embed(analyser.look(image, central(faces, image))) if faces else None


def vectors_of(faces: Sequence[AnalysedFace]) -> list[Vector]:
    """Their embeddings."""
    return [face.embedding for face in faces if face.embedding is not None]


def matcher_for(known: Mapping[str, Sequence[AnalysedFace]], analyser: Analyser, config: Config) -> Matcher:
    """The matcher of a gallery with these templates. Raises ModelError without a calibration."""
    embedder = analyser.embedder
    people = [
        (Person(f"p{number}", name, [Template("", 1.0, "", face.infrared) for face in faces]), vectors_of(faces))
        for number, (name, faces) in enumerate(known.items())
    ]
    gallery = Gallery.of(1, "", embedder.id, embedder.dimensions, people)
    card = embedder.card
    threshold = threshold_for(config.match, card.naming_calibration, len(gallery.embeddings))
    if threshold is None:
        raise ModelError("the embedder's card has no calibration; run `whosthere-converter calibrate` first")
    margin, night = name_margin(config.match, naming_scale(config.match, card)), card.naming_infrared_calibration
    scale = card.naming_calibration
    return Matcher(gallery, threshold.similarity, margin, scale, infrared=night, measure=measure_of(card))
