"""Only problems appear on stderr: the runtime's chatter is held back, and nothing else is."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.models.quiet import quiet_libraries

ROOT = Path(__file__).parents[1]
PICTURE = next((ROOT / "edge/demo/portraits").rglob("*.jpg"))


def test_chatter_is_held_back_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_libraries():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nERROR: no such op\nINFORMED\nlast")
    assert capfd.readouterr().err == "ERROR: no such op\nINFORMED\nlast"
    os.write(2, b"INFO: afterwards\n")
    assert capfd.readouterr().err == "INFO: afterwards\n"


def test_what_was_printed_before_a_failure_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="bad"), quiet_libraries():
        os.write(2, b"ERROR: bad op\n")
        raise ValueError("bad")
    assert capfd.readouterr().err == "ERROR: bad op\n"


def test_threads_take_turns_and_lose_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    def load(number: int) -> None:
        for turn in range(20):
            with quiet_libraries():
                os.write(2, f"INFO: {number}\nERROR: {number} {turn}\n".encode())

    threads = [threading.Thread(target=load, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capfd.readouterr().err.splitlines()
    assert sorted(lines) == sorted(f"ERROR: {number} {turn}" for number in range(8) for turn in range(20))


def test_a_process_without_stderr_loads_networks() -> None:
    program = (
        "import os; os.close(2); from edge.models.quiet import quiet_libraries\nwith quiet_libraries(): print('in')"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"in\n"


@pytest.mark.parametrize("command", [["doctor"], ["identify", str(PICTURE), "--gallery", "GALLERY"]])
def test_a_command_that_succeeds_says_nothing_on_stderr(command: list[str], demo_gallery: Path) -> None:
    arguments = [str(demo_gallery) if word == "GALLERY" else word for word in command]
    done = subprocess.run(
        [sys.executable, "-m", "edge", *arguments], cwd=ROOT, capture_output=True, check=False, text=True
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_the_decoders_complaints_about_damaged_photos_are_left_to_whosthere(tmp_path: Path) -> None:
    jpeg, png = tmp_path / "garbled.jpg", tmp_path / "garbled.png"
    content = bytearray(PICTURE.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(byte ^ 0x55 for byte in content[middle : middle + 200])
    jpeg.write_bytes(content)
    picture = bytearray(cv2.imencode(".png", np.zeros((50, 50, 3), np.uint8))[1].tobytes())
    picture[60] ^= 1
    png.write_bytes(picture)
    words = ["enroll", "--gallery", str(tmp_path / "known.whg"), "--person", "Ada", str(jpeg), str(png)]
    done = subprocess.run([sys.executable, "-m", "edge", *words], cwd=ROOT, capture_output=True, check=False, text=True)
    assert "JPEG data" not in done.stderr and "libpng" not in done.stderr
    assert "garbled.png" in done.stdout + done.stderr
