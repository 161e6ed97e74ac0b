"""config.yaml -> frozen sections."""

import os
import re
import socket
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from edge.config import typed_yaml
from edge.config.camera import CameraSettings, is_recording
from edge.config.contradictions import contradictions
from edge.config.diary import DiarySettings
from edge.config.faces import DetectSettings, MotionSettings, QualitySettings
from edge.config.mqtt import MqttSettings
from edge.config.sections import DoorbellSettings, GalleryKeys, GallerySettings, ModelSettings, RuntimeSettings
from edge.config.visits import MatchSettings, TrackSettings, UnknownFacesSettings, VisitSettings
from edge.errors import ConfigError

DeviceId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_-]{1,64}\Z",
        description="up to 64 letters, digits, - and _ (in quotes if they are all digits)",
    ),
]
DEFAULT_PATH = Path("/etc/whosthere/config.yaml")


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of config.yaml."""

    device_id: DeviceId | None = None
    """The name of this box on MQTT; None: the host name."""
    camera: CameraSettings = CameraSettings()
    gallery: GallerySettings = GallerySettings()
    match: MatchSettings = MatchSettings()
    visit: VisitSettings = VisitSettings()
    strangers: UnknownFacesSettings = UnknownFacesSettings()
    diary: DiarySettings = DiarySettings()
    doorbell: DoorbellSettings = DoorbellSettings()
    mqtt: MqttSettings = MqttSettings()
    models: ModelSettings = ModelSettings()
    detect: DetectSettings = DetectSettings()
    quality: QualitySettings = QualitySettings()
    track: TrackSettings = TrackSettings()
    motion: MotionSettings = MotionSettings()
    runtime: RuntimeSettings = RuntimeSettings()

    def __post_init__(self) -> None:
        if problems := contradictions(self.camera, self.mqtt, self.quality, self.strangers):
            raise ValueError("\n".join(problems))


class LoadedConfig(msgspec.Struct, frozen=True):
    """A Config whose paths are absolute, and the folder that it came from."""

    config: Config
    base: Path
    """The folder that relative paths were relative to; those of model cards still are."""

    @property
    def device_id(self) -> str:
        """The configured name, or the host name with every character that MQTT topics cannot contain replaced."""
        if self.config.device_id:
            return self.config.device_id
        name = socket.gethostname().split(".")[0]
        return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in name)[:64] or "whosthere"

    @property
    def gallery_path(self) -> Path:
        return self.base / self.config.gallery.path

    @property
    def gallery_keys(self) -> GalleryKeys:
        """Whose galleries are trusted, and what opens encrypted ones."""
        gallery = self.config.gallery
        return GalleryKeys(_path(gallery.allowed_signers), _path(gallery.identity_file))

    @property
    def signing_key(self) -> Path | None:
        """The key with which this box signs its own galleries."""
        return _path(self.config.gallery.signing_key)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


class InvalidConfig(ConfigError):
    """config.yaml could be read, but has mistakes."""

    def __init__(self, path: Path, mistakes: list[str], sound: LoadedConfig | None) -> None:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"{path}: {count}:\n" + "\n".join(f"  {line}" for line in mistakes))
        self.sound = sound
        """The valid sections, with defaults for the others; None: it is not YAML."""
        self.wrong = {re.split(r"[.:,]", line)[0] for line in mistakes}
        """The sections that contain the mistakes."""


def load_config(path: Path) -> LoadedConfig:
    """Read and validate config.yaml; an empty file or section means its defaults.

    Raises ConfigError; InvalidConfig lists every mistake: key, found, allowed.
    """
    try:
        document = typed_yaml.read(path)
    except OSError as error:
        sudo = isinstance(error, PermissionError)
        advice = "run this as root, with sudo" if sudo else f"`whosthere setup --config {path}` makes one"
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; {advice}") from error
    except typed_yaml.Mistakes as error:
        raise InvalidConfig(path, error.lines, None) from error
    base = path.resolve().parent
    right, mistakes = _by_section(_filled({} if document is None else document, Config()))
    loaded = _placed(typed_yaml.convert(right, Config), base)
    if mistakes:
        raise InvalidConfig(path, mistakes, loaded)
    return loaded


def default_config() -> LoadedConfig:
    """Return the defaults, relative to the working folder: for commands that need no config.yaml."""
    return _placed(Config(), Path.cwd())


def load_config_or_defaults(path: Path | None) -> LoadedConfig:
    """The given config, or all defaults when there is no path. Raises ConfigError."""
    return load_config(path) if path else default_config()


def _filled(document: Any, defaults: msgspec.Struct) -> Any:
    """Give sections that are empty, because all their keys are commented out, their defaults."""
    if not isinstance(document, dict):
        return document
    values = {name: getattr(defaults, name) for name in defaults.__struct_fields__}
    sections = {name: value for name, value in values.items() if isinstance(value, msgspec.Struct)}
    return {
        key: _filled({} if value is None else value, sections[key]) if key in sections else value
        for key, value in document.items()
    }


def _by_section(document: Any) -> tuple[dict[Any, Any], list[str]]:
    """The valid sections, and the mistakes in the others."""
    if not isinstance(document, dict):
        return {}, [f"expected keys and values, found {type(document).__name__}"]
    right: dict[Any, Any] = {}
    mistakes: list[str] = []
    for key, value in document.items():
        try:
            typed_yaml.convert({key: value}, Config)
            right[key] = value
        except typed_yaml.Mistakes as error:
            mistakes.extend(line for text in error.lines for line in text.splitlines())
    return right, mistakes


def _placed(config: Config, base: Path) -> LoadedConfig:
    """Make every relative path absolute, relative to `base`."""
    camera, mqtt, tls = config.camera, config.mqtt, config.mqtt.tls
    source = str(base / Path(camera.source).expanduser()) if is_recording(camera.source) else camera.source
    placed = replace(
        config,
        camera=replace(camera, source=source, password_file=_beside(base, camera.password_file)),
        gallery=_placed_gallery(config.gallery, base),
        diary=replace(config.diary, path=str(base / Path(config.diary.path).expanduser())),
        strangers=replace(config.strangers, path=str(base / Path(config.strangers.path).expanduser())),
        mqtt=replace(
            mqtt,
            password_file=_beside(base, mqtt.password_file),
            outbox=replace(mqtt.outbox, path=str(base / Path(mqtt.outbox.path).expanduser())),
            tls=replace(
                tls,
                ca_file=_beside(base, tls.ca_file),
                certificate_file=_beside(base, tls.certificate_file),
                key_file=_beside(base, tls.key_file),
            ),
        ),
    )
    return LoadedConfig(placed, base)


def _placed_gallery(gallery: GallerySettings, base: Path) -> GallerySettings:
    return replace(
        gallery,
        path=str(base / Path(gallery.path).expanduser()),
        allowed_signers=_beside(base, gallery.allowed_signers),
        signing_key=_beside(base, gallery.signing_key),
        identity_file=_beside(base, gallery.identity_file),
    )


def _beside(base: Path, path: str | None) -> str | None:
    if not path:
        return path
    expanded = os.path.expandvars(path)
    # A variable that is not set stays visible, so that the error about the missing file explains itself.
    return path if expanded.startswith("$") else str(base / Path(expanded).expanduser())
