"""`whosthere-converter evaluate-liveness`: how many fakes are noticed, and how many living people would be refused."""

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
import numpy as np
from rich.table import Table

from converter.commands import options
from converter.liveness_fakes import held_print, held_screen
from converter.liveness_visits import KindResult, ScoredVisit, Trade, clip_frames, summary, trades, visits
from converter.people_folder import photos_by_person
from edge.capture.media_files import Media, media, natural
from edge.capture.photos import read_photo
from edge.config.loading import Config, load_config_or_defaults
from edge.errors import UsageError
from edge.faces.analyser import Analyser
from edge.faces.loading import load_configured_analyser
from edge.safe_console import SafeConsole
from edge.terminal import json_option, print_json, progress

CLIP = click.Path(path_type=Path, exists=True)


class LivenessResult(msgspec.Struct, frozen=True):
    """Everything that was measured."""

    kinds: list[KindResult]
    trades: list[Trade]
    """Against the fakes of --fake; the artificial ones are not among them."""


@click.command("evaluate-liveness")
@click.option(
    "--living", multiple=True, required=True, type=CLIP, help="A clip of living people, or a folder of clips."
)
@click.option("--fake", multiple=True, type=CLIP, help="A clip of a print or a screen held up, or a folder of clips.")
@click.option(
    "--photos", type=options.PEOPLE, help="A folder per person, with photos from which artificial prints are made."
)
@click.option(
    "--artificial",
    default=0,
    show_default=True,
    type=click.IntRange(0, 1000),
    help="How many artificial prints to make from PHOTOS, and how many artificial screens from the living clips.",
)
@click.option(
    "--seed", type=options.SEED, default=0, show_default=True,
    help="Another seed draws other photos and other movements.",
)  # fmt: skip
@click.option(
    "--config",
    "config_path",
    type=options.FILE,
    help="A config.yaml whose models, visit and quality sections to use instead of the defaults.",
)
@json_option
def command(
    living: tuple[Path, ...],
    fake: tuple[Path, ...],
    photos: Path | None,
    artificial: int,
    seed: int,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Measure the cues of prints and screens on clips of living people and of fakes.

    Every frame goes through the daemon's own loop with `liveness: advise`; each visit with three usable faces counts.
    Artificial fakes are made by formulas. They show whether a cue works, not how often a real fake is noticed.

    \b
    Example:
      whosthere-converter evaluate-liveness --living clips/living --fake clips/fake
    """
    loaded = load_config_or_defaults(config_path)
    analyser, config = load_configured_analyser(loaded), loaded.config
    real, shown = _clips(living), _clips(fake)
    rng = np.random.default_rng(seed)
    found = {"living": _scored(real, analyser, config), "fake": _scored(shown, analyser, config)}
    counts = {"living": len(real), "fake": len(shown)}
    if artificial:
        found["artificial print"] = _prints(photos, artificial, rng, analyser, config)
        found["artificial screen"] = _screens(real, artificial, rng, analyser, config)
        counts |= {"artificial print": artificial, "artificial screen": artificial}
    scores = {kind: [visit.living for visit in seen] for kind, seen in found.items()}
    result = LivenessResult(
        [summary(kind, counts[kind], seen) for kind, seen in found.items()], trades(scores["living"], scores["fake"])
    )
    if as_json:
        print_json(result)
    else:
        show(result)


def _clips(paths: Sequence[Path]) -> list[Path]:
    """The clips that are named, and those in folders that are named."""
    found: list[Path] = []
    for path in paths:
        inside = sorted((p for p in path.iterdir() if p.is_file()), key=natural) if path.is_dir() else []
        found += [clip for clip in inside if media(clip) is Media.VIDEO] if path.is_dir() else [path]
    return found


def _scored(clips: Sequence[Path], analyser: Analyser, config: Config) -> list[ScoredVisit]:
    return [
        visit
        for clip in progress(clips, "clips")
        for visit in visits(clip.name, clip_frames(clip, config.runtime.max_fps), analyser, config)
    ]


def _prints(
    folder: Path | None, count: int, rng: np.random.Generator, analyser: Analyser, config: Config
) -> list[ScoredVisit]:
    if folder is None:
        raise UsageError("--artificial: found no --photos; allowed: a folder per person, for the prints")
    photos = [photo for found in photos_by_person(folder).values() for photo in found]
    drawn = [photos[int(i)] for i in rng.choice(len(photos), count)]
    return [
        visit
        for photo in progress(drawn, "prints")
        for visit in visits(photo.name, held_print(read_photo(photo), rng), analyser, config)
    ]


def _screens(
    clips: Sequence[Path], count: int, rng: np.random.Generator, analyser: Analyser, config: Config
) -> list[ScoredVisit]:
    return [
        visit
        for n in progress(range(count), "screens")
        for visit in visits(
            clips[n % len(clips)].name,
            held_screen((image for _, image in clip_frames(clips[n % len(clips)], config.runtime.max_fps)), rng),
            analyser,
            config,
        )
    ]


def show(result: LivenessResult) -> None:
    console = SafeConsole()
    table = Table("", "clips", "visits", "some sign", "spoof", "cues against / in favour", box=None)
    for row in result.kinds:
        cues = ", ".join(
            f"{name} {against}/{favour}" for name, (against, favour) in row.cues.items() if against + favour
        )
        table.add_row(row.kind, str(row.clips), str(row.visits), str(row.measured), str(row.spoof), cues)
    console.print(table)
    living, fakes = (
        next((len(row.scores) for row in result.kinds if row.kind == kind), 0) for kind in ("living", "fake")
    )
    for trade in result.trades:
        console.print(
            f"refusing scores below {trade.below:.3f}: {trade.living_refused} of {living} living visits refused (up to "
            f"{trade.living_refused_at_most:.1%} at 95 % confidence), {trade.fakes_noticed} of {fakes} fakes noticed"
        )
