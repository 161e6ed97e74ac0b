"""`whosthere-converter merge`: bring a box's gallery back into yours."""

from pathlib import Path

import click

from converter.commands import gallery_options
from edge.config.loading import load_config_or_defaults
from edge.errors import WhosthereError
from edge.faces.loading import load_embedder
from edge.galleries.file import open_gallery
from edge.galleries.gallery import lookalikes
from edge.galleries.lock import gallery_lock
from edge.galleries.merge import Side, merge
from edge.galleries.store import replace_gallery
from edge.models.measure import measure_of
from edge.terminal import config_option, echo, plural, warn
from edge.visits.thresholds import lookalike_threshold

EXIT_CODES = """\b
Exit codes:
  0  merged
  1  both sides changed the same thing and --prefer is not given: nothing is written
  4  one of the files is not a gallery, or they were made with different embedders
"""


@click.command("merge", epilog=EXIT_CODES)
@click.argument("mine", type=gallery_options.FILE)
@click.argument("theirs", type=gallery_options.FILE)
@click.option(
    "--base",
    type=gallery_options.FILE,
    help="The version both sides started from, such as the one pushed last. With it, removals count too.",
)
@click.option(
    "--prefer",
    type=click.Choice(["mine", "theirs"]),
    help="Which side wins where both changed the same thing. Without it, conflicts end the command.",
)
@click.option("-o", "--output", type=gallery_options.OUTPUT, help="Where to write the merged gallery.  [default: MINE]")
@gallery_options.sign
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
    """Merge THEIRS into MINE, so that neither side overwrites the other.

    THEIRS usually comes from a box, by `whosthere-converter pull`: people may have been enrolled there. What both sides
    changed in different ways is a conflict.

    \b
    Example:
      whosthere-converter pull front-door -o box.whg
      whosthere-converter merge family.whg box.whg --base pushed.whg --sign ~/.ssh/id_ed25519
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
            raise WhosthereError(f"{target}: not written: {len(merged.conflicts)} conflicts; --prefer decides them")
        replace_gallery(merged.gallery, target, key)
    gallery = merged.gallery
    for sign, people in (("+", merged.added), ("-", merged.removed)):
        for person in people:
            echo(f"{sign} {person}")
    threshold = lookalike_threshold(loaded.config.match, embedder.card, len(gallery.embeddings))
    for one, other, likeness in lookalikes(gallery, threshold, measure_of(embedder.card)):
        warn(f"{one.name} and {other.name} look alike ({likeness:.2f}): one person under two names?")
    echo(f"{target}: version {gallery.header.version}, {plural(len(gallery.people), 'person', 'people')}")
