"""What is kept of unknown visitors, as parts of the daemon with threads of their own."""

import time
from pathlib import Path

from edge.config.loading import LoadedConfig
from edge.daemon.subscribers import Background
from edge.events import Event
from edge.visits.stranger_keeper import StrangerKeeper
from edge.visits.unknown_faces import UnknownFaces

TIDY_S = 600.0
FOLLOW_S = 5.0
"""How soon strangers that `whosthere strangers` has named or discarded are no longer recognised."""


def unknown_faces_thread(loaded: LoadedConfig) -> Background[Event]:
    """Keeps a picture of each unknown visitor, if the owner wants that."""
    settings = loaded.config.strangers
    faces = UnknownFaces(Path(settings.path), settings)
    return Background(
        "unknown faces",
        lambda event: faces.take(event, time.time()),
        wants=faces.wants,
        tidy=lambda: faces.tidy(time.time()),
        tidy_s=TIDY_S,
    )


def strangers_thread(keeper: StrangerKeeper) -> Background[Event]:
    """Keeps what recognises strangers who come again."""
    return Background(
        "strangers",
        lambda event: keeper.take(event, time.time()),
        wants=keeper.wants,
        tidy=lambda: keeper.tidy(time.time()),
        tidy_s=FOLLOW_S,
        close=keeper.close,
    )
