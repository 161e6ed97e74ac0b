"""`whosthere-converter evaluate`: verification on pairs, or open-set identification, of models side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from converter import card_text, datasets
from converter.commands import options
from converter.curves import Confusion
from converter.embeddings import CachingEmbedder, embed_with_all
from converter.evaluation import Evaluation, evaluated
from converter.identification import Identification, identify, split
from converter.people_folder import photos_by_person
from edge.config.visits import MatchSettings
from edge.errors import UsageError
from edge.models import card
from edge.models.measure import measure_of
from edge.safe_console import SafeConsole
from edge.terminal import NumberRange, json_option, print_json, safe


class ModelSearch(Identification, frozen=True, kw_only=True):
    """One model's identification, with its name."""

    model: str


@click.command("evaluate")
@options.models
@options.shared_stages
@options.own_pairs
@options.images
@json_option
@click.option(
    "--record",
    is_flag=True,
    help="Add the figures to the section `measured` of each card. A similarity of the network's own is put in force if "
    "it is better than the cosine for certain, else out of force.",
)
@options.name
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Leave out pairs whose photos do not exist, and say how many, instead of failing.",
)
@click.option(
    "--templates",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="How many templates the gallery has whose threshold is judged.",
)
@click.option(
    "--false-alarm",
    type=NumberRange(0, 0.5, min_open=True),
    default=MatchSettings().false_alarm_target,
    show_default=True,
    help="The false-alarm target that the threshold follows from, as match.false_alarm_target in config.yaml.",
)
@click.option(
    "--identify",
    "as_identification",
    is_flag=True,
    help="Open-set identification of the people in IMAGES, instead of --pairs.",
)
@click.option(
    "--enroll",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="With --identify: how many photos per person are enrolled.",
)
def command(
    models: tuple[str, ...],
    pairs: Path | None,
    images: Path,
    as_json: bool,
    record: bool,
    name: str | None,
    allow_missing: bool,
    templates: int,
    false_alarm: float,
    as_identification: bool,
    enroll: int,
    **stages: Any,
) -> None:
    """Measure how well an embedder recognises people: verification by LFW's protocol, or open-set identification.

    Without a list, pairs are drawn from IMAGES: up to ten folds, whose people differ, with 300 pairs of one person and
    300 of two at most. The same photos give the same pairs.

    For each fold, the threshold is the one that does best on the other folds. A photo in which no face is found counts
    as "not the same person"; it is never left out. The face nearest to the middle of a photo is the one that counts.

    \b
    Examples:
      whosthere-converter evaluate --pairs lfw/pairs.txt --images lfw/images --model mobilefacenet --model out/mine.yaml
      whosthere-converter evaluate --images people/
      whosthere-converter evaluate --identify --images people/
    """
    _check(as_identification, pairs)
    embedders = [options.embedder(model=model, **stages) for model in models]
    title = options.data_set(name, images)
    results: Sequence[Evaluation | ModelSearch]
    if as_identification:
        results = _searches(models, embedders, images, enroll)
        line = f"identification on {title}, {enroll} picture(s) per person"
    else:
        listed, absent = _listed(pairs, images, allow_missing)
        embedded = embed_with_all(embedders, datasets.pictures_of(listed))
        settings = MatchSettings(false_alarm_target=false_alarm)
        by_model = zip(models, embedded, strict=True)
        results = [evaluated(model, listed, absent, found, settings, templates) for model, found in by_model]
        line = f"verification on {title}, {stages['detector']}"
    if record:
        for model, result in zip(models, results, strict=True):
            _record(card.find(model), line, result)
    _print_results(results, as_json)


def _check(as_identification: bool, pairs: Path | None) -> None:
    """Raise UsageError for options that would be disregarded."""
    if as_identification and pairs is not None:
        raise UsageError("give --pairs or --identify, not both")
    options.refuse_disregarded(
        {
            "enroll": None if as_identification else "with --identify",
            "templates": "without --identify" if as_identification else None,
            "false_alarm": "without --identify" if as_identification else None,
            "allow_missing": None if pairs else "with --pairs",
        }
    )


def _record(path: Path, line: str, result: Evaluation | ModelSearch) -> None:
    """Write the figures to the card; a similarity of its own is in force from now on if it was better."""
    compared = result.own_similarity if isinstance(result, Evaluation) else None
    learned = card.read_card(path).similarity
    if compared is not None and learned is not None:
        said = f"{line}: {compared.in_words}"
        learned = msgspec.structs.replace(learned, in_force=compared.better, compared=said)
    card_text.record(path, {line: summary(result)}, similarity=learned)


def _print_results(results: Sequence[Evaluation | ModelSearch], as_json: bool) -> None:
    if not as_json:
        for result in results:
            show(result)
        return
    # One model is one object, so that scripts which measure one need no loop.
    document = results[0] if len(results) == 1 else list(results)
    print_json(document)


