"""Visitors one after another, as a folder of images: much happens in little time."""

from pathlib import Path

import cv2
import numpy as np

from edge.records import Image
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA_2009, OBAMA_2010, analyser, read_picture

PART = 100
"""Frames from one visitor's coming to the next one's."""
_THERE = 20
_SIZE = (320, 240)
_VISITORS = (BIDEN, OBAMA_2009, COLLINS, HOPPER, OBAMA_2010)


def film(folder: Path, part: int = PART) -> Path:
    """A quiet porch, and every `part` frames somebody for twenty."""
    folder.mkdir()
    noise = np.random.default_rng(5)
    porch = cv2.GaussianBlur(noise.integers(60, 190, (_SIZE[1], _SIZE[0], 3), np.uint8), (0, 0), 9)
    for number, portrait in enumerate(_VISITORS):
        face = head(portrait)
        for i in range(part):
            image = porch.copy()
            if i < _THERE:
                x, y = noise.integers(0, 4, 2)
                image[40 + y : 40 + y + face.shape[0], 90 + x : 90 + x + face.shape[1]] = face
            grain = noise.integers(-3, 4, image.shape)
            cv2.imwrite(str(folder / f"{number * part + i}.jpg"), np.clip(image + grain, 0, 255).astype(np.uint8))
    return folder


def head(portrait: Path) -> Image:
    """The face of a portrait with what is around it, 160 pixels square."""
    whole = read_picture(portrait)
    box = analyser().detector.detect(whole)[0].box
    side, x, y = round(1.6 * box.height), round(box.left + box.right) // 2, round(box.top + box.bottom) // 2
    left, top = max(0, x - side // 2), max(0, y - side // 2)
    return np.asarray(cv2.resize(whole[top : top + side, left : left + side], (160, 160)), np.uint8)
