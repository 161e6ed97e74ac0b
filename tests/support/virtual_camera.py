"""`whosthere` on libcamera's virtual camera, without a Raspberry Pi and without a GPU: virtual_camera.py ARGUMENTS...

Stands in for what picamera2 takes from a Pi and a virtual camera does not have: a preview library that nobody asks for,
raw sensor modes, and the Pi's memory allocator. Nothing of ours is changed; libcamera and picamera2 are the real ones.

While the file `/tmp/unplugged` exists the camera is gone: no frame comes, and it is not listed. While `/tmp/held`
exists somebody else has the camera: libcamera's lock between processes is on device files, of which a virtual camera
has none, so the other one is in this process. `/tmp/threads` tells which threads are Python's.

A virtual camera makes pictures as fast as they are taken from it, while a sensor has a rate: while `/tmp/paced` exists,
they are taken ten times a second, up to four at once.
"""

import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

UNPLUGGED = Path("/tmp/unplugged")  # noqa: S108  (of a container of its own)
HELD = Path("/tmp/held")  # noqa: S108
THREADS = Path("/tmp/threads")  # noqa: S108
PACED = Path("/tmp/paced")  # noqa: S108
INTERVAL_S = 0.1


class Formats:
    def __getattr__(self, name: str) -> str:
        return name


pykms = types.ModuleType("pykms")
vars(pykms)["PixelFormat"] = Formats()
sys.modules["pykms"] = pykms

from libcamera import CameraManager  # noqa: E402
from picamera2 import Picamera2  # noqa: E402  (looks for pykms when it is imported)
from picamera2.allocators import LibcameraAllocator  # noqa: E402

from edge.__main__ import main  # noqa: E402


class Virtual(Picamera2):
    frames = 0
    due = 0.0

    def __init__(self, number: int) -> None:
        if HELD.exists():
            CameraManager.singleton().cameras[number].acquire()
        super().__init__(number)
        self.allocator = LibcameraAllocator(self.camera)

    def _get_raw_modes(self) -> list[dict[str, Any]]:
        return [{"format": "NV12", "size": (640, 480)}]

    @staticmethod
    def global_camera_info() -> list[dict[str, Any]]:
        return [] if UNPLUGGED.exists() else Picamera2.global_camera_info()

    def process_requests(self, display: Any) -> None:
        """In picamera2's own thread, when there are pictures: the last is handed out, the others are given back."""
        if PACED.exists():
            time.sleep(max(0.0, self.due - time.monotonic()))
            self.due = time.monotonic() + INTERVAL_S
        super().process_requests(display)

    def capture_request(self, wait: float | None = None, **_: Any) -> Any:
        until = time.monotonic() + (wait or 0)
        while UNPLUGGED.exists():
            if time.monotonic() > until:
                raise TimeoutError
            time.sleep(0.05)
        self.frames += 1
        if self.frames % 5 == 0:
            THREADS.write_text("\n".join(str(thread.native_id) for thread in threading.enumerate()))
        return super().capture_request(wait=wait)


vars(sys.modules["picamera2"])["Picamera2"] = Virtual
main()
