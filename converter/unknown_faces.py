"""Unknown visitors of a box: fetch their pictures, show them on a sheet, put them in a person's folder."""

import io
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np

from converter.people_folder import PersonFolder
from converter.ssh import ask
from edge.capture.photos import decode
from edge.errors import WhosthereError
from edge.faces.annotate import FONT, drawable
from edge.galleries.names import problem, tidy
from edge.records import Image

NAME = re.compile(r"([A-Za-z0-9-]{1,64})\.jpg")
STRANGER = re.compile(r"(stranger-[0-9]+)-(?=[0-9])")
"""The beginning of the name of a picture of somebody who came again; the visit follows."""
MAX_PICTURES, MAX_PICTURE_BYTES = 500, 4 << 20
SHORTEST_END = 6
COLUMNS, TILE_PX, CAPTION_PX, GAP_PX = 6, 160, 24, 10
INK, PAPER = (30, 30, 30), 250


class UnknownVisitor(msgspec.Struct, frozen=True):
    """A visit of somebody unknown, or all visits of a stranger who came again."""

    visit: str
    """The visit's id, or the stranger's, such as stranger-3."""
    pictures: dict[str, bytes]
    """JPEG files by name without suffix, the newest first."""

    @property
    def caption(self) -> str:
        """The end of the visit's id, or the stranger and how many pictures there are."""
        return f"{self.visit} ({len(self.pictures)})" if len(self.pictures) > 1 else self.visit[-13:]


def fetch(host: str, ssh: str, timeout_s: float) -> list[UnknownVisitor]:
    """The visitors, oldest first; a stranger who came again is one of them.

    Raises WhosthereError when the box is unreachable, or sends anything else.
    """
    content = ask(host, "send --strangers", ssh, timeout_s)
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                name = NAME.fullmatch(member.name)
                file = archive.extractfile(member) if name and member.size <= MAX_PICTURE_BYTES else None
                if name is None or file is None or len(found) >= MAX_PICTURES:
                    raise WhosthereError(f"{host}: sent {member.name[:80]!r}, which is not a picture of a visit")
                found[name[1]] = file.read()
    except tarfile.TarError as error:
        raise WhosthereError(f"{host}: sent something other than pictures: {error}") from error
    return _grouped(found)


def _grouped(pictures: Mapping[str, bytes]) -> list[UnknownVisitor]:
    groups: dict[str, dict[str, bytes]] = {}
    for name, jpeg in pictures.items():
        stranger = STRANGER.match(name)
        groups.setdefault(stranger[1] if stranger else name, {})[name] = jpeg
    # By the visit, whose id begins with the time: of a stranger, the latest.
    latest = {who: max(STRANGER.sub("", name) for name in each) for who, each in groups.items()}
    return [UnknownVisitor(who, groups[who]) for who in sorted(groups, key=lambda who: latest[who])]


def write_sheet(strangers: Sequence[UnknownVisitor], path: Path) -> None:
    """Write the visitors as PNG, numbered as in the list. Raises WhosthereError when the file cannot be written."""
    tiles = [_tile(f"{number}  {s.caption}", s) for number, s in enumerate(strangers, 1)]
    blank = np.full_like(tiles[0], PAPER)
    rows = [tiles[i : i + COLUMNS] for i in range(0, len(tiles), COLUMNS)]
    sheet = np.vstack([np.hstack(row + [blank] * (COLUMNS - len(row))) for row in rows])
    try:
        path.write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
    except OSError as error:
        raise WhosthereError(f"{path}: cannot be written: {error.strerror}") from error


def _tile(caption: str, stranger: UnknownVisitor) -> Image:
    tile = np.full((TILE_PX + CAPTION_PX + GAP_PX, TILE_PX + GAP_PX, 3), PAPER, np.uint8)
    picture = decode(next(iter(stranger.pictures.values())))
    if picture is not None:
        height, width = picture.shape[:2]
        scale = TILE_PX / max(height, width)
        small = cv2.resize(picture, (max(1, round(width * scale)), max(1, round(height * scale))))
        tile[: small.shape[0], : small.shape[1]] = small
    cv2.putText(tile, drawable(caption), (0, TILE_PX + 16), FONT, 0.38, INK, 1, cv2.LINE_AA)
    return tile


def chosen(strangers: Sequence[UnknownVisitor], key: str) -> UnknownVisitor:
    """The one visitor with this number on the sheet, visit id or end of one. Raises WhosthereError.

    An end has six characters or more: one alone would fit a visit by chance, and a number that is not on the sheet
    would name somebody.
    """
    if key.isdecimal() and 1 <= int(key) <= len(strangers):
        return strangers[int(key) - 1]
    fitting = [s for s in strangers if s.visit == key or (len(key) >= SHORTEST_END and s.visit.endswith(key))]
    if len(fitting) != 1:
        ends = "no visit" if not fitting else f"{len(fitting)} visits"
        raise WhosthereError(f"--name {key}=...: {ends} of that number or id; 1 to {len(strangers)} are on the sheet")
    return fitting[0]


def adopt(stranger: UnknownVisitor, name: str, root: Path, people: Sequence[PersonFolder]) -> list[Path]:
    """Put the pictures in the folder of the person of exactly that name, who may be new; return their paths.

    Raises WhosthereError.
    """
    name = tidy(name)
    wrong = problem(name) or ("it cannot be the name of a folder" if "/" in name or name.startswith(".") else None)
    if wrong:
        raise WhosthereError(f"--name ...={name}: {wrong}")
    known = next((person.path for person in people if person.name == name), None)
    other = next((person for person in people if person.path == root / name), None)
    if known is None and other is not None:
        raise WhosthereError(
            f"--name ...={name}: the folder {other.path} is of {other.name}; give that name or another"
        )
    folder = known or root / name
    try:
        folder.mkdir(exist_ok=True)
        paths = [folder / f"{each}.jpg" for each in stranger.pictures]
        for path, picture in zip(paths, stranger.pictures.values(), strict=True):
            path.write_bytes(picture)
    except OSError as error:
        raise WhosthereError(f"{folder}: cannot be written: {error.strerror}") from error
    return paths
