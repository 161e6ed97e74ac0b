"""`whosthere-converter merge`: a box's gallery comes home."""

from pathlib import Path

import click

from converter.merge import Side, merge
from edge.config.loading import load_config_or_defaults
from edge.errors import WhosthereError
from edge.faces.loading import load_embedder
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import lookalikes
from edge.galleries.lock import gallery_lock
from edge.terminal import config_option, warn
from edge.visits.thresholds import lookalike_threshold

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
EXIT_CODES = """\b
Exit codes:
  0  merged
  1  both sides changed the same, and --prefer says nothing: nothing is written
  4  one of the files is not a gallery, or they are of two embedders
"""


@click.command("merge", epilog=EXIT_CODES)
@click.argument("mine", type=FILE)
@click.argument("theirs", type=FILE)
@click.option("--base", type=FILE, help="What both come from, such as the bundle pushed last: then removals count.")
@click.option("--prefer", type=click.Choice(["mine", "theirs"]), help="Whose word counts in a conflict.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="[default: MINE]")
@click.option("--sign", "key", type=click.Path(path_type=Path), help="SSH key to sign with.")
@config_option
def command(
    mine: Path,
    theirs: Path,
    base: Path | None,
    prefer: Side | None,
    output: Path | None,
    key: Path | None,
    config_path: Path | None,
) -> None:
    """Put into MINE what THEIRS has besides, so that neither side overwrites the other.

    THEIRS is what a box has learnt since (`whosthere-converter pull`). Whatever both sides changed is a conflict.
    """
    loaded = load_config_or_defaults(config_path)
    embedder = load_embedder(loaded.config.models, loaded.base)
    target = output or mine
    with gallery_lock(target):
        before = open_gallery(base, None) if base else None
        merged = merge(open_gallery(mine, None), open_gallery(theirs, None), before, prefer)
        for conflict in merged.conflicts:
            warn(f"{conflict.person}: {conflict.what}")
        if merged.conflicts and prefer is None:
            raise WhosthereError(f"{target}: not written: {len(merged.conflicts)} conflicts; decide with --prefer")
        write_gallery(merged.gallery, target, key)
    gallery = merged.gallery
    for sign, people in (("+", merged.added), ("-", merged.removed)):
        for person in people:
            click.echo(f"{sign} {person}")
    threshold = lookalike_threshold(loaded.config.match, embedder.calibration, len(gallery.embeddings))
    for one, other, likeness in lookalikes(gallery, threshold):
        warn(f"{one.name} and {other.name} look alike ({likeness:.2f}): one person under two names?")
    click.echo(f"{target}: version {gallery.header.version}, {len(gallery.people)} people")
