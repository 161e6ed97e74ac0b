"""What the pages work on: the box's config, and who may see it."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from edge.config.loading import LoadedConfig, load_config
from edge.config.web import WebSettings
from edge.errors import ConfigError
from edge.people.summary import Lookalike
from edge.web.login_limit import LoginLimit
from edge.web.password import PasswordHash, password_path, read_password
from edge.web.sessions import Sessions

log = logging.getLogger("whosthere.web")


@dataclass(slots=True)
class WebBox:
    """One box. `request.app.state.box` in every page."""

    config_path: Path
    settings: WebSettings
    """As they were when the page started."""
    sessions: Sessions
    logins: LoginLimit
    hashing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Hashing takes 16 MB: one password at a time."""
    alike: tuple[object, dict[str, list[Lookalike]]] | None = None
    """Who looks like whom, and the files in which that was found."""
    _loaded: LoadedConfig | None = None
    _loaded_from: tuple[int, int] = (0, 0)
    _password: PasswordHash | None = None
    _password_from: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, config_path: Path, loaded: LoadedConfig) -> "WebBox":
        settings = loaded.config.web
        folder = Path(settings.path)
        box = cls(config_path, settings, Sessions(folder, settings.session_days), LoginLimit(folder))
        box._loaded, box._loaded_from = loaded, stamp(config_path)
        return box

    @property
    def folder(self) -> Path:
        """Where the page keeps its own files."""
        return Path(self.settings.path)

    @property
    def loaded(self) -> LoadedConfig:
        """The config as it is on disk now; while that has mistakes, the last one that had none."""
        found = stamp(self.config_path)
        if self._loaded is None or found != self._loaded_from:
            try:
                self._loaded = load_config(self.config_path)
            except ConfigError as error:
                if self._loaded is None:
                    raise
                log.warning("the page goes on with the last config: %s", error)
            self._loaded_from = found
        return self._loaded

    @property
    def password(self) -> PasswordHash | None:
        """The current password's hash; None: the page is off. Raises WebStateError."""
        found = stamp(password_path(self.folder))
        if found != self._password_from:
            self._password, self._password_from = read_password(self.folder), found
        return self._password

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


def stamp(path: Path) -> tuple[int, int]:
    """Changes when the file is replaced or written; zeros without one."""
    try:
        state = path.stat()
    except OSError:
        return 0, 0
    return state.st_mtime_ns, state.st_ino
