"""Verification packs and IJB-like template sets, made of the bundled portraits."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from converter.faces import FaceFinder
from converter.packs import FIVE
from edge.faces import align
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, OBAMA_2009, OBAMA_2010, read_picture

PAIRS = [
    (OBAMA_2009, OBAMA_2010, True),
    (OBAMA_2009, BIDEN, False),
    (OBAMA_2010, OBAMA, True),
    (HOPPER, COLLINS, False),
]
IJB_PAIRS = [(1, 2, 1), (1, 3, 0), (2, 4, 0), (3, 4, 0)]
"""Obama twice, Biden, Hopper."""


def make_pack(path: Path, form: Callable[[bytes], Any] = bytes, protocol: int = 2) -> None:
    """A pack as InsightFace's tools write it; `form`: what they hold crops in."""
    finder, crops = FaceFinder(), []
    for first, second, _ in PAIRS:
        for photo in (first, second):
            image = read_picture(photo)
            face = finder.central(image)
            assert face is not None
            crops.append(form(cv2.imencode(".png", align.crop(image, face.five, FIVE, 112))[1].tobytes()))
    path.write_bytes(pickle.dumps((crops, [same for *_, same in PAIRS]), protocol))


def make_template_set(folder: Path) -> None:
    """`meta` and `images`."""
    finder, names = FaceFinder(), {}
    (folder / "images").mkdir(parents=True)
    (folder / "meta").mkdir()
    points = []
    for number, photo in enumerate((OBAMA_2009, OBAMA_2010, OBAMA, BIDEN, HOPPER), 1):
        image = read_picture(photo)
        face = finder.central(image)
        assert face is not None
        names[photo] = f"{number}.jpg"
        (folder / "images" / names[photo]).write_bytes(photo.read_bytes())
        points.append(" ".join([names[photo], *(f"{value:.2f}" for value in face.five.ravel()), "0.99"]))
    members = [(OBAMA_2009, 1, 10), (OBAMA_2010, 2, 11), (OBAMA, 2, 12), (BIDEN, 3, 13), (HOPPER, 4, 14)]
    lines = [f"{names[photo]} {template} {medium}" for photo, template, medium in members]
    for name, content in (
        ("small_name_5pts_score.txt", points),
        ("small_face_tid_mid.txt", lines),
        ("small_template_pair_label.txt", [" ".join(map(str, pair)) for pair in IJB_PAIRS]),
    ):
        (folder / "meta" / name).write_text("\n".join(content) + "\n", encoding="utf-8")
