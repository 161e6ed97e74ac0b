"""The thread that loads galleries and thresholds again.

Verifying a signature may take a minute per call of ssh-keygen. The publisher's thread and the main thread cannot wait
for that: the watchdog would end the process.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from edge.config.loading import Config, LoadedConfig, load_config
from edge.config.web import WebSettings
from edge.daemon.folder_watch import FolderWatch
from edge.daemon.gallery_manager import GalleryManager, describe
from edge.daemon.systemd import Notifier, reloading
from edge.errors import WhosthereError
from edge.galleries.changes import drop_old
from edge.mqtt.commands import Reply
from edge.people.guests import delete_guests
from edge.visits.matcher import Matcher

log = logging.getLogger("whosthere.reload")

POLL_S = 0.2
"""How often the gallery's file is checked while it is being written, or where no change of it is signalled."""
REST_S = 5.0
"""How often it is checked otherwise: a network's file system does not signal what other machines write."""
TIDY_S = 30.0
RELOADABLE = {"gallery", "match", "web"}
"""From `web`, the daemon takes the page's address only; the page itself is another process."""


@dataclass(slots=True)
class _Reload:
    """A reload that has not begun, and everybody who waits for its result."""

    replies: list[Reply] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _SetTarget:
    """Another false-alarm target, and who asked for it."""

    target: float
    reply: Reply


