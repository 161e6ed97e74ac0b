"""config.yaml -> frozen sections."""

import os
import re
import socket
from collections.abc import Callable, Collection
from operator import attrgetter
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
from edge.config.link import LinkSettings
from edge.config.mqtt import MqttSettings
from edge.config.notify import NotifySettings
from edge.config.sections import DoorbellSettings, GalleryKeys, GallerySettings, ModelSettings, RuntimeSettings
from edge.config.visits import Liveness, MatchSettings, TrackSettings, UnknownFacesSettings, VisitSettings
from edge.config.web import WebSettings
from edge.errors import ConfigError

DeviceId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_-]{1,64}\Z",
        description="up to 64 letters, digits, - and _ (in quotes if they are all digits)",
    ),
]
DEFAULT_PATH = Path("/etc/whosthere/config.yaml")

_FILES = ("gallery.path", "mqtt.outbox.path", "diary.path", "link.path")
"""What the daemon writes."""
_FOLDERS = ("strangers.path", "web.path")
GIVEN_FILES = (
    "camera.password_file",
    "gallery.allowed_signers",
    "gallery.signing_key",
    "gallery.identity_file",
    "mqtt.password_file",
    "mqtt.tls.ca_file",
    "mqtt.tls.certificate_file",
    "mqtt.tls.key_file",
    "web.metrics.token_file",
    "notify.ntfy.topic_file",
    "notify.ntfy.token_file",
    "notify.ntfy.ca_file",
    "notify.webhook.url_file",
    "notify.webhook.token_file",
    "notify.webhook.secret_file",
    "notify.webhook.ca_file",
    "web.tls.certificate_file",
    "web.tls.key_file",
)
"""What somebody else puts there, perhaps at a place that an environment variable names."""
_NAME_BYTES = 200
"""Linux allows 255; suffixes such as `.damaged-20260101T000000Z` are added."""
_PATH_BYTES = 3800
"""Linux allows 4095."""


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
    liveness: Liveness = False
    """Whether cues of prints and screens are measured: `advise`, or false (`off`)."""
    doorbell: DoorbellSettings = DoorbellSettings()
    mqtt: MqttSettings = MqttSettings()
    notify: NotifySettings = NotifySettings()
    models: ModelSettings = ModelSettings()
    detect: DetectSettings = DetectSettings()
    quality: QualitySettings = QualitySettings()
    track: TrackSettings = TrackSettings()
    motion: MotionSettings = MotionSettings()
    link: LinkSettings = LinkSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    web: WebSettings = WebSettings()

    def __post_init__(self) -> None:
        problems = contradictions(self.camera, self.mqtt, self.quality, self.strangers, self.models, self.liveness)
        if problems:
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
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}{_advice(path, error)}") from error
    except typed_yaml.Mistakes as error:
        raise InvalidConfig(path, error.lines, None) from error
    return _validated(document, path)


def parse_config(text: str, path: Path) -> LoadedConfig:
    """A text as the config.yaml that would lie at `path`. Raises InvalidConfig."""
    try:
        return _validated(typed_yaml.parse(text), path)
    except typed_yaml.Mistakes as error:
        raise InvalidConfig(path, error.lines, None) from error


def _validated(document: Any, path: Path) -> LoadedConfig:
    base = path.resolve().parent
    right, mistakes = _by_section(_filled({} if document is None else document, Config()))
    mistakes += _path_mistakes(typed_yaml.convert(right, Config), right)
    wrong = {line.partition(".")[0] for line in mistakes}
    right = {key: value for key, value in right.items() if key not in wrong}
    loaded = _placed(typed_yaml.convert(right, Config), base)
    if mistakes:
        raise InvalidConfig(path, mistakes, loaded)
    return loaded


def _advice(path: Path, error: OSError) -> str:
    match error:
        case PermissionError():
            return "; run this as root, with sudo"
        case FileNotFoundError():
            return f"; `whosthere setup --config {path}` makes one"
    return ""


def default_config(folder: Path | None = None) -> LoadedConfig:
    """Return the defaults, relative to a folder: for commands that need no config.yaml. None: the working folder."""
    return _placed(Config(), folder or Path.cwd())


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


def _path_mistakes(config: Config, sections: Collection[str]) -> list[str]:
    """What is wrong with the paths in those sections, whether or not there is anything at them."""
    mistakes = []
    for key in (*_FILES, *_FOLDERS, *GIVEN_FILES, "camera.source"):
        text = attrgetter(key)(config)
        recording = key != "camera.source" or is_recording(text)
        if text is not None and key.partition(".")[0] in sections and recording:
            problem = _path_problem(text, is_file=key in _FILES)
            mistakes += [f"{key}: found {typed_yaml.shown(text)}; {problem}"] if problem else []
    return mistakes


def _path_problem(text: str, *, is_file: bool) -> str | None:
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        return f"there is no user {text.partition('/')[0][1:]!r} with a home folder"
    if is_file and path.name in {"", ".."}:
        return "allowed: the path of a file"
    if len(os.fsencode(path)) > _PATH_BYTES or any(len(os.fsencode(part)) > _NAME_BYTES for part in path.parts):
        return f"allowed: a path of up to {_PATH_BYTES} bytes, with names of up to {_NAME_BYTES}"
    return None


def _placed(config: Config, base: Path) -> LoadedConfig:
    """Make every relative path absolute, relative to `base`."""
    placed: Any = config
    if is_recording(config.camera.source, base):
        placed = _changed(placed, "camera.source", lambda text: _absolute(base, text))
    for key in (*_FILES, *_FOLDERS):
        placed = _changed(placed, key, lambda text: _absolute(base, text))
    for key in GIVEN_FILES:
        placed = _changed(placed, key, lambda text: _beside(base, text))
    return LoadedConfig(placed, base)


def _changed(section: Any, key: str, change: Callable[[Any], Any]) -> Any:
    """A section, or the whole configuration, with the value at a key such as `mqtt.outbox.path` changed."""
    name, _, rest = key.partition(".")
    value = getattr(section, name)
    return replace(section, **{name: _changed(value, rest, change) if rest else change(value)})


def _absolute(base: Path, path: str) -> str:
    return str(base / Path(path).expanduser())


def _beside(base: Path, path: str | None) -> str | None:
    if not path:
        return path
    expanded = os.path.expandvars(path)
    # A variable that is not set stays visible, so that the error about the missing file explains itself.
    return path if expanded.startswith("$") else _absolute(base, expanded)
