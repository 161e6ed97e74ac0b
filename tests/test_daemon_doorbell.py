"""The doorbell of the whole daemon: a visit begins at once, and the detector wakes."""

import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from support.broker import Broker, Listener, running_broker
from support.button_box import PIN
from support.daemon import TOPIC, decoded, running, visit_events, visits, write_config
from support.portraits import OBAMA_2010, read_picture

FPS = 10
EMPTY_S, FACE_S = 3, 300
ASLEEP_S = 4.0


@pytest.fixture
def porch(tmp_path: Path) -> Path:
    """Somebody stands there from the fourth second on, as still as a picture."""
    folder = tmp_path / "porch"
    folder.mkdir()
    face = read_picture(OBAMA_2010)
    scale = min(640 / face.shape[1], 480 / face.shape[0])
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    shown = np.full((480, 640, 3), 90, np.uint8)
    shown[: small.shape[0], : small.shape[1]] = small
    cv2.imwrite(str(folder / "empty.png"), np.full((480, 640, 3), 90, np.uint8))
    cv2.imwrite(str(folder / "face.png"), shown)
    for number in range((EMPTY_S + FACE_S) * FPS):
        kind = "empty" if number < EMPTY_S * FPS else "face"
        (folder / f"{number:05}.png").hardlink_to(folder / f"{kind}.png")
    for kind in ("empty", "face"):
        (folder / f"{kind}.png").unlink()
    return folder


def blind_to_motion(folder: Path, broker: Broker, known: Path, porch: Path) -> Path:
    """Nothing counts as motion, and without motion it looks once in ten minutes."""
    sections: dict[str, dict[str, Any]] = {
        "camera": {"source": str(porch), "realtime": True, "fps": FPS},
        "motion": {"min_area": 1.0, "min_change": 255, "linger_s": 1.5, "idle_interval_s": 600},
        "doorbell": {"pin": PIN},
    }
    return write_config(folder, broker, known, **sections)


@pytest.mark.parametrize("by", ["button", "command"])
def test_ringing_begins_a_visit_at_once_and_wakes_the_detector(
    tmp_path: Path, demo_gallery: Path, porch: Path, by: str
) -> None:
    if importlib.util.find_spec("gpiozero") is None:
        pytest.skip("gpiozero is not installed")
    asked = tmp_path / "press"
    program = [sys.executable, "-P", str(Path(__file__).with_name("support") / "button_box.py"), str(asked)]
    with running_broker(tmp_path / "broker") as broker, Listener(broker) as listener:
        config = blind_to_motion(tmp_path, broker, demo_gallery, porch)
        with running(config, program=program):
            listener.wait_for(f"{TOPIC}/camera", b"online")
            time.sleep(EMPTY_S + ASLEEP_S)
            assert visits(listener) == [], "he stands there, and the detector sleeps"
            rung_at = time.monotonic()
            if by == "button":
                asked.touch()
            else:
                listener.publish(f"{TOPIC}/command/ring", b"")
            ring = decoded(listener.wait_for(f"{TOPIC}/doorbell"))
            listener.wait_for(f"{TOPIC}/visit")
            begun_s = time.monotonic() - rung_at
            listener.wait(lambda: ("recognized", "barack-obama") in visit_events(listener))
            named_s = time.monotonic() - rung_at
    print(f"\nrung by {by}: the visit began {begun_s:.2f} s later, he was named after {named_s:.2f} s")
    assert {event["visit_id"] for event in visits(listener)} == {ring["visit_id"]}
    assert ring["source"] == by