def _searches(
    models: Sequence[str], embedders: Sequence[CachingEmbedder], images: Path, enroll: int
) -> list[ModelSearch]:
    """Open-set identification by each model. Raises DatasetError."""
    parts = split(photos_by_person(images), enroll)
    groups = (parts.enrolled, parts.known, parts.unknown)
    embedded = embed_with_all(embedders, [p for group in groups for own in group.values() for p in own])
    measures = [measure_of(card.read_card(card.find(model))) for model in models]
    found = [identify(parts, by_one, measure) for by_one, measure in zip(embedded, measures, strict=True)]
    return [ModelSearch(**msgspec.structs.asdict(f), model=model) for model, f in zip(models, found, strict=True)]


def _listed(pairs: Path | None, images: Path, allow_missing: bool) -> tuple[list[datasets.PicturePair], list[str]]:
    """Raises DatasetError when pictures are absent, unless that is allowed."""
    if pairs is None or not allow_missing:
        return options.read_or_draw(pairs, images), []
    listed = datasets.read_pairs(pairs, images)
    absent = set(datasets.absent(datasets.pictures_of(listed)))
    kept = [pair for pair in listed if not {pair.first, pair.second} & absent]
    return kept, sorted(picture.name for picture in absent)


def summary(result: Evaluation | ModelSearch) -> str:
    """The line for the card."""
    if isinstance(result, ModelSearch):
        rates = ", ".join(f"DIR {r.identified:.2%} at FPIR {r.false_positive_rate:g}" for r in result.rates)
        return (
            f"rank-1 {result.rank_one:.2%}, {rates}; {result.people} people, {result.known_probes} known and "
            f"{result.unknown_probes} unknown probes (whosthere-converter evaluate --identify)"
        )
    return (
        f"accuracy {result.accuracy:.2%} +- {result.deviation:.2%} over {result.folds} folds, "
        f"{result.genuine + result.impostors} pairs, {len(result.missed)} faces missed (whosthere-converter evaluate)"
    )


def show(result: Evaluation | ModelSearch) -> None:
    console = SafeConsole()
    console.print(result.model, style="bold")
    if isinstance(result, ModelSearch):
        _show_search(console, result)
        return
    console.print(f"{result.genuine} pairs of one person, {result.impostors} of two, {result.folds} folds")
    console.print(f"accuracy {result.accuracy:.2%} +- {result.deviation:.2%} (standard deviation of the folds)")
    console.print(f"equal error rate {result.equal_error_rate:.2%}, area under the curve {result.area_under_curve:.5f}")
    console.print(f"no face found in {len(result.missed)} photos, which affects {result.pairs_missed} pairs")
    if result.left_out:
        console.print(f"{len(result.left_out)} photos do not exist; their pairs were left out")
    table = Table("false accept rate", "threshold", "true accept rate", "impostors above")
    for point in result.operating:
        rates = f"{point.false_accept_rate:g}", f"{point.threshold:.4f}", f"{point.true_accept_rate:.2%}"
        table.add_row(*rates, str(point.impostors_above))
    console.print(table)
    if result.own_similarity:
        console.print(result.own_similarity.in_words)
        kept = "names go by it" if result.own_similarity.better else "names go by the cosine"
        console.print(f"With --record, {kept} from now on; calibrate then.")
    _show_in_force(console, result.in_force)


def _show_in_force(console: SafeConsole, c: Confusion | None) -> None:
    if c is None:
        console.print("the card has no calibration, so there is no threshold to judge")
        return
    precision = "-" if c.precision is None else f"{c.precision:.2%}"
    reach = "" if c.within_data else " (the strictest one that the calibration's data support)"
    console.print(
        f"at the threshold of a box, {c.threshold:.4f}{reach}: accuracy {c.accuracy:.2%}, precision {precision}, "
        f"recall {c.recall:.2%}, specificity {c.specificity:.2%}, F1 {c.f1:.4f}"
    )
    table = Table("", "accepted", "refused")
    table.add_row("one person", str(c.true_positives), str(c.false_negatives))
    table.add_row("two people", str(c.false_positives), str(c.true_negatives))
    console.print(table)


def _show_search(console: SafeConsole, result: ModelSearch) -> None:
    console.print(
        f"{result.people} people, {result.templates} templates; {result.known_probes} known probes, "
        f"{result.unknown_probes} unknown, {result.missed} pictures without a face"
    )
    console.print(f"rank-1 {result.rank_one:.2%}")
    table = Table("FPIR", "threshold", "DIR", "strangers above")
    for rate in result.rates:
        figures = f"{rate.false_positive_rate:g}", f"{rate.threshold:.4f}", f"{rate.identified:.2%}"
        table.add_row(*figures, str(rate.strangers_above))
    console.print(table)
    for confused in result.confused:
        line = f"{confused.person} taken for {confused.taken_for}: {confused.times}x"
        console.print(safe(line), markup=False)
