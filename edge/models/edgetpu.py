"""A Coral Edge TPU, which may be missing, be unplugged and come back."""

import ctypes
import logging
import time
from collections.abc import Callable

from edge.config.sections import Accelerator
from edge.errors import ModelError

log = logging.getLogger("whosthere.edgetpu")

Load = Callable[[str, dict[str, str]], object]
"""`load_delegate` of a runtime: ValueError when its library finds no device."""

LIBRARY = "libedgetpu.so.1"
MARK = b"edgetpu-custom-op"
"""The operator with which edgetpu_compiler replaces those that the Edge TPU runs."""
RETRY_S = 30.0
INSTALL = "`apt install libedgetpu1-std` from Coral's Debian repository (docs/70-on-the-box.md)"


class EdgeTpu:
    """One device for all networks of a process. Not thread-safe: only the thread that owns the networks may use it."""

    def __init__(
        self,
        accelerator: Accelerator,
        device: str | None = None,
        library: str = LIBRARY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`device` is `usb`, `pci`, `:0`, `usb:1`...; None: whichever there is."""
        self.required = accelerator == "edgetpu"
        self.wanted = accelerator != "cpu"
        self.losses = 0
        """How often it was lost: a delegate from before the last loss cannot be used."""
        self._options = {"device": device} if device else {}
        self._where = f" as device {device}" if device else ""
        self._library = library
        self._clock = clock
        self._away_since: float | None = None
        self._tried_at = float("-inf")

    def delegate(self, load: Load) -> object | None:
        """Load what an interpreter runs a compiled network with; None, logged once, while there is no device.

        Raises ModelError when config.yaml requires an Edge TPU and its library is not installed.
        """
        now = self._clock()
        if not self.wanted or (self._away_since is not None and now - self._tried_at < RETRY_S):
            return None
        self._tried_at = now
        try:
            # Try the library first: a runtime that does not find it prints a traceback.
            ctypes.CDLL(self._library)
            delegate = load(self._library, self._options)
        except OSError as error:
            self._without_library(error)
            return None
        except ValueError as error:
            self._went(
                f"no Edge TPU answers{self._where}: is it plugged in, may this user open it (group plugdev, or apex "
                f"for PCIe), and does no other program use it?{_said(error)}"
            )
            return None
        if self._away_since is not None:
            log.info("the Edge TPU is back after %.0f s: networks run on it again", now - self._away_since)
            self._away_since = None
        return delegate

    def lost(self, why: str) -> None:
        """Record that it failed, even if in the middle of an invocation."""
        if self._away_since is None:
            self.losses += 1
        self._tried_at = self._clock()
        self._went(f"the Edge TPU has failed: {why}")

    def _went(self, reason: str) -> None:
        if self._away_since is None:
            self._away_since = self._clock()
            log.warning("%s; networks run on the CPU until it is back", reason)

    def _without_library(self, error: OSError) -> None:
        text = f"{self._library}, the library of the Edge TPU, cannot be loaded ({error}): {INSTALL}"
        if self.required:
            raise ModelError(f"models.accelerator is edgetpu, but {text}; or set it to auto") from error
        # Unlike a device, a library does not appear without a restart.
        self.wanted = False
        log.warning("%s; until then networks run on the CPU", text)


def is_compiled(content: bytes) -> bool:
    """Whether edgetpu_compiler made this .tflite file; then no CPU can run it."""
    return MARK in content


def _said(error: ValueError) -> str:
    """What the library reported, below the runtime's own line; libedgetpu reports nothing."""
    _, _, text = str(error).partition("\n")
    return f" ({text.strip()})" if text.strip() else ""
