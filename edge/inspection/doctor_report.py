"""What `whosthere doctor` reports: everything that is in force on this box, and no secret."""

import msgspec


class Software(msgspec.Struct, frozen=True):
    """Versions."""

    whosthere: str
    python: str
    system: str
    arch: str
    runtime: str | None
    """The TFLite runtime, with its version; None: there is none."""
    packages: dict[str, str]


class NetworkInfo(msgspec.Struct, frozen=True):
    """A network that passed its card's checks."""

    role: str
    name: str
    sha256: str
    licence: str
    origin: str


class CalibrationRange(msgspec.Struct, frozen=True):
    """What the embedder's card knows of impostors."""

    data: str
    points: int
    similarity: tuple[float, float]
    false_match_rate: tuple[float, float]
    """At the first and at the last point; nothing is extrapolated beyond."""


class TargetThreshold(msgspec.Struct, frozen=True):
    """The threshold that a false-alarm target means with this gallery."""

    false_alarm_target: float
    threshold: float
    within_data: bool
    """False: rarer than the calibration's data can show."""


class NameRule(msgspec.Struct, frozen=True):
    """What a name takes."""

    false_alarm_target: float
    threshold: float
    from_calibration: bool
    within_data: bool
    min_margin: float
    at_other_targets: list[TargetThreshold]


class GalleryInfo(msgspec.Struct, frozen=True):
    """The gallery that would be used now."""

    path: str
    version: int
    people: int
    templates: int


class Hardware(msgspec.Struct, frozen=True):
    """The board; None where the system does not say."""

    board: str | None
    cpus: int
    memory_mb: int | None
    memory_available_mb: int | None
    temperature_c: float | None
    outbox_free_mb: int | None


class Service(msgspec.Struct, frozen=True):
    """The daemon, as systemd sees it."""

    active: str
    """`active`, `failed`, `inactive`, `activating`..."""
    sub: str
    restarts: int
    """Automatic ones, since somebody started it."""
    status: str
    """The daemon's own words."""


class DoctorReport(msgspec.Struct, frozen=True):
    """All of it; also what `--json` prints."""

    config: str
    device_id: str
    camera: str
    broker: str
    software: Software
    networks: list[NetworkInfo]
    calibration: CalibrationRange | None
    gallery: GalleryInfo | None
    deciding: NameRule | None
    box: Hardware
    service: Service | None
    """None: this box has no such unit."""
    problems: list[str]
    """What keeps the daemon from running."""
    hints: list[str]
    """What could be better."""
    exit_code: int
