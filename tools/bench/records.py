"""What the benchmark writes: one JSON file per part, of a fixed form."""

import msgspec

SCHEMA_VERSION = 1


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One figure over repeated rounds."""

    median: float
    low: float
    """The least of the rounds."""
    high: float
    """The greatest."""
    rounds: int


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where it was measured."""

    cpu: str
    cores: int
    memory_gb: float
    features: list[str]
    """Which of the instruction sets that matter here the CPU has."""
    system: str


class Contender(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One program on the same pictures as the others."""

    name: str
    why_not: str = ""
    """Why it did not take part; empty: it did."""
    frames: int = 0
    """Per round."""
    faces: int = 0
    """Found in the frames of one round."""
    fps: Figure | None = None
    cpu_ms: Figure | None = None
    """CPU time of a frame, all threads together."""
    times_face_recognition: Figure | None = None
    """face_recognition's CPU time per frame relative to its own, in the same round. All run on one thread."""


class FilmSpeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All contenders on one clip."""

    clip: str
    width: int
    height: int
    contenders: list[Contender]


class FramesResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="part", tag="frames"):
    """Part a: frames per second, beside others."""

    clips: list[FilmSpeed]


class StageTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One stage of the loop."""

    stage: str
    calls: int
    p50_ms: float
    share: float
    """Its part of the loop's time, 0..1."""
    network: str | None
    ratio: Figure | None
    """Relative to its network run alone, right after it."""


class StagesResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="part", tag="stages"):
    """Part b: the stages beside their bare networks, in time."""

    frames: int
    """Per round."""
    overhead: Figure
    """The whole loop, without reading the file, relative to its networks run alone."""
    stages: list[StageTime]


class StageCount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The instructions of one stage."""

    calls: int
    own: int
    """Per call, on average, without those of its networks."""
    runs: dict[str, float]
    """How often it runs each network per call."""
    ratio: float | None
    """Its own and its networks' relative to its networks' alone; None: it runs none, or they were not counted."""


class InstructionsResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="part", tag="instructions"):
    """Part b: the stages beside their bare networks, in instructions."""

    frames: int
    own_per_frame: int
    """Instructions of the whole loop for one frame, without those of its networks."""
    bare_per_frame: int | None
    """Those of the networks run alone, as often as the loop runs them; None: not counted."""
    overhead: float | None
    """Both together relative to the networks'."""
    stages: dict[str, StageCount]
    networks: dict[str, int]
    """One run alone."""
    counted_with: dict[str, str]
    """Versions of whatever the counts depend on."""


class Search(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to search a gallery of one size."""

    name: str
    ms: Figure
    times_reading: Figure
    """Relative to reading the same float32 vectors from memory, in the same round."""
    top1: float
    """How often it names the template that numpy's float32 names, 0..1."""
    why_not: str = ""


class GallerySize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All ways to search a gallery of one size."""

    templates: int
    people: int
    megabytes: float
    reading_ms: Figure
    """The time to read the vectors from memory."""
    reading_gb_per_s: float
    searches: list[Search]
    open_ms: Figure | None
    """Opening the gallery's file, checks included; None: not measured at this size."""
    matcher_ms: Figure | None
    """Making the matcher of an opened gallery, as a reload does."""


class MatchingResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="part", tag="matching"):
    """Part f: searching galleries of growing size, one thread each."""

    dimensions: int
    sizes: list[GallerySize]
    slope: float
    """The slope of the logarithm of our time against that of the templates, from 10,000 on: 1 is linear."""


class ProcessState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The memory of the daemon at one moment."""

    when: str
    rss_mb: float
    own_mb: float
    """What no other process shares."""
    visits: int


class MemoryResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="part", tag="memory"):
    """Part e: memory, time to READY, installed size."""

    ready_s: Figure
    ready_cpu_s: Figure
    states: list[ProcessState]
    page_own_mb: float | None
    """What the page's process adds; None: the page is not installed."""
    installed_mb: dict[str, float]
    """By package: whosthere and all that it needs on a box."""


class LatencyCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One frame rate with so many faces."""

    fps: float
    faces: int
    messages: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    """From the taking of the frame to the message at the subscriber."""
    named: int
    to_name_p50_ms: float | None
    """From the first frame with the face to the name at the subscriber."""
    to_name_p95_ms: float | None
    analysed: int
    taken: int
    """Frames that the loop analysed, of those that the camera took."""


class LatencyResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="part", tag="latency"):
    """Part c: from a frame to the MQTT message at a real subscriber."""

    broker: str
    cases: list[LatencyCase]


class IdleCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty porch."""

    width: int
    height: int
    source: str
    fps: float
    seconds: float
    cpu_percent: Figure
    """The share of one core."""
    wakeups_per_s: Figure
    """Voluntary context switches of all threads."""
    written_bytes_per_h: float
    minus_camera_wakeups_per_s: float
    """Those of the threads other than the camera's own."""


class DayCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A day with so many visits, calculated from an idle porch and the cost of a visit."""

    visits: int
    cpu_s: float
    written_mb: float


class IdleResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="part", tag="idle"):
    """Part d: a day at the door."""

    cases: list[IdleCase]
    visit_cpu_s: float
    """What one visit of the demo's clip takes, beyond an idle porch for as long."""
    visit_written_bytes: float
    days: list[DayCase]


class GrowthLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one cost grows with one size."""

    what: str
    against: str
    x: list[float]
    y: list[float]
    slope: float
    """The slope of the logarithms: 1 is linear, less is better."""


class GrowthResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="part", tag="growth"):
    """Part g: growth with faces per frame and with the size of the frame."""

    lines: list[GrowthLine]


class CoreCount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One second of the daemon's loop on an emulated core, in millions of instructions."""

    core: str
    idle: float
    visit: float
    bare: float
    """The networks of the visit, run alone."""
    overhead: float


class CoresResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="part", tag="cores"):
    """Part h: the loop on emulated Raspberry Pi cores."""

    fps: float
    cores: list[CoreCount]


Result = (
    FramesResult
    | StagesResult
    | InstructionsResult
    | MatchingResult
    | MemoryResult
    | LatencyResult
    | IdleResult
    | GrowthResult
    | CoresResult
)


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file in bench/."""

    date: str
    commit: str
    """Ends with `+` when the tree had changes that were not committed."""
    command: str
    took_s: float
    machine: Machine
    versions: dict[str, str]
    load_before: float
    """The load average of the minute before: above 0.5 per core the figures say more about the other programs."""
    load_after: float
    result: Result
    schema_version: int = SCHEMA_VERSION
