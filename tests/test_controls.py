"""What can be set from outside: pausing for a time, how sure a name must be; and what waits on the disk."""

import os
import shutil
from pathlib import Path

import pytest

from edge.config.sections import GalleryKeys
from edge.daemon.controls import Controls, check_target
from edge.daemon.pending_updates import PendingUpdates, software_version
from edge.errors import UsageError
from edge.galleries.file import open_gallery, write_gallery
from edge.models.card import Calibration
from edge.visits.matcher import Matcher
from edge.visits.thresholds import Bounds
from support.people import gallery_of, somebody

CALIBRATION = Calibration("data", "command", [(0.2, 0.1), (0.6, 1e-5)])


def matcher(*, calibrated: bool = True) -> Matcher:
    known = gallery_of(ada=somebody(1), ben=somebody(2))
    return Matcher(known, 0.5, 0.05, CALIBRATION if calibrated else None)


def test_a_pause_ends_by_itself() -> None:
    controls = Controls()
    assert "for 600 s" in controls.pause(600, now=1000.0)
    assert [controls.tick(1599.9), controls.paused, controls.tick(1600.0), controls.paused] == [
        False,
        True,
        True,
        False,
    ]
    assert not controls.tick(1601.0), "told once"


def test_a_pause_without_a_time_waits_for_somebody() -> None:
    controls = Controls()
    controls.pause(5, now=0.0)
    controls.pause(None, now=1.0)
    assert not controls.tick(1e6)
    assert controls.paused
    assert controls.resume() == "watching"
    assert not controls.paused


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


def test_what_is_told_of_them() -> None:
    controls = Controls()
    told = controls.payload("front-door", matcher(), 0.001, matcher().target_bounds)
    assert (told.paused, told.paused_until, told.false_alarm_min, told.false_alarm_max) == (False, None, 2e-5, 0.19)


def test_a_gallery_that_waits_is_seen(demo_gallery: Path, tmp_path: Path) -> None:
    path = tmp_path / "gallery.whg"
    on_disk = PendingUpdates(path, GalleryKeys())
    assert on_disk.gallery_version() is None
    shutil.copy(demo_gallery, path)
    assert on_disk.gallery_version() == "3"
    write_gallery(open_gallery(path, None).without("joe-biden", "2025-01-01T00:00:00Z"), path)
    assert on_disk.gallery_version() == "4"
    path.write_bytes(b"torn")
    os.utime(path, (1, 1))
    assert on_disk.gallery_version() is None
    path.unlink()
    assert on_disk.gallery_version() is None


def test_the_software_on_disk_has_a_version() -> None:
    assert software_version()
