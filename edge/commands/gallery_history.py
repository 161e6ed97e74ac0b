"""`whosthere gallery log`, `rollback` and `diff`: earlier galleries, and going back to one."""

from pathlib import Path

import click
import msgspec

from edge.commands.gallery_receive import config_option, receiver_for
from edge.config.loading import LoadedConfig, load_config
from edge.config.sections import GalleryKeys
from edge.errors import GalleryError, WhosthereError
from edge.galleries.daemon_status import GalleryStatus, is_running, read_status
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery
from edge.galleries.history import History, HistoryEntry
from edge.terminal import echo, json_option, plural, print_json, table


class GalleryLog(msgspec.Struct, frozen=True):
    """`gallery log --json`."""

    gallery: str
    running: bool
    in_force: GalleryStatus | None
    """What the daemon reported last."""
    kept: list[str]
    """The versions that `rollback` can restore, newest first."""
    entries: list[HistoryEntry]


class GalleryDiff(msgspec.Struct, frozen=True):
    """`gallery diff --json`: person ids."""

    old: int
    new: int
    added: list[str]
    removed: list[str]
    changed: list[str]


@click.command()
@json_option
@config_option
def log(as_json: bool, config_path: Path) -> None:
    """Show which galleries were received and rolled back, and which earlier ones are kept."""
    path = load_config(config_path).gallery_path
    history = History(path)
    kept = [_version(file) for file in history.kept()]
    found = GalleryLog(str(path), is_running(path), read_status(path), kept, history.entries())
    if as_json:
        print_json(found)
        return
    rows = [
        (
            e.at,
            e.action,
            str(e.version),
            str(e.people),
            str(e.templates),
            e.signer or "",
            e.sender or "",
            e.reason or "",
        )
        for e in found.entries
    ]
    headings = ("at", "what", "version", "people", "templates", "signed by", "from", "why")
    echo(table(headings, rows, frozenset({2, 3, 4})) if rows else "Nothing has been received yet.")
    echo(_in_force(found))


@click.command()
@click.argument("version", required=False)
@config_option
def rollback(version: str | None, config_path: Path) -> None:
    """Put an earlier gallery in force: the previous one, or a VERSION that `log` lists as kept.

    A bundle pushed later must still be newer than every one received before, so rolling back allows no replay.
    """
    loaded = load_config(config_path)
    answer = receiver_for(loaded).roll_back(_kept(loaded, version))
    if answer.people is not None:
        echo(
            f"version {answer.version} is {answer.status}, {plural(answer.people, 'person', 'people')}; "
            f"before, it was version {answer.previous}"
        )
    if answer.reason:
        raise WhosthereError(answer.reason)


@click.command()
@click.argument("other", required=False)
@json_option
@config_option
def diff(other: str | None, as_json: bool, config_path: Path) -> None:
    """Show who was added, removed or changed since the previous gallery.

    OTHER is a kept version or a gallery file to compare with, in place of the previous one.
    """
    loaded = load_config(config_path)
    keys = GalleryKeys(None, loaded.gallery_keys.identity)
    before = Path(other) if other and Path(other).is_file() else _kept(loaded, other)
    found = difference(open_gallery(before, None, keys), open_gallery(loaded.gallery_path, None, keys))
    if as_json:
        print_json(found)
        return
    echo(f"from version {found.old} to {found.new}:")
    for sign, people in (("+", found.added), ("-", found.removed), ("~", found.changed)):
        for person in people:
            echo(f"{sign} {person}")
    if not found.added + found.removed + found.changed:
        echo("no difference: the same people with the same templates")


def difference(old: Gallery, new: Gallery) -> GalleryDiff:
    """The difference by person. Somebody is changed when their templates or anything else about them differ."""
    before = {person.id: (person, b"".join(v.tobytes() for v in vectors)) for person, vectors in old.known()}
    after = {person.id: (person, b"".join(v.tobytes() for v in vectors)) for person, vectors in new.known()}
    return GalleryDiff(
        old.header.version,
        new.header.version,
        sorted(after.keys() - before.keys()),
        sorted(before.keys() - after.keys()),
        sorted(one for one in after.keys() & before.keys() if after[one] != before[one]),
    )


def _kept(loaded: LoadedConfig, version: str | None) -> Path:
    kept = History(loaded.gallery_path).kept()
    found = next((path for path in kept if version in (None, _version(path))), None)
    if found is None:
        versions = ", ".join(map(_version, kept)) or "none"
        wanted = f"version {version}" if version else "an earlier gallery"
        raise GalleryError(f"{loaded.gallery_path}: {wanted} is not kept; kept: {versions}")
    return found


def _version(path: Path) -> str:
    return path.name.partition("-")[0]


def _in_force(found: GalleryLog) -> str:
    kept = f"kept: {', '.join(found.kept) or 'none'}"
    if found.in_force is None or not found.running:
        return f"No daemon is running; {kept}"
    refused = f"; the file that is there now was refused: {found.in_force.error}" if found.in_force.error else ""
    return f"In force since {found.in_force.since}: version {found.in_force.version}; {kept}{refused}"
