"""The diary as a part of the daemon: its thread, the circumstances of each visit, and its state."""

from collections.abc import Callable

from edge.config.loading import LoadedConfig
from edge.daemon.gallery_manager import GalleryManager
from edge.daemon.subscribers import Background
from edge.diary.record import Rules
from edge.diary.writer import Circumstances, Diary
from edge.mqtt.payloads import DiaryHealth

TIDY_S = 60.0


class DiaryThread:
    """Hears about every event; only the last one of a visit is written."""

    def __init__(
        self,
        loaded: LoadedConfig,
        gallery: GalleryManager,
        model: str,
        clock_set: Callable[[], bool],
        clock: Callable[[], float] | None,
    ) -> None:
        """`clock` is that of `Event.at`; None: a recording's own time."""
        self._loaded = loaded
        self._gallery = gallery
        self._model = model
        self._clock_set = clock_set
        self._diary = Diary(loaded.config.diary, self._circumstances, clock)
        self._background = Background(
            "diary", self._diary.take, wants=self._diary.wants, tidy=self._diary.tidy, tidy_s=TIDY_S
        )
        self.on_event = self._background.on_event
        self.start = self._background.start

    @property
    def health(self) -> DiaryHealth | None:
        """Its state; None: the owner wants no diary."""
        if self._loaded.config.diary.keep_days == 0:
            return None
        state = self._diary.state
        dropped = state.dropped + self._background.dropped
        return DiaryHealth(state.visits, state.size_mb, state.on_disk, state.replaced, dropped)

    def stop(self, timeout_s: float) -> None:
        """Write what waits, for at most so long."""
        self._background.stop(timeout_s)

    def _circumstances(self) -> Circumstances:
        matcher, config = self._gallery.matcher, self._loaded.config
        return Circumstances(
            people=frozenset(person.id for person in matcher.gallery.people),
            model=self._model,
            gallery_version=str(matcher.gallery.header.version),
            rules=Rules(
                false_alarm_target=self._gallery.target,
                fixed_threshold=self._gallery.bounds is None,
                templates=len(matcher.gallery.embeddings),
                min_margin=matcher.min_margin,
                min_faces=config.visit.min_faces,
                quality=config.quality,
            ),
            clock_set=self._clock_set(),
        )