class Reloader:
    """Reloads one at a time, in the order asked for; requests for a reload that has not begun are answered by one.

    A reload is also due when the gallery's file has changed. People whose consent expires are dropped on time, unless
    a reload is under way. The thread sends no heartbeat.
    """

    def __init__(
        self,
        config_path: Path,
        loaded: LoadedConfig,
        gallery: GalleryManager,
        notifier: Notifier,
        on_matcher: Callable[[Matcher], None],
        on_web: Callable[[WebSettings], None],
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_matcher` gets every new matcher, and `on_web` now and then how to reach the page, on this thread.

        `on_failure` is called on it as well, once `failure` is set.
        """
        self.failure: BaseException | None = None
        """What ended the thread; the process cannot go on without it."""
        self.service_is_ready = False
        """Whether the service manager has been sent READY=1, and so may be sent RELOADING=1."""
        self._path = config_path
        self._loaded = loaded
        self._gallery = gallery
        self._notifier = notifier
        self._on_matcher = on_matcher
        self._on_web = on_web
        self._on_failure = on_failure
        self._jobs: deque[_Reload | _SetTarget] = deque()
        self._asking = threading.Lock()
        self._watch = FolderWatch()
        self._notifying = threading.Lock()
        self._stopping = False
        self._next_tidy_at = 0.0
        self._said = ""
        """Why guests could not be deleted, as it was logged."""
        self._thread = threading.Thread(target=self._run, name="reloader", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request_reload(self, *replies: Reply) -> None:
        """Reload soon. Any thread, at once; the replies are called when it is done."""
        with self._asking:
            waiting = next((job for job in self._jobs if isinstance(job, _Reload)), None)
            if waiting is None:
                waiting = _Reload()
                self._jobs.append(waiting)
            waiting.replies += replies
        self._watch.wake()

    def request_target(self, target: float, reply: Reply) -> None:
        """Set another false-alarm target soon. Any thread, at once; the reply is called when it is done."""
        with self._asking:
            self._jobs.append(_SetTarget(target, reply))
        self._watch.wake()

    def stop(self) -> None:
        """Begin nothing more and send the service manager nothing more. Returns at once: a reload may take minutes."""
        with self._notifying, self._asking:
            self._stopping = True
            unanswered = [*self._jobs]
            self._jobs.clear()
        self._watch.wake()
        for job in unanswered:
            for reply in job.replies if isinstance(job, _Reload) else [job.reply]:
                reply(False, "the daemon is stopping")

    def _run(self) -> None:
        try:
            while not self._stopping:
                job = self._next()
                if isinstance(job, _SetTarget):
                    self._set_target(job)
                elif job is not None or self._gallery.changed():
                    self._reload(job or _Reload())
                else:
                    self._expire()
                    self._tidy()
        except BaseException as error:  # noqa: BLE001  (a thread's top: the main thread reports it and ends the process)
            self.failure = error
            self._on_failure()

    def _next(self) -> _Reload | _SetTarget | None:
        if not self._jobs:
            self._watch.wait(self._patience_s())
        with self._asking:
            return self._jobs.popleft() if self._jobs else None

    def _patience_s(self) -> float:
        """How long neither the gallery's file nor the people in it need to be looked at."""
        signalled = self._watch.watch(self._gallery.folders)
        if not signalled or self._gallery.settling:
            return POLL_S
        return min(REST_S, self._gallery.expires_in_s(datetime.now(UTC)))

    def _reload(self, job: _Reload) -> None:
        notifying = self.service_is_ready and self._notify(reloading())
        try:
            ok, text = True, self._load()
            log.info("reload: %s", text)
        except WhosthereError as error:
            ok, text = False, f"refused, the old settings and gallery stay in force: {error}"
            log.error("reload %s", text)
        if notifying:
            self._notify("READY=1")
        for reply in job.replies:
            reply(ok, text)

    def _load(self) -> str:
        loaded = load_config(self._path)
        matcher = self._gallery.reload(loaded, datetime.now(UTC))
        waiting = [name for name in _changed(self._loaded.config, loaded.config) if name not in RELOADABLE]
        self._on_matcher(matcher)
        new = {name: getattr(loaded.config, name) for name in RELOADABLE}
        self._loaded = LoadedConfig(msgspec.structs.replace(self._loaded.config, **new), loaded.base)
        self._on_web(loaded.config.web)
        return describe(matcher) + (f"; changes of {', '.join(waiting)} wait for a restart" if waiting else "")

    def _set_target(self, job: _SetTarget) -> None:
        try:
            matcher = self._gallery.set_false_alarm_target(job.target, datetime.now(UTC))
        except WhosthereError as error:
            job.reply(False, str(error))
            return
        self._on_matcher(matcher)
        text = f"false_alarm_target is {job.target:g} until the next start, threshold {matcher.threshold:.3f}"
        job.reply(True, text)

    def _expire(self) -> None:
        matcher = self._gallery.expire(datetime.now(UTC))
        if matcher is not None:
            self._on_matcher(matcher)
            log.info("somebody's consent has expired: %s", describe(matcher))

    def _tidy(self) -> None:
        """Now and then, delete guests and old changes whose time is over, and see whether the page has a password."""
        if time.monotonic() < self._next_tidy_at:
            return
        self._next_tidy_at = time.monotonic() + TIDY_S
        now = datetime.now(UTC)
        self._on_web(self._loaded.config.web)
        drop_old(self._loaded.gallery_path, now)
        if not self._gallery.has_guests_over(now):
            return
        try:
            self._delete_guests(now)
            self._said = ""
        except WhosthereError as error:
            if str(error) != self._said:
                log.error("guests whose time is over cannot be deleted now: %s", error)
            self._said = str(error)

    def _delete_guests(self, now: datetime) -> None:
        departure = delete_guests(self._loaded, now)
        if departure is None:
            return
        self._reload(_Reload())
        for gone in departure.finish():
            log.info("the time of a guest is over: deleted from the gallery and %d other places", len(gone.removed))
            for place in gone.still_held:
                log.error("something about a guest whose time is over is still held: %s", place)

    def _notify(self, message: str) -> bool:
        """Notify the service manager, unless the daemon stops: STOPPING=1 must stay the last word."""
        with self._notifying:
            if not self._stopping:
                self._notifier.notify(message)
            return not self._stopping


def _changed(old: Config, new: Config) -> list[str]:
    names = [field.name for field in msgspec.structs.fields(Config)]
    return [name for name in names if getattr(old, name) != getattr(new, name)]
