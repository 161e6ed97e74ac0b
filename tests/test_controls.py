"""Controls: pausing for a time, the false-alarm target; and what waits on the disk."""

import os
import shutil
from pathlib import Path

import pytest

from edge.config.sections import GalleryKeys
from edge.daemon.pause import PauseTimer
from edge.daemon.pending_updates import gallery_version, software_version
from edge.errors import UsageError
from edge.galleries.file import open_gallery, write_gallery
from edge.models.card import Calibration
from edge.visits.matcher import Matcher
from edge.visits.thresholds import Bounds, check_target
from support.people import gallery_of, somebody

CALIBRATION = Calibration("data", "command", [(0.2, 0.1), (0.6, 1e-5)])


def matcher(*, calibrated: bool = True) -> Matcher:
    known = gallery_of(ada=somebody(1), ben=somebody(2))
    return Matcher(known, 0.5, 0.05, CALIBRATION if calibrated else None)


def test_a_pause_ends_by_itself() -> None:
    timer = PauseTimer()
    assert "for 600 s" in timer.pause(600, now=1000.0)
    assert [timer.tick(1599.9), timer.paused, timer.tick(1600.0), timer.paused] == [
        False,
        True,
        True,
        False,
    ]
    assert not timer.tick(1601.0), "told once"


def test_a_pause_without_a_time_waits_for_somebody() -> None:
    timer = PauseTimer()
    timer.pause(5, now=0.0)
    timer.pause(None, now=1.0)
    assert not timer.tick(1e6)
    assert timer.paused
    assert timer.resume() == "watching"
    assert not timer.paused


def test_the_bounds_are_what_was_measured_for_all_templates() -> None:
    allowed = matcher().target_bounds
    assert allowed is not None
    assert allowed.low == pytest.approx(2e-5, rel=1e-3)
    assert allowed.high == pytest.approx(0.19)
    assert matcher(calibrated=False).target_bounds is None


def test_targets_without_a_meaning_are_refused() -> None:
    check_target(0.1, Bounds(0.01, 0.2))
    for target in (0.001, 0.3):
        with pytest.raises(UsageError, match=r"allow 0\.01 to 0\.2"):
            check_target(target, Bounds(0.01, 0.2))
    with pytest.raises(UsageError, match="not calibrated"):
        check_target(0.1, None)


def test_a_gallery_that_waits_is_seen(demo_gallery: Path, tmp_path: Path) -> None:
    path = tmp_path / "gallery.whg"
    assert gallery_version(path, GalleryKeys()) is None
    shutil.copy(demo_gallery, path)
    assert gallery_version(path, GalleryKeys()) == "3"
    write_gallery(open_gallery(path, None).without("joe-biden", "2025-01-01T00:00:00Z"), path)
    assert gallery_version(path, GalleryKeys()) == "4"
    path.write_bytes(b"torn")
    os.utime(path, (1, 1))
    assert gallery_version(path, GalleryKeys()) is None
    path.unlink()
    assert gallery_version(path, GalleryKeys()) is None


def test_the_software_on_disk_has_a_version() -> None:
    assert software_version()
