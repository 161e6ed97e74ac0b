"""Frames in memory and the demo's box: what every part of the benchmark works on."""

import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.capture.photos import read_photo
from edge.capture.video_io import open_file
from edge.config.loading import Config
from edge.config.sections import ModelSettings
from edge.daemon.frame_processor import FrameProcessor
from edge.daemon.timings import Timings
from edge.demo.box import FOLDER, NAMES, PORTRAITS, SCRIPT
from edge.demo.expected import read_script
from edge.faces.analyser import Analyser
from edge.faces.loading import Networks, assemble, load_networks
from edge.frame import Frame
from edge.galleries.gallery import Gallery, Header, Person, Template
from edge.records import Image, read_only
from edge.visits.matcher import Matcher
from edge.visits.thresholds import linking_thresholds

BEGAN = 1000.0
"""When the first frame of a clip was taken, in monotonic seconds."""
AT = "2026-01-01T00:00:00Z"
THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Film:
    """A clip, decoded."""

    name: str
    fps: float
    pictures: list[Image]

    @property
    def frames(self) -> list[Frame]:
        return [Frame(picture, picture, BEGAN + n / self.fps) for n, picture in enumerate(self.pictures)]


@dataclass(frozen=True, slots=True)
class DemoBox:
    """The bundled networks, on one thread each, and the people of the demo."""

    config: Config
    networks: Networks
    analyser: Analyser
    gallery: Gallery

    @classmethod
    def load(cls, enrolled: NDArray[np.float32] | None = None, *, xnnpack: bool = True) -> "DemoBox":
        """Load the networks. `enrolled`: one row for each person of the demo; None: make them from their portraits."""
        config = msgspec.structs.replace(Config(), models=ModelSettings(threads=1, xnnpack=xnnpack))
        networks = load_networks(config.models)
        analyser = assemble(networks, config.detect, config.quality)
        rows = enrolled_rows(analyser) if enrolled is None else enrolled
        people = [Person(person_id, name, [Template("photo.jpg", 0.8, AT)]) for person_id, name in NAMES.items()]
        header = Header(2, 1, AT, analyser.embedder.id, people)
        return cls(config, networks, analyser, Gallery(header, read_only(rows)))

    def processor(self, timings: Timings | None = None) -> FrameProcessor:
        """The daemon's loop over frames, from its beginning."""
        embedder, numbers = self.analyser.embedder, itertools.count()
        if embedder.calibration is None:
            raise SystemExit(f"{embedder.name}: the benchmark needs an embedder whose card has a calibration")
        linking = linking_thresholds(embedder.calibration, embedder.infrared_calibration)
        matcher = self.matcher()
        config, timings = self.config, timings or Timings()
        return FrameProcessor(self.analyser, matcher, linking, config, lambda: f"visit-{next(numbers)}", timings)

    def matcher(self) -> Matcher:
        embedder = self.analyser.embedder
        return Matcher(self.gallery, THRESHOLD, self.config.match.min_margin, embedder.calibration)


def enrolled_rows(analyser: Analyser) -> NDArray[np.float32]:
    """The embedding of one portrait for each person of the demo."""
    photos = [read_photo(sorted((PORTRAITS / person_id).glob("*.jpg"))[0]) for person_id in NAMES]
    faces = [analyser.portraits(photo, embed_unusable=True)[0] for photo in photos]
    return np.stack([face.embedding for face in faces if face.embedding is not None])


def demo_film() -> Film:
    """The clip of `make demo`."""
    return read_film(FOLDER / read_script(SCRIPT).clip)


def films() -> list[Film]:
    """The demo's clip, and `video/hamilton` where WHOSTHERE_DATA has it."""
    data = os.environ.get("WHOSTHERE_DATA", "")
    other = Path(data) / "video" / "hamilton" / "short_hamilton_clip.mp4"
    return [demo_film(), *([read_film(other)] if data and other.exists() else [])]


def read_film(path: Path) -> Film:
    """Decode a whole clip into memory. Raises SystemExit when it cannot be read."""
    clip = open_file(path)
    pictures: list[Image] = []
    while True:
        read, picture = clip.read()
        if not read:
            break
        pictures.append(read_only(np.asarray(picture, np.uint8)))
    fps = float(clip.get(cv2.CAP_PROP_FPS))
    clip.release()
    if not pictures or not fps > 0:
        raise SystemExit(f"{path}: found no frame; give a recording that plays")
    return Film(path.parent.name, fps, pictures)


def warm_up(networks: Networks) -> None:
    """Run each network once: the first run allocates."""
    for network in networks.values():
        network.run([np.zeros((*network.card.input.shape[1:3], 3), np.uint8)])
