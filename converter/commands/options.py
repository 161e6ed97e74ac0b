"""Options that several commands share."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from converter.datasets import PicturePair, read_existing_pairs
from converter.drawn_pairs import drawn_pairs
from converter.embedding_cache import default_cache
from converter.embeddings import DETECTORS, CachingEmbedder
from converter.people_archive import SUFFIXES, ArchiveError, is_archive, unpacked
from converter.people_folder import photos_by_person
from edge.bare_address import ExistingPath
from edge.config.faces import DetectSettings
from edge.config.sections import ModelSettings
from edge.errors import ModelError, UsageError
from edge.models import card as cards

F = TypeVar("F", bound=Callable[..., Any])

FILE = ExistingPath(dir_okay=False)
FOLDER = ExistingPath(file_okay=False)
SEED = click.IntRange(0, 2**31 - 1)


class CardPath(ExistingPath):
    """The path of a card, or the name of a bundled one."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            found = cards.find(str(value))
        except ModelError as error:
            self.fail(str(error), param, ctx)
        return super().convert(str(found), param, ctx)


CARD = CardPath(dir_okay=False)


class PeoplePath(ExistingPath):
    """A folder of people, or an archive of one, which the command gets as a folder that is removed when it ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path: Path = super().convert(value, param, ctx)
        if path.is_dir() or ctx is None or ctx.resilient_parsing:
            return path
        if not is_archive(path):
            text = f"{path}: found a file; allowed: a folder, or an archive of it ({', '.join(SUFFIXES)})"
            raise click.BadParameter(text, ctx, param)
        try:
            return ctx.with_resource(unpacked(path))
        except ArchiveError as error:
            raise click.BadParameter(str(error), ctx, param) from error
        except OSError as error:
            text = f"{path}: cannot be unpacked: {error.filename or ''}: {error.strerror}"
            raise click.BadParameter(text, ctx, param) from error


class TruthPath(PeoplePath):
    """A folder of people, an archive of one, or a file of another kind."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(str(value))
        return (
            super().convert(value, param, ctx) if is_archive(path) or path.is_dir() else FILE.convert(value, param, ctx)
        )


PEOPLE, TRUTH = PeoplePath(), TruthPath()

model = click.option(
    "--model",
    default="mobilefacenet",
    show_default=True,
    metavar="CARD",
    help="The embedder: the name of a bundled one, or the path of its card (.yaml).",
)
models = click.option(
    "--model",
    "models",
    multiple=True,
    default=("mobilefacenet",),
    show_default=True,
    metavar="CARD",
    help="The embedder: a bundled one's name, or the path of a card (.yaml). Repeat it to compare with the first.",
)
images = click.option(
    "--images",
    required=True,
    type=PEOPLE,
    help="The data set: one folder per person, with their photos in it; or a .tar, .tar.gz or .zip of that.",
)
pairs = click.option("--pairs", required=True, type=FILE, help="A list of pairs in the format of LFW's pairs.txt.")
own_pairs = click.option(
    "--pairs",
    type=FILE,
    help="A list of pairs in the format of LFW's pairs.txt.  [default: pairs drawn from IMAGES, as many of one person "
    "as of two]",
)
detector = click.option(
    "--detector",
    type=click.Choice(DETECTORS),
    default=DETECTORS[0],
    show_default=True,
    help="The network that finds the faces.",
)
no_align = click.option(
    "--no-align",
    "unaligned",
    is_flag=True,
    help="The network sees upright pictures in which the face lies anywhere, as most tutorials feed them. By default "
    "the face is turned and scaled so that eyes, nose and mouth lie where the network expects them.",
)
name = click.option(
    "--name", metavar="NAME", help="What the card calls the data set.  [default: the name of the folder around IMAGES]"
)


def cut(what: str) -> Callable[[F], F]:
    """--cut, with what it means to the command."""
    return click.option("--cut", metavar="LAYER", help=f"{what} `softmax`: before the layer that makes labels.")


def refuse_disregarded(allowed: Mapping[str, str | None]) -> None:
    """Raise UsageError for an option that was given and would not be read.

    `allowed`: a parameter of the command -> when its option is read, in words; None: it is read now.
    """
    given = click.get_current_context().get_parameter_source
    for name, when in allowed.items():
        if when is not None and given(name) is not ParameterSource.DEFAULT:
            raise UsageError(f"--{name.replace('_', '-')}: it would be disregarded; allowed {when}")


def data_set(name: str | None, images: Path) -> str:
    """What to call the data set: --name, or the name of the folder around IMAGES."""
    return name or images.resolve().parent.name


def read_or_draw(pairs: Path | None, images: Path) -> list[PicturePair]:
    """The pairs of a list, or those drawn from the photos. Raises DatasetError when photos do not exist or suffice."""
    return read_existing_pairs(pairs, images) if pairs else drawn_pairs(photos_by_person(images))


def stages(command: F) -> F:
    """The options that `embedder` needs: --model, --detector, --threads, --cache, --no-cache."""
    return model(shared_stages(command))


def shared_stages(command: F) -> F:
    """The same without --model."""
    threads = click.option(
        "--threads", type=click.IntRange(1, 64), default=2, show_default=True, help="CPU threads for each network."
    )
    cache = click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        default=default_cache,
        help="The folder that keeps embeddings, so that no photo is embedded twice.  [default: "
        "~/.cache/whosthere/embeddings]",
    )
    no_cache = click.option("--no-cache", is_flag=True, help="Compute every embedding again, and keep none.")
    return detector(threads(cache(no_cache(command))))


def embedder(model: str, detector: str, threads: int, cache: Path, no_cache: bool) -> CachingEmbedder:
    """Load the stages that the options name. Raises ModelError."""
    settings = ModelSettings(embedder=model, detector=detector, threads=threads)
    return CachingEmbedder(settings, DetectSettings(), None if no_cache else cache)
