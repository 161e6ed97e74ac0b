"""A data set as .tar, .tar.gz or .zip: read like the folder, and never more than that."""

import contextlib
import gzip
import io
import random
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter import people_archive
from converter.people_archive import SUFFIXES, ArchiveError, unpacked
from converter.people_folder import photos_by_person
from support.album import make_album
from support.converting import run
from support.fuzzing import cases
from support.portraits import HOPPER

FILES = {"Ada/1.jpg": b"one", "Ada/at home/2.png": b"two", "Ben/1.jpg": b"three", "Ben/person.yaml": b"name: Ben\n"}
HIDDEN = {"__MACOSX/Ada/._1.jpg": b"x", ".DS_Store": b"x", "Ada/@eaDir/1.jpg": b"x", "Ada/Thumbs.db": b"x"}


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def packed(path: Path, files: dict[str, bytes]) -> Path:
    """An archive of the kind that its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as pack:
            for name, content in files.items():
                pack.writestr(name, content)
        return path
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as tape:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_600_000_000
            tape.addfile(member, io.BytesIO(content))
    return path


def special(path: Path, kind: str) -> Path:
    """An archive with something in it that is no file."""
    if path.suffix == ".zip":
        info = zipfile.ZipInfo("Ada/1.jpg")
        mode = {"link": stat.S_IFLNK, "hard link": stat.S_IFLNK, "device": stat.S_IFBLK, "pipe": stat.S_IFIFO}[kind]
        info.create_system, info.external_attr = 3, (mode | 0o777) << 16
        with zipfile.ZipFile(path, "w") as pack:
            pack.writestr(info, "/etc/passwd")
        return path
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as tape:
        member = tarfile.TarInfo("Ada/1.jpg")
        types = {"link": b"2", "hard link": b"1", "device": b"4", "pipe": b"6"}
        member.type, member.linkname = types[kind], "/etc/passwd"
        tape.addfile(member)
    return path


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".TAR.GZ"])
@pytest.mark.parametrize("around", ["", "dataset/", "home/me/dataset/"])
def test_an_archive_is_read_like_the_folder(
    tmp_path: Path, suffix: str, around: str, own_temporary_folder: Path
) -> None:
    files = {around + name: content for name, content in (FILES | HIDDEN).items()}
    archive = packed(tmp_path / f"set{suffix.lower()}", files)
    archive = archive.rename(tmp_path / f"set{suffix}")
    with unpacked(archive) as folder:
        assert (folder.parent.name, folder.name) == (tmp_path.name, archive.name)
        found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert found == FILES
        assert {name: len(photos) for name, photos in photos_by_person(folder).items()} == {"Ada": 2, "Ben": 1}
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.rglob("*") if path.is_file())
    assert not list(own_temporary_folder.iterdir())


@pytest.mark.parametrize("suffix", [".tar", ".tgz", ".zip"])
@pytest.mark.parametrize(
    "name", ["../evil.jpg", "/evil.jpg", "Ada/../../evil.jpg", "Ada\\..\\evil.jpg", "a/" * 30 + "x.jpg"]
)
def test_nothing_is_written_outside_the_folder(
    tmp_path: Path, suffix: str, name: str, own_temporary_folder: Path
) -> None:
    archive = packed(tmp_path / f"set{suffix}", {"Ada/1.jpg": b"fine", name: b"evil"})
    with pytest.raises(ArchiveError, match=f"set{suffix}: found an entry"), unpacked(archive):
        pass
    assert not list(tmp_path.rglob("evil.jpg"))
    assert not list(own_temporary_folder.iterdir())


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".zip"])
@pytest.mark.parametrize("kind", ["link", "hard link", "device", "pipe"])
def test_links_and_devices_are_refused(tmp_path: Path, suffix: str, kind: str) -> None:
    archive = special(tmp_path / f"set{suffix}", kind)
    with pytest.raises(ArchiveError, match=r"'Ada/1\.jpg', a link, device or sparse file"), unpacked(archive):
        pass


def test_a_file_cannot_stand_where_a_folder_is(tmp_path: Path) -> None:
    for files in ({"Ada": b"file", "Ada/1.jpg": b"below it"}, {"Ada/1.jpg": b"", "Ada": b"file"}):
        with pytest.raises(ArchiveError, match="as a file and a folder"), unpacked(packed(tmp_path / "a.tar", files)):
            pass
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack, pytest.warns(UserWarning, match="Duplicate"):
        pack.writestr("Ada/1.jpg", "one")
        pack.writestr("Ada/1.jpg", "another")
    with pytest.raises(ArchiveError, match=r"found 'Ada/1\.jpg' twice"), unpacked(tmp_path / "a.zip"):
        pass


@pytest.mark.parametrize("suffix", [".tar.gz", ".zip"])
@pytest.mark.parametrize("name", ["Ada/1.jpg", ".hidden/1.jpg"])
def test_a_bomb_is_not_unpacked(
    tmp_path: Path, suffix: str, name: str, monkeypatch: pytest.MonkeyPatch, own_temporary_folder: Path
) -> None:
    monkeypatch.setattr(people_archive, "SPARE_BYTES", 100_000)
    zeros = bytes(3_000_000)
    archive = tmp_path / f"set{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as pack:
            pack.writestr(name, zeros)
    else:
        packed(archive, {name: zeros})
    with pytest.raises(ArchiveError, match="more than 20 times its size"), unpacked(archive):
        pass
    assert not list(own_temporary_folder.iterdir())


def test_a_zip_that_understates_its_sizes_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_archive, "SPARE_BYTES", 100_000)
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("Ada/1.jpg", bytes(3_000_000))
    raw = archive.read_bytes().replace((3_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    archive.write_bytes(raw)
    with pytest.raises(ArchiveError), unpacked(archive):
        pass


def test_a_header_that_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 4_000_000_000
    with gzip.open(tmp_path / "set.tar.gz", "wb") as file:
        file.write(member.tobuf(tarfile.PAX_FORMAT)[-512:])
        file.write(bytes(100_000))
    with pytest.raises(ArchiveError, match="larger than any is"), unpacked(tmp_path / "set.tar.gz"):
        pass


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".zip"])
def test_a_damaged_archive_is_never_half_a_data_set(tmp_path: Path, suffix: str, own_temporary_folder: Path) -> None:
    """Whatever byte is cut off or changed: all files are as they were, or the archive is refused by its name."""
    noise = random.Random(1)
    files = {name: noise.randbytes(700) for name in FILES if name.endswith(("jpg", "png"))}
    whole = packed(tmp_path / f"whole{suffix}", files).read_bytes()
    archive = tmp_path / f"set{suffix}"
    for number in range(cases(150)):
        at = noise.randrange(len(whole))
        cut = (
            whole[:at] if number % 2 else whole[:at] + bytes([whole[at] ^ (1 << noise.randrange(8))]) + whole[at + 1 :]
        )
        archive.write_bytes(cut)
        with contextlib.suppress(ArchiveError), unpacked(archive) as folder:
            found = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
            if number % 2:
                assert len(found) == len(files), at
        assert not list(own_temporary_folder.iterdir())


@settings(max_examples=cases(60), deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
        | st.from_regex(r"(\.{0,2}/|[a-z]{1,3}/|~/){0,4}[a-z.]{1,3}", fullmatch=True),
        st.binary(max_size=40), max_size=6,
    ),
    st.sampled_from([".tar", ".zip"]),
)  # fmt: skip
def test_no_name_leads_outside(files: dict[str, bytes], suffix: str) -> None:
    with tempfile.TemporaryDirectory() as made, contextlib.suppress(ArchiveError):
        before = {str(path) for path in Path(made).rglob("*")}
        archive = packed(Path(made) / f"set{suffix}", files)
        with unpacked(archive) as folder:
            base = folder.resolve()
            for path in folder.rglob("*"):
                assert base in path.resolve().parents
                assert not path.is_symlink()
        assert {str(path) for path in Path(made).rglob("*")} - before <= {str(archive)}


def test_what_a_killed_process_left_is_removed(tmp_path: Path, own_temporary_folder: Path) -> None:
    archive = packed(tmp_path / "set.tar", FILES)
    code = (
        "import os, signal, sys, tempfile; from pathlib import Path; from converter.people_archive import unpacked\n"
        f"tempfile.tempdir = {str(own_temporary_folder)!r}\n"
        f"with unpacked(Path({str(archive)!r})): os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode < 0
    [left] = own_temporary_folder.iterdir()
    with unpacked(archive) as folder:
        assert folder.is_dir()
        assert not left.exists()
        with unpacked(archive):
            # That of a process that runs is left alone.
            assert folder.is_dir()


def test_the_commands_read_it(tmp_path: Path, own_temporary_folder: Path) -> None:
    people = make_album(tmp_path / "people")
    packs = [shutil.make_archive(str(tmp_path / "people"), kind, people) for kind in ("gztar", "zip")]
    galleries: list[bytes] = []
    sources: list[Path] = [people, *map(Path, packs)]
    for number, source in enumerate(sources):
        path = tmp_path / f"{number}.whg"
        code, _, said = run("enroll", source, "-o", path)
        assert code == 0, said
        galleries.append(path.read_bytes())
    assert galleries[0] == galleries[1] == galleries[2]
    assert not list(own_temporary_folder.iterdir())

    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    for source, error in (
        (tmp_path / "broken.zip", "broken.zip: damaged"),
        (HOPPER, "allowed: a folder, or an archive"),
    ):
        code, _, said = run("enroll", source, "-o", tmp_path / "no.whg")
        assert (code, error in " ".join(said.split())) == (2, True), said
    code, _, said = run("enroll", packs[0], "-o", tmp_path / "no.whg", "--from-box", "nobody@localhost")
    assert (code, "--from-box: found an archive" in said) == (2, True)
    assert not list(own_temporary_folder.iterdir())
