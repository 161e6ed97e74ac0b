"""A folder of people made from the demo's portraits."""

import shutil
from pathlib import Path

import cv2
import numpy as np

from edge.demo.box import PORTRAITS

VISITS = PORTRAITS.parent / "visit"
CONSENT = "consent: {given_by: Barack Obama, given_on: 2026-01-31, purpose: the front door, until: 2099-01-31}\n"


def make_album(root: Path) -> Path:
    """Obama from three photos, with a person.yaml; Biden and Hopper from one each."""
    for folder, photos in {
        "obama": [PORTRAITS / "barack-obama" / "photo.jpg", *sorted(VISITS.glob("barack-obama-*.jpg"))],
        "Joe Biden": [PORTRAITS / "joe-biden" / "photo.jpg"],
        "Grace Hopper": [PORTRAITS / "grace-hopper" / "photo.jpg"],
    }.items():
        (root / folder).mkdir(parents=True)
        for photo in photos:
            shutil.copy(photo, root / folder / f"{photo.parent.name}-{photo.name}")
    (root / "obama" / "person.yaml").write_text("name: Barack Obama\nnotes: a neighbour\n" + CONSENT)
    return root


def brighter(photo: Path, to: Path) -> None:
    """The same photo a little brighter: a near-duplicate."""
    image = cv2.imread(str(photo))
    assert image is not None
    cv2.imwrite(str(to), np.clip(image.astype(np.int16) + 6, 0, 255).astype(np.uint8))
