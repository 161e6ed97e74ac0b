"""`whosthere-converter export`: everything that is held about one person."""

import zipfile
from pathlib import Path

import click
import msgspec

from converter.commands import gallery_options, options
from converter.files import replacing
from converter.people_folder import read_people
from edge.errors import GalleryError, WhosthereError
from edge.galleries.file import open_gallery
from edge.galleries.names import nobody_called
from edge.people.export import about
from edge.terminal import echo, path_text, plural

LONG_AGO = (1980, 1, 1, 0, 0, 0)


@click.command("export")
@click.argument("person")
@click.argument("bundle", type=gallery_options.FILE, metavar="NAME.whg")
@click.option(
    "--people",
    type=options.PEOPLE,
    help="The folder of photos given to `enroll`, or an archive of it; theirs are then included.",
)
@click.option("-o", "--output", required=True, type=gallery_options.OUTPUT, help="The ZIP file to write.")
def command(person: str, bundle: Path, people: Path | None, output: Path) -> None:
    """Write everything that NAME.whg holds about PERSON and, with --people, their photos to a ZIP file."""
    gallery = open_gallery(bundle, None)
    known = gallery.person(person)
    if known is None:
        raise GalleryError(f"{bundle}: {nobody_called(person, (p.name for p in gallery.people))}")
    everybody = read_people(people, videos=True, earlier=gallery).people if people else []
    folders = [folder for folder in everybody if folder.id == known.id]
    files = sorted(path for folder in folders for path in folder.path.rglob("*") if path.is_file())
    try:
        # Cameras without a clock date their photos 1970, which ZIP does not know.
        with (
            replacing(output) as part,
            zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive,
        ):
            archive.writestr(
                zipfile.ZipInfo("person.json", LONG_AGO),
                msgspec.json.format(msgspec.json.encode(about(gallery, known))),
            )
            for path in files:
                archive.write(path, f"photos/{path_text(path.relative_to(folders[0].path).as_posix())}")
    except OSError as error:
        raise WhosthereError(f"{error.filename}: {error.strerror}; nothing was exported") from error
    echo(f"{output}: {known.name}, {plural(len(known.templates), 'template')}, {plural(len(files), 'file')}")
