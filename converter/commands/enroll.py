"""`whosthere-converter enroll`: a folder of people -> a gallery."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import msgspec

from converter.commands import gallery_options, naming, options
from converter.contact_sheet import write_sheet
from converter.enroll import Build, Enrolled, build, successor
from converter.people_archive import is_unpacked
from converter.people_folder import FolderOfPeople, PeopleError, read_people
from converter.template_selection import Fate
from edge.config.loading import load_config_or_defaults
from edge.errors import GalleryError, UsageError
from edge.faces.likeness import LikenessBar
from edge.faces.loading import load_configured_analyser
from edge.galleries.coverage import Coverage
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery
from edge.galleries.lock import gallery_lock
from edge.galleries.sealed import NoGallery
from edge.galleries.store import replace_gallery
from edge.terminal import config_option, echo, json_option, plural, print_json, print_left_out, table, warn
from edge.visits.thresholds import cosine_threshold, similarity_scale

EXIT_CODES = """\b
Exit codes:
  0  the gallery is written
  1  there are mistakes in the folder of people: whom they concern is left out; the message says whether the gallery is
     written
  3  config
  4  a model, the signing key or the old gallery is at fault, or no photo can be used
"""


class PictureReport(msgspec.Struct, frozen=True):
    """One photo in `enroll --json`."""

    person: str
    picture: str
    fate: Fate
    reason: str
    quality: float | None


class LookalikePair(msgspec.Struct, frozen=True):
    """Two people who look alike; `margin` is how far they stay below the threshold, negative when they are above it."""

    names: tuple[str, str]
    similarity: float
    margin: float


class EnrolReport(msgspec.Struct, frozen=True):
    """What `enroll --json` prints."""

    gallery: str
    written: bool
    version: int
    people: int
    templates: int
    threshold: float
    signed: bool
    sheet: str
    pictures: list[PictureReport]
    coverage: dict[str, Coverage]
    """Which views of each person who is in the gallery the templates show."""
    warnings: list[str]
    mistakes: list[str]
    """Why folders and photos of the folder of people were left out."""
    lookalikes: list[LookalikePair]


@click.command("enroll", epilog=EXIT_CODES)
@click.argument("people_dir", type=options.PEOPLE)
@gallery_options.whg_output
@click.option(
    "--limit",
    type=click.IntRange(1, 100),
    default=5,
    show_default=True,
    help="The limit of templates per person: those that cover pose and light best. More than 5 hardly help.",
)
@click.option(
    "--from-video",
    is_flag=True,
    help="Use videos in the folders too: two frames per second of each, for a minute at most.",
)
@gallery_options.sign
@click.option(
    "--version",
    type=click.IntRange(1),
    help="The version number of the new gallery.  [default: one more than OUTPUT has, if it changed]",
)
@click.option(
    "--sheet",
    type=gallery_options.OUTPUT,
    help="Where to write the contact sheet, a picture of every photo and its result.  [default: OUTPUT, as .png]",
)
@json_option
@naming.options
@config_option
def command(
    people_dir: Path,
    output: Path,
    limit: int,
    from_video: bool,
    key: Path | None,
    version: int | None,
    sheet: Path | None,
    as_json: bool,
    from_box: str | None,
    called: tuple[str, ...],
    ssh: str,
    config_path: Path | None,
) -> None:
    """Build a gallery from PEOPLE_DIR: one folder per person, with their photos in it; or an archive of that.

    \b
    Example:
      whosthere-converter enroll people/ -o family.whg --sign ~/.ssh/id_ed25519

    \b
    A person.yaml beside the photos is optional, and so is everything in it:
      name: Ada Lovelace               # shown instead of the folder's name
      notes: the neighbour
      consent: {given_by: Ada Lovelace, given_on: 2026-01-31, purpose: the front door, until: 2027-01-31}
      expires: 2026-12-31              # the last day on which she may be recognised
      faces: {party.jpg: 2}            # her face in a photo where it is not clear: the second from the left

    Faces are found, judged and embedded as on a box; with --config, with the settings of that box. The same photos
    always give the same file, byte for byte. Photos are not changed and do not leave this desktop.

    With --from-box you first name unknown visitors. The box must keep their pictures (`strangers.keep` in its
    config.yaml). They are shown on a sheet; the ones you name, with --name or when asked, go in their person's folder.
    """
    if from_box and is_unpacked(people_dir):
        raise UsageError("--from-box: found an archive as PEOPLE_DIR; allowed: a folder, which the pictures are put in")
    naming.name_strangers(people_dir, output.with_suffix(".strangers.png"), from_box, called, ssh)
    folder = read_people(people_dir, videos=from_video, earlier=_earlier(output, version))
    print_left_out(folder.left_out)
    loaded = load_config_or_defaults(config_path)
    analyser = load_configured_analyser(loaded)

    embedder = analyser.embedder
    bar = LikenessBar(similarity_scale(loaded.config.match, embedder.card))

    def threshold(templates: int) -> float:
        return cosine_threshold(loaded.config.match, embedder.card, templates)

    built = build(folder.people, analyser, bar, threshold, limit, datetime.now(UTC))
    picture = sheet or output.with_suffix(".png")
    with gallery_lock(output):
        earlier = _earlier(output, version)
        gallery = successor(built.gallery, earlier, version)
        missed = _missed(gallery, earlier, folder) if folder.mistakes else []
        written = bool(gallery.people) and not missed
        if written:
            replace_gallery(gallery, output, key)
    write_sheet(built, picture)
    report = _report(built, gallery, output, picture, folder.mistakes, signed=key is not None, written=written)
    if as_json:
        print_json(report)
    else:
        show(built, report)
    _conclude(gallery, output, folder.mistakes, missed)


def _earlier(output: Path, version: int | None) -> Gallery | None:
    """The gallery that OUTPUT holds; one that cannot be read is an error unless a version is given."""
    try:
        return open_gallery(output, None)
    except NoGallery:
        return None
    except GalleryError:
        if version is None:
            raise
        return None


def _missed(gallery: Gallery, earlier: Gallery | None, folder: FolderOfPeople) -> list[str]:
    """Who is in the earlier gallery and would be missing from the new one, maybe because of a mistake."""
    here = {person.id for person in gallery.people} | {person.id for person in folder.people}
    return [f"{p.name} ({p.id})" for p in earlier.people if p.id not in here] if earlier else []


def _conclude(gallery: Gallery, output: Path, mistakes: list[str], missed: list[str]) -> None:
    """Raises PeopleError when somebody was left out by mistake, and GalleryError when nobody is in."""
    if missed:
        end = (
            f"{output}: not written, because it would lose {', '.join(missed)}; correct the mistakes and run this again"
        )
        raise PeopleError("\n".join([*mistakes, end]))
    if not gallery.people:
        raise GalleryError("\n".join([*mistakes, f"{output}: not written: none of the photos can be used"]))
    if mistakes:
        raise PeopleError("\n".join([*mistakes, f"{output}: written without what these mistakes concern"]))


def _report(
    built: Build, gallery: Gallery, output: Path, sheet: Path, mistakes: list[str], *, signed: bool, written: bool
) -> EnrolReport:
    pictures = [
        PictureReport(
            person.folder.name, v.source, v.fate, v.reason, None if v.quality is None else round(v.quality, 4)
        )
        for person in built.people
        for v in person.verdicts
    ]
    return EnrolReport(
        gallery=str(output),
        written=written,
        version=gallery.header.version,
        people=len(gallery.people),
        templates=len(gallery.embeddings),
        threshold=round(built.threshold, 4),
        signed=signed,
        sheet=str(sheet),
        pictures=pictures,
        coverage={person.folder.name: person.coverage for person in built.people if person.templates},
        warnings=[f"{person.folder.name}: {text}" for person in built.people for text in person.warnings],
        mistakes=mistakes,
        lookalikes=[LookalikePair(p.names, round(p.similarity, 4), round(p.margin, 4)) for p in built.pairs],
    )


def show(built: Build, report: EnrolReport) -> None:
    """Print two tables: the people, and every photo that was not enrolled, or of which one face was chosen."""
    rows = [_row(person) for person in built.people]
    headings = ("person", "pictures", *(fate.value for fate in Fate), "until")
    echo(table(headings, rows, frozenset(range(1, 2 + len(Fate)))))
    told = [(p.person, p.picture, p.fate.value, p.reason) for p in report.pictures if p.reason]
    if told:
        echo("\n" + table(("person", "picture", "result", "why"), told))
    click.echo()
    for name, coverage in report.coverage.items():
        echo(f"{name}: {coverage.in_words()}")
    for text in report.warnings:
        warn(text)
    for pair in report.lookalikes:
        warn(_alike(pair, report.threshold))
    sealed = ("signed" if report.signed else "not signed") if report.written else "not written"
    echo(
        f"{report.gallery}: version {report.version}, {plural(report.people, 'person', 'people')}, "
        f"{plural(report.templates, 'template')}, {sealed}; "
        f"every photo is on {report.sheet}"
    )


def _row(person: Enrolled) -> tuple[str, ...]:
    counts = [sum(verdict.fate is fate for verdict in person.verdicts) for fate in Fate]
    until = f"{person.folder.expires_at - timedelta(days=1):%Y-%m-%d}" if person.folder.expires_at else ""
    return person.folder.name, str(len(person.verdicts)), *map(str, counts), until


def _alike(pair: LookalikePair, threshold: float) -> str:
    names = (
        f"{pair.names[0]} and {pair.names[1]} look alike: {pair.similarity:.2f}, and the threshold is {threshold:.2f}"
    )
    return names if pair.margin > 0 else f"{names}: visits of either may end as `uncertain`"
