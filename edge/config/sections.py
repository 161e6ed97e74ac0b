"""The sections `gallery`, `models`, `doorbell` and `runtime` of config.yaml."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Accelerator = Literal["auto", "cpu", "edgetpu"]
EdgeTpuName = Annotated[
    str,
    Meta(
        pattern=r"^(usb|pci|(usb|pci)?:[0-9]{1,2})$",
        description="'usb' or 'pci', a number as in ':0', or both as in 'usb:1'",
    ),
]


class GallerySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The known people."""

    path: str = "/var/lib/whosthere/gallery.whg"
    """Relative paths count from the folder of config.yaml."""
    allowed_signers: str | None = None
    """OpenSSH's file of the keys that may sign a gallery; None: unsigned ones are accepted as well."""
    signing_key: str | None = None
    """SSH private key with which `whosthere enroll` on this box signs what it writes."""
    identity_file: str | None = None
    """SSH private key of this box that opens galleries encrypted to it."""
    max_mb: Annotated[int, Meta(ge=1, le=4096)] = 256
    """A larger bundle is not received."""
    keep_versions: Annotated[int, Meta(ge=1, le=50)] = 3
    """How many earlier galleries are kept to go back to."""


@dataclass(frozen=True, slots=True)
class GalleryKeys:
    """Whose galleries are trusted, and what opens an encrypted one."""

    allowed_signers: Path | None = None
    """None: anybody's, unsigned ones as well."""
    identity: Path | None = None


NO_KEYS = GalleryKeys()
"""Unsigned galleries are accepted, and encrypted ones cannot be read."""


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which networks: names of bundled ones, or paths to cards of your own."""

    detector: str = "blazeface-back"
    near_detector: str = "blazeface-short-range"
    """Finds followed faces again, around where they were."""
    landmarks: str = "face-mesh"
    embedder: str = "mobilefacenet"
    threads: Annotated[int, Meta(ge=1, le=16)] = 2
    """CPU threads for each network."""
    xnnpack: bool = True
    """The processor's own fast kernels."""
    accelerator: Accelerator = "auto"
    """`auto`: an Edge TPU if there is one, for networks compiled for it; `edgetpu`: complain if that cannot be."""
    device: EdgeTpuName | None = None
    """Which Edge TPU: `usb`, `pci`, `:0`, `usb:1`..."""


class DoorbellSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A button that is wired to the box."""

    pin: Annotated[int, Meta(ge=0, le=27)] | None = None
    """Its number as Broadcom counts (GPIO17 is 17); None: there is no button."""
    wired_to: Literal["ground", "3v3"] = "ground"
    """What pressing connects the pin with."""
    debounce_s: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """Changes shorter than this are the contact's bouncing."""
    quiet_s: Annotated[float, Meta(ge=0, le=60)] = 2.0
    """Pressing again within so long is the same ring."""


class RuntimeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the daemon behaves as a process."""

    max_fps: Annotated[float, Meta(gt=0, le=120)] = 10.0
    """Frames a second that are looked at, at the most; the others cost nothing."""
    max_looks_per_frame: Annotated[int, Meta(ge=1, le=50)] = 4
    """Faces of one frame that are embedded at the most; the others wait for the next frame."""
    stall_s: Annotated[float, Meta(ge=2, le=600)] = 30.0
    """A thread without progress for so long ends the process, which systemd then starts again."""
    cool_above_c: Annotated[float, Meta(ge=40, le=110)] = 75.0
    """Degrees Celsius of the processor from which on fewer frames are looked at."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
