"""What the commands on galleries share."""

import subprocess
from pathlib import Path

import click

from edge.config.loading import LoadedConfig
from edge.errors import GalleryError
from edge.faces.embed import TfliteEmbedder
from edge.visits.thresholds import linking_thresholds, threshold_for

gallery_option = click.option(
    "--gallery",
    "gallery_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The gallery file; without it, the one that config.yaml names.",
)


def signing_key(loaded: LoadedConfig) -> Path | None:
    """What this box signs with. Raises GalleryError when the daemon would refuse what it writes."""
    if loaded.gallery_keys.allowed_signers is not None and loaded.signing_key is None:
        raise GalleryError(
            "gallery.allowed_signers is set, so that the daemon refuses unsigned galleries: set gallery.signing_key "
            "(and allow its public half), or change the gallery on the desktop and push it"
        )
    return loaded.signing_key


def likeness_threshold(loaded: LoadedConfig, embedder: TfliteEmbedder, templates: int) -> float:
    """From which similarity on two people can be taken for each other: the threshold in force.

    For an embedder without calibration, what is taken for one person while somebody is followed.
    """
    found = threshold_for(loaded.config.match, embedder.calibration, templates)
    return found.similarity if found else linking_thresholds(embedder.calibration).same


def reload_hint() -> str | None:
    """What becomes of a change when the daemon runs as a service; None when it does not."""
    try:
        asked = subprocess.run(
            ["systemctl", "is-active", "--quiet", "whosthere"], timeout=5, check=False, capture_output=True
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    running = asked.returncode == 0
    return "The daemon takes it up within a second." if running else None
