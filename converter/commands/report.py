"""`whosthere-converter report`: everything about some models on one page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from converter import datasets, faces, profile, report
from converter.commands import options
from converter.drift import Layer, layers
from converter.embeddings import CachingEmbedder, embed_with_all
from converter.evaluation import Evaluation, evaluated
from converter.packs import Pack, read_pack
from edge.config.visits import MatchSettings
from edge.errors import ModelError
from edge.faces.framing import Framing
from edge.models import card as cards
from edge.safe_console import SafeConsole

FACES = 6
RUNS = 20


@click.command("report")
@click.option(
    "--model", "models", multiple=True, required=True, metavar="CARD",
    help="An embedder: a bundled one's name, or the path of a card (.yaml). Repeat it; the float original comes first.",
)  # fmt: skip
@options.shared_stages
@options.own_pairs
@options.images
@options.name
@click.option(
    "--pack", "packs", multiple=True, type=options.FILE, metavar="PACK",
    help="Show the accuracy on a published verification pack (.bin) too, as evaluate-packs measures it. Repeat it.",
)  # fmt: skip
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder to write the page to.",
)
def command(
    models: tuple[str, ...],
    pairs: Path | None,
    images: Path,
    name: str | None,
    packs: tuple[Path, ...],
    output: Path,
    **stages: Any,
) -> None:
    """Measure models side by side and write DIR/report.html, a page that needs no other file.

    Without --pairs, pairs are drawn from IMAGES, as `evaluate` draws them. report.json and the plots as PNG are written
    beside the page. It shows photos of people from the data set: think of that before you pass it on.
    """
    listed = options.read_or_draw(pairs, images)
    pictures = datasets.pictures_of(listed)
    read = [read_pack(path) for path in packs]
    embedders = [options.embedder(model=model, **stages) for model in models]
    embedded = embed_with_all(embedders, pictures)
    settings = MatchSettings()
    named = zip(models, embedded, strict=True)
    evaluations = [named_short(evaluated(model, listed, [], found, settings, 1)) for model, found in named]
    speed = profile.profile(profile.read([cards.find(m) for m in models]), [1, 2, 4], RUNS, None, "")
    title = f"{', '.join(Path(m).stem for m in models)} on {options.data_set(name, images)}"
    licences = {card.name: card.licence for card in (cards.read_card(cards.find(model)) for model in models)}
    document = report.Document(title, evaluations, speed, drift(models), on_packs(read, models, embedders), licences)
    path = report.write(output, document, report.worst_pairs(listed, embedded[0]))
    SafeConsole(stderr=True).print(f"{path}: open it in a browser")


def on_packs(
    packs: Sequence[Pack], models: Sequence[str], embedders: Sequence[CachingEmbedder]
) -> dict[str, list[Evaluation]]:
    """Every model's verification on every pack, by the pack's name. Raises DatasetError."""
    settings = MatchSettings()
    return {
        pack.name: [
            named_short(evaluated(model, pack.pairs, [], embedder.embed_placed(pack.crops), settings, 1))
            for model, embedder in zip(models, embedders, strict=True)
        ]
        for pack in packs
    }


def drift(models: tuple[str, ...]) -> dict[str, list[Layer]]:
    """The drift of every other model from the first, layer by layer, on the bundled portraits. Raises ModelError."""
    first = cards.load(cards.find(models[0]), "embed")
    framing = Framing.of(first.card)
    if framing is None:
        raise ModelError(f"{first.path}: its card states neither `alignment` nor `crop`")
    found = faces.find_faces([faces.PORTRAITS], FACES).found
    size = first.card.input.shape[1]
    made = faces.tensors(faces.crops(found, framing, size, FACES), first.card.input)
    rows = {model: layers(first.content, cards.load(cards.find(model), "embed").content, made) for model in models[1:]}
    return {Path(model).stem: row for model, row in rows.items() if len(row) > 1}


def named_short(evaluation: Evaluation) -> Evaluation:
    """The evaluation under the card's name, not its path: the page is read elsewhere."""
    return msgspec.structs.replace(evaluation, model=Path(evaluation.model).stem)
