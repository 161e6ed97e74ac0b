"""The bundled portraits in the form of LFW: a folder per person, and a list of pairs in two folds."""

import shutil
from pathlib import Path

from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, OBAMA_2009, OBAMA_2010


def make(folder: Path) -> None:
    """`images` and `pairs.txt`."""
    people = {
        "Barack_Obama": [OBAMA_2009, OBAMA_2010, OBAMA],
        "Joe_Biden": [BIDEN],
        "Grace_Hopper": [HOPPER],
        "Eileen_Collins": [COLLINS],
    }
    for name, pictures in people.items():
        (folder / "images" / name).mkdir(parents=True)
        for i, picture in enumerate(pictures, 1):
            shutil.copy(picture, folder / "images" / name / f"{name}_{i:04}.jpg")
    obama = "Barack_Obama"
    rows = [f"{obama}\t1\t2", f"{obama}\t1\tJoe_Biden\t1", f"{obama}\t2\t3", "Grace_Hopper\t1\tEileen_Collins\t1"]
    (folder / "pairs.txt").write_text("2\t1\n" + "\n".join(rows) + "\n", encoding="utf-8")
