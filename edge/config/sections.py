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
        pattern=r"^(usb|pci|(usb|pci)?:[0-9]{1,2})\Z",
        description="'usb' or 'pci', a number as in ':0', or both as in 'usb:1'",
    ),
]


class GallerySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The known people."""

    path: str = "/var/lib/whosthere/gallery.whg"
    """Relative to the folder of config.yaml."""
    allowed_signers: str | None = None
    """OpenSSH's file of the keys that may sign a gallery; None: unsigned galleries are accepted too."""
    signing_key: str | None = None
    """The SSH private key with which `whosthere enroll` on this box signs what it writes."""
    identity_file: str | None = None
    """This box's SSH private key, which opens galleries encrypted to it."""
    max_mb: Annotated[int, Meta(ge=1, le=4096)] = 256
    """Larger bundles are refused."""
    keep_versions: Annotated[int, Meta(ge=1, le=50)] = 3
    """How many earlier galleries are kept for a rollback."""


@dataclass(frozen=True, slots=True)
class GalleryKeys:
    """Whose galleries are trusted, and what opens an encrypted one."""

    allowed_signers: Path | None = None
    """None: all galleries, including unsigned ones."""
    identity: Path | None = None


NO_KEYS = GalleryKeys()
"""Unsigned galleries are accepted, and encrypted ones cannot be read."""


class ModelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The networks: names of bundled ones, or paths of your own models' cards."""

    detector: str = "blazeface-back"
    near_detector: str = "blazeface-short-range"
    """Finds followed faces again, close to where they were."""
    landmarks: str = "face-mesh"
    embedder: str = "auto"
    """`auto`: the bundled `mobilefacenet`, in int8 where this CPU gains from it; galleries are the same for both."""
    liveness: str | None = None
    """A network of your own that tells living people from prints and screens; used while `liveness` is `advise`."""
    second_liveness: str | None = None
    """Another one; the mean of both counts."""
    threads: Annotated[int, Meta(ge=1, le=16)] = 2
    """CPU threads per network."""
    xnnpack: bool = True
    """Whether to use the runtime's fast kernels for this kind of CPU."""
    accelerator: Accelerator = "auto"
    """`auto`: an Edge TPU if there is one, for networks compiled for it; `edgetpu`: fail if that is impossible."""
    device: EdgeTpuName | None = None
    """Which Edge TPU: `usb`, `pci`, `:0`, `usb:1`..."""


class DoorbellSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A button wired to the box."""

    pin: Annotated[int, Meta(ge=0, le=27)] | None = None
    """The GPIO pin in Broadcom numbering (GPIO17 is 17); None: there is no button."""
    wired_to: Literal["ground", "3v3"] = "ground"
    """What the button connects the pin to."""
    debounce_s: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """Changes shorter than this are contact bounce and ignored."""
    quiet_s: Annotated[float, Meta(ge=0, le=60)] = 2.0
    """Pressing again within this time counts as the same ring."""


class RuntimeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the daemon behaves as a process."""

    max_fps: Annotated[float, Meta(gt=0, le=120)] = 10.0
    """How many frames per second are analysed at most; the others are dropped."""
    max_looks_per_frame: Annotated[int, Meta(ge=1, le=50)] = 4
    """How many faces of one frame are embedded at most; the others wait for the next frame."""
    stall_s: Annotated[float, Meta(ge=2, le=600)] = 30.0
    """When a thread makes no progress for this long, the process exits and systemd restarts it."""
    cool_above_c: Annotated[float, Meta(ge=40, le=110)] = 75.0
    """CPU temperature in degrees Celsius above which fewer frames are analysed."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
