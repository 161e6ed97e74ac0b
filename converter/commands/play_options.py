"""What `play-visits` and `play-film` share: the engines to play through, and what is done with the answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from converter.commands import options
from converter.embedding_cache import default_cache
from converter.exits import Interrupted
from converter.visit_player.answers import KeptAnswers, load_remembering
from converter.visit_player.baselines import FaceRecognition, Naive
from converter.visit_player.box import BoxEngine, EventCheck
from converter.visit_player.frigate import Frigate
from converter.visit_player.playing import NamingEngine, Played, Take, play
from converter.visit_player.rules import RULES
from converter.visit_player.scoring import VisitScore, odd_takes, score
from converter.visit_player.visit_report import PlayedDocument, write
from edge.config.loading import default_config, load_config
from edge.terminal import echo, json_option, print_json, progress, table

F = TypeVar("F", bound=Callable[..., Any])

BASELINES = ("naive", "frigate", "face-recognition")
ALL = "all"
COLUMNS = (
    "known", "named", "wrong", "unknown", "labels", "visits", "each", "fixed", "pictures", "noticed", "p50", "p95",
    "looks",
)  # fmt: skip
LEGEND = """\
known     those with a usable face, of all known people who came
named     of those, how many were called by their own name
wrong     people who were called by somebody else's name
unknown   strangers who were called by no name, of all strangers
labels    faces of single frames that showed somebody else's name, of all that were followed
visits    started, for how many people who came; in brackets those of nobody in the script (a bystander in a photo)
each      decisions per person
fixed     `unknown` or `uncertain` that became a name
pictures  of known people, held up: called by the name of the person in them, of all
noticed   pictures that were said to be no living person, and living people who were
p50, p95  seconds of video from the first face that the box could use to the right name
looks     faces that were analysed closely
"""


@dataclass(frozen=True, slots=True)
class PlayChoice:
    """What the options say."""

    config_path: Path | None
    baseline: tuple[str, ...]
    without: tuple[str, ...]
    kept: Path
    no_kept: bool
    output: Path | None
    as_json: bool


def choices(command: F) -> F:
    """Add the options that `run` needs."""
    names = [rule.name for rule in RULES]
    for option in (
        click.option(
            "--config",
            "config_path",
            type=options.FILE,
            help="The config.yaml of a box, for its visit, match, quality, track, detect and models. Without it, every "
            "setting has its default.",
        ),
        click.option(
            "--baseline",
            type=click.Choice(BASELINES),
            multiple=True,
            help="Play the same frames through another engine too, and show it beside the box. `naive` is the box's "
            "networks with each frame alone; `frigate` imitates Frigate's rule on the box's networks; "
            "`face-recognition` is that package with its defaults (slow: 0.2 s per frame). Repeat it for several.",
        ),
        click.option(
            "--without",
            type=click.Choice([*names, ALL]),
            multiple=True,
            help="Play the same frames through the box without this rule too, to see what the rule is worth. Repeat "
            "it for several; `all` takes out one after the other.",
        ),
        click.option(
            "--cache",
            "kept",
            type=click.Path(path_type=Path, file_okay=False),
            default=lambda: default_cache().with_name("visits"),
            help="The folder that keeps what the networks answered, so that a second run needs a third of the time. It "
            "can be deleted at any time.  [default: ~/.cache/whosthere/visits]",
        ),
        click.option("--no-cache", "no_kept", is_flag=True, help="Ask the networks again, and keep nothing."),
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help="Also write DIR/visits.html, a page with the table and plots that needs no other file.",
        ),
        json_option,
    ):
        command = option(command)
    return command


def run(takes: Sequence[Take], name: str, choice: PlayChoice) -> None:
    """Play the takes and report. Ctrl-C reports what was played until then, and raises Interrupted."""
    answers = KeptAnswers(None if choice.no_kept else choice.kept)
    check = EventCheck()
    engines = _engines(choice, answers, check)
    played: list[Played] = []
    done = 0
    try:
        for take in progress(takes, "scenes"):
            answers.open(f"{name}-{take.kind}-{take.number}".replace(" ", "-"))
            try:
                played += play(take, engines)
            finally:
                answers.save()
            done += 1
    except KeyboardInterrupt as error:
        if done:
            _report(played, done, len(takes), choice, check)
        kept = "" if choice.no_kept else "; what the networks answered is kept, and the same command goes on from there"
        raise Interrupted(f"interrupted after {done} of {len(takes)} scenes{kept}") from error
    _report(played, done, len(takes), choice, check)


def _engines(choice: PlayChoice, answers: KeptAnswers, check: EventCheck) -> list[NamingEngine]:
    """The box first. Raises ModelError, ConfigError, and WhosthereError when a baseline is not installed."""
    loaded = load_config(choice.config_path) if choice.config_path else default_config()
    config, networks = loaded.config, load_remembering(loaded.config.models, loaded.base, answers)
    makers: dict[str, Callable[[], NamingEngine]] = {
        "naive": lambda: Naive(networks, config),
        "frigate": lambda: Frigate(networks, config),
        "face-recognition": lambda: FaceRecognition(answers),
    }
    baselines = [makers[name]() for name in BASELINES if name in choice.baseline]
    rules = [rule for rule in RULES if rule.name in choice.without or ALL in choice.without]
    without = [BoxEngine(networks, config, check, rule) for rule in rules]
    return [BoxEngine(networks, config, check), *baselines, *without]


def _report(played: Sequence[Played], done: int, of: int, choice: PlayChoice, check: EventCheck) -> None:
    wanted = {rule.name: rule.does for rule in RULES if rule.name in choice.without or ALL in choice.without}
    odd = odd_takes(take for take in played if take.engine == played[0].engine)
    document = PlayedDocument(done, of, check.checked, check.faults, score(played), wanted, odd)
    if choice.as_json:
        print_json(document)
    else:
        show(document)
    if choice.output:
        echo(f"{write(choice.output, document)}: open it in a browser", err=True)


def show(document: PlayedDocument) -> None:
    """Print the box's answers by kind, then all engines beside each other."""
    first = document.rows[0].engine
    kinds = [row for row in document.rows if row.engine == first]
    totals = [row for row in document.rows if row.kind == "all"]
    if len(kinds) > 2:
        echo(_lines("kind", [(row.kind, row) for row in kinds]))
        echo("")
    if len(totals) > 1 or len(kinds) <= 2:
        echo(_lines("engine", [(row.engine, row) for row in totals]))
        echo("")
    echo(LEGEND)
    for take in document.odd:
        echo(f"{take.kind}, no. {take.number}: {'; '.join(take.said)}")
    faults = document.schema_faults
    verdict = f"{len(faults)} do not fit, the first: {faults[0]}" if faults else "all fit"
    echo(f"{document.scenes} of {document.of} scenes; {document.events} events against visit.json: {verdict}")


def _lines(heading: str, rows: Sequence[tuple[str, VisitScore]]) -> str:
    cells = [
        (
            name,
            f"{row.usable}/{row.known}",
            str(row.named),
            str(row.wrong_names),
            f"{row.rightly_unknown}/{row.strangers}",
            f"{row.wrong_labels}/{row.labels}",
            f"{row.visits}/{row.people}" + (f" ({row.elsewhere})" if row.elsewhere else ""),
            f"{row.decisions_per_visit:.1f}",
            str(row.corrections),
            f"{row.pictures_named}/{row.pictures}",
            f"{row.pictures_noticed}+{row.spoofs}",
            *(("-" if value is None else f"{value:.1f}") for value in (row.seconds(50), row.seconds(95))),
            str(row.looks),
        )
        for name, row in rows
    ]
    return table((heading, *COLUMNS), cells, frozenset(range(1, len(COLUMNS) + 1)))
