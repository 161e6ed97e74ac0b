"""Strangers on a box's own file, with pictures of real people."""

from contextlib import closing
from pathlib import Path

import cv2

from edge.events import StrangerVisits
from edge.visits.good_faces import NEEDED, GoodFaces
from edge.visits.strangers_file import NAME, StrangersFile
from edge.visits.strangers_layout import StrangerPicture
from support.portraits import analyser, read_picture

NOW = 1_750_000_000.0


def seen_as(*photos: Path) -> GoodFaces:
    """The good faces of a visit that shows these photos."""
    faces = GoodFaces()
    for photo in photos:
        image = read_picture(photo)
        portrait = analyser().for_enrolment().portraits(image)[0]
        assert portrait.embedding is not None
        for _ in range(NEEDED):
            faces.add(portrait.quality, portrait.embedding, image, portrait.face.box)
    return faces


def keep(config: Path, number: int, *visits: GoodFaces, now: float = NOW) -> None:
    embedder = analyser().embedder.id.sha256
    with closing(StrangersFile(config.parent / "kept" / NAME)) as file:
        for times, faces in enumerate(visits, 1):
            who = StrangerVisits(number, times, now, None, now + 60 * times)
            jpegs = [StrangerPicture(f.quality, cv2.imencode(".jpg", f.picture)[1].tobytes()) for f in faces.kept]
            assert faces.probe is not None
            assert file.record(who, f"20250615T1506{number:02}-{times:06x}", embedder, faces.probe, jpegs)
