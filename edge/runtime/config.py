"""config.yaml -> frozen sections."""

import socket
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge import typed_yaml
from edge.capture.settings import CameraSettings
from edge.detect import DetectSettings
from edge.errors import ConfigError
from edge.match import MatchSettings
from edge.motion import MotionSettings
from edge.publish.settings import MqttSettings
from edge.quality import QualitySettings
from edge.runtime.stages import ModelSettings
from edge.track import TrackSettings
from edge.visit import VisitSettings

DEFAULT_PATH = Path("/etc/whosthere/config.yaml")


class GallerySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The known people."""

    path: str = "/var/lib/whosthere/gallery.whg"
    """Relative paths count from the folder of config.yaml."""


class RuntimeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the daemon behaves as a process."""

    max_fps: Annotated[float, Meta(gt=0, le=120)] = 10.0
    """Frames a second that are looked at, at the most; the others cost nothing."""
    max_looks_per_frame: Annotated[int, Meta(ge=1, le=50)] = 4
    """Faces of one frame that are embedded at the most; the others wait for the next frame."""
    stall_s: Annotated[float, Meta(ge=2, le=600)] = 30.0
    """A thread without progress for so long ends the process, which systemd then starts again."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that config.yaml can say."""

    device_id: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,64}$")] | None = None
    """Name of this box on MQTT; the host's name when left out."""
    camera: CameraSettings = CameraSettings()
    gallery: GallerySettings = GallerySettings()
    match: MatchSettings = MatchSettings()
    visit: VisitSettings = VisitSettings()
    mqtt: MqttSettings = MqttSettings()
    models: ModelSettings = ModelSettings()
    detect: DetectSettings = DetectSettings()
    quality: QualitySettings = QualitySettings()
    track: TrackSettings = TrackSettings()
    motion: MotionSettings = MotionSettings()
    runtime: RuntimeSettings = RuntimeSettings()


class LoadedConfig(msgspec.Struct, frozen=True):
    """A Config and where it came from."""

    config: Config
    base: Path
    """The folder that relative paths count from."""

    @property
    def device_id(self) -> str:
        """As configured, else the host's name with what MQTT would not take replaced."""
        if self.config.device_id:
            return self.config.device_id
        name = socket.gethostname().split(".")[0]
        return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in name)[:64] or "whosthere"

    @property
    def gallery_path(self) -> Path:
        return self.base / self.config.gallery.path


def load_config(path: Path) -> LoadedConfig:
    """Read and validate; an empty file means all defaults.

    Raises ConfigError that lists every mistake: key, what was found, what is allowed.
    """
    try:
        document = typed_yaml.read(path)
        config = typed_yaml.convert({} if document is None else document, Config)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; `config.yaml` of the project is a template"
        ) from error
    except typed_yaml.Mistakes as error:
        count = "1 mistake" if len(error.lines) == 1 else f"{len(error.lines)} mistakes"
        raise ConfigError(f"{path}: {count}:\n" + "\n".join(f"  {line}" for line in error.lines)) from error
    return LoadedConfig(config, path.resolve().parent)


def default_config() -> LoadedConfig:
    """All defaults, relative to the working folder: for commands that need no daemon."""
    return LoadedConfig(Config(), Path.cwd())
