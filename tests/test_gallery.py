"""A gallery file is whole, of the right embedder, or refused by name; a failed write leaves the old one."""

import hashlib
import os
import resource
import stat
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from edge.config.sections import NO_KEYS
from edge.errors import GalleryError
from edge.galleries.file import decode, encode, open_gallery, write_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Template, lookalikes
from edge.galleries.lock import gallery_lock
from edge.galleries.sealed import DIGEST, HEADER, TENSOR
from support.fuzzing import cases
from support.people import AT, alike, gallery_of, somebody

EMBEDDER = EmbedderId("vectors", "0" * 64)
ADA, BEN = somebody(1), somebody(2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "family.whg"
    write_gallery(gallery_of(ada=ADA, ben=BEN), path)
    return path


def test_what_is_written_is_read(path: Path) -> None:
    gallery = open_gallery(path, EMBEDDER)
    assert [person.id for person in gallery.people] == ["ada", "ben"]
    assert gallery.header.version == 2
    np.testing.assert_array_equal(gallery.embeddings, np.stack([ADA, BEN]))
    with pytest.raises(ValueError, match="read-only"):
        gallery.embeddings[0, 0] = 0


def test_a_pipe_or_a_device_is_no_gallery(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(GalleryError, match=f"{path}: cannot be read: not a regular file"):
            open_gallery(path, None)


def test_the_same_gallery_is_the_same_bytes(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.whg"
    write_gallery(open_gallery(path, None), again)
    assert again.read_bytes() == path.read_bytes()


def test_templates_of_grey_pictures_are_marked_and_others_are_written_as_ever(tmp_path: Path) -> None:
    marked = [Template("night.jpg", 0.5, AT, infrared=True), Template("day.jpg", 1.0, AT)]
    path = tmp_path / "night.whg"
    write_gallery(Gallery.empty(EMBEDDER, len(ADA)).with_templates("Ada", [ADA, BEN], marked, AT), path)
    assert [t.infrared for t in open_gallery(path, EMBEDDER).people[0].templates] == [True, False]
    assert b"night.jpg" in path.read_bytes()
    assert path.read_bytes().count(b"infrared") == 1


def test_every_flipped_bit_and_every_cut_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "damaged.whg"
    small = Gallery.empty(EMBEDDER, 4).with_templates("Ada", [somebody(1)[:4]], [Template("a.jpg", 1.0, AT)], AT)
    unit = Gallery(small.header, (small.embeddings / np.linalg.norm(small.embeddings)).astype(np.float32))
    write_gallery(unit, path)
    content = path.read_bytes()
    assert open_gallery(path, EMBEDDER).people
    for i in range(len(content)):
        flipped = content[:i] + bytes([content[i] ^ 1 << i % 8]) + content[i + 1 :]
        for damaged in (flipped, content[:i]) if i % 10 == 0 else (flipped,):
            path.write_bytes(damaged)
            with pytest.raises(GalleryError, match=r"damaged\.whg: "):
                open_gallery(path, EMBEDDER)


def forged(path: Path, embeddings: np.ndarray[Any, Any] | None = None, **changes: Any) -> Path:
    """A gallery file with a right digest over wrong contents."""
    known = gallery_of(ada=ADA, ben=BEN)
    header = {**msgspec.to_builtins(known.header), **changes}
    text = msgspec.json.encode(header).decode()
    rows = known.embeddings if embeddings is None else embeddings
    digest = hashlib.sha256(text.encode() + rows.tobytes()).digest()
    path.write_bytes(save({TENSOR: rows, DIGEST: np.frombuffer(digest, np.uint8)}, metadata={HEADER: text}))
    return path


TWICE = [{"id": "ada", "name": "Ada", "templates": [{"source": "a", "quality": 1.0, "added_at": AT}]}] * 2


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        (
            {"embedder": {"name": "facenet", "sha256": "f" * 64}},
            "embedder facenet .*enrol the photos again",
        ),
        ({"embeddings": np.stack([ADA, BEN, ADA])}, "lists 2 templates, but the embeddings are"),
        ({"embeddings": np.stack([ADA, BEN]).astype(np.float64)}, "lists 2 templates"),
        ({"embeddings": np.stack([ADA, 2 * BEN])}, "not unit vectors"),
        ({"embeddings": np.stack([ADA, BEN * np.float32("nan")])}, "not unit vectors"),
        ({"schema_version": 3}, "header is not valid.*schema_version"),
        ({"people": TWICE}, "a person id occurs twice"),
        ({"people": [{**TWICE[0], "id": "Ada/../x"}, TWICE[1]]}, "header is not valid"),
    ],
)
def test_a_gallery_that_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    path = forged(tmp_path / "odd.whg", **changes)
    with pytest.raises(GalleryError, match=rf"odd\.whg: .*{complaint}"):
        open_gallery(path, EMBEDDER)


def test_files_that_are_no_gallery(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match=r"none\.whg: no such gallery; make one with `whosthere enroll"):
        open_gallery(tmp_path / "none.whg", None)
    with pytest.raises(GalleryError, match="cannot be read: a folder"):
        open_gallery(tmp_path, None)
    other = tmp_path / "weights.safetensors"
    other.write_bytes(save({"w": np.zeros(3, np.float32)}))
    with pytest.raises(GalleryError, match=r"weights\.safetensors: a safetensors file, but not a gallery"):
        open_gallery(other, None)


def test_a_full_disk_leaves_the_old_gallery(path: Path) -> None:
    before = path.read_bytes()
    grown = open_gallery(path, None).with_templates("Cy", [somebody(3)], [Template("c.jpg", 1.0, AT)], AT)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, old[1]))
    try:
        with pytest.raises(GalleryError, match=r"family\.whg: cannot be written: File too large"):
            write_gallery(grown, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["family.whg"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "family.whg"
    with pytest.raises(GalleryError, match=r"nowhere/family\.whg: cannot be written: No such file or directory"):
        write_gallery(gallery_of(ada=ADA), path)
    with pytest.raises(GalleryError, match="its folder cannot be used"), gallery_lock(path):
        pass


def test_faces_are_for_owner_and_group_and_stay_as_they_were(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, 4711, 4712)
    owner = path.stat().st_uid, path.stat().st_gid
    write_gallery(open_gallery(path, None), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (path.stat().st_uid, path.stat().st_gid) == owner


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "current.whg"
    link.symlink_to(path)
    write_gallery(gallery_of(cy=somebody(3)), link)
    assert link.is_symlink()
    assert [p.id for p in open_gallery(path, None).people] == ["cy"]


def test_two_writers_do_not_lose_each_others_changes(path: Path) -> None:
    with (
        gallery_lock(path),
        pytest.raises(GalleryError, match="another `whosthere` is changing it"),
        gallery_lock(path),
    ):
        pass
    with gallery_lock(path):
        pass


def test_a_name_without_accents_or_capitals_is_understood_where_it_names_one_person() -> None:
    gallery = gallery_of(ada=ADA).with_templates("José", [BEN], [Template("j.jpg", 1.0, AT)], AT)
    more = gallery.with_templates("Jose\u0301 ", [alike(BEN, 0.9)], [Template("k.jpg", 1.0, AT)], AT)
    assert [(p.name, len(p.templates)) for p in more.people] == [("ada", 1), ("José", 2)]
    assert [p.id for p in more.without("JOSE", AT).people] == ["ada"]
    with pytest.raises(GalleryError, match="found nobody called 'Eve'; in the gallery: ada, José"):
        more.without("Eve", AT)
    two = more.with_templates("jose", [ADA], [Template("l.jpg", 1.0, AT)], AT)
    assert [p.name for p in two.people] == ["ada", "José", "jose"]
    with pytest.raises(GalleryError, match=r"several people called 'JOSE': José \(jose\), jose \(jose-[0-9a-f]{12}\)"):
        two.person("JOSE")
    with pytest.raises(GalleryError, match="several people called 'jose'"):
        two.person("jose")
    assert two.person("José") == two.people[1] and two.person(two.people[2].id) == two.people[2]
    with pytest.raises(GalleryError, match="is not allowed as a name: it is empty"):
        gallery.with_templates(" ", [ADA], [Template("a.jpg", 1.0, AT)], AT)


def test_an_emptied_gallery_is_still_one(path: Path) -> None:
    write_gallery(open_gallery(path, None).without("ada", AT).without("ben", AT), path)
    empty = open_gallery(path, EMBEDDER)
    assert empty.people == []
    assert empty.embeddings.shape == (0, len(ADA))
    assert empty.with_templates("Cy", [ADA], [Template("c.jpg", 1.0, AT)], AT).person("Cy")


def test_people_who_look_alike_are_found_most_alike_first() -> None:
    gallery = gallery_of(ada=ADA, ben=BEN, twin=alike(ADA, 0.9), cousin=alike(ADA, 0.6, seed=5))
    found = [(a.name, b.name, round(likeness, 2)) for a, b, likeness in lookalikes(gallery, 0.55)]
    assert found == [("ada", "twin", 0.9), ("ada", "cousin", 0.6)]


NAMES = st.sampled_from(["Ada", "Ben", "Cy", "Dee"])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(NAMES, st.integers(0, 3)), max_size=12))
def test_rows_stay_with_their_people(changes: list[tuple[str, int]]) -> None:
    """Adding so many templates to a person, 0 being a removal, against a dictionary of lists."""
    gallery, model, seed = Gallery.empty(EMBEDDER, len(ADA)), dict[str, list[int]](), 0
    for name, count in changes:
        if count == 0:
            if name in model:
                gallery = gallery.without(name, AT)
                del model[name]
            continue
        seeds = list(range(seed, seed + count))
        seed += count
        templates = [Template(f"{s}.jpg", 1.0, AT) for s in seeds]
        gallery = gallery.with_templates(name, [somebody(s) for s in seeds], templates, AT)
        model.setdefault(name, []).extend(seeds)
    assert [p.name for p in gallery.people] == list(model)
    for person in gallery.people:
        assert [t.source for t in person.templates] == [f"{s}.jpg" for s in model[person.name]]
        np.testing.assert_array_equal(gallery.vectors(person), [somebody(s) for s in model[person.name]])


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ANY_JSON = JSON | st.integers(0, 2**70)


def replaced(document: Any, where: float, value: Any) -> bytes:
    """A JSON document with one of its parts, chosen by a number from 0 to 1, replaced."""
    copy = msgspec.json.decode(msgspec.json.encode(document))
    places: list[tuple[Any, Any]] = []
    parts = [copy]
    for part in parts:
        keys = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
        places += [(part, key) for key in keys]
        parts += [part[key] for key in keys]
    part, key = places[round(where * (len(places) - 1))]
    part[key] = value
    return msgspec.json.encode(copy)


@st.composite
def odd_file(draw: st.DrawFn) -> bytes:
    """A gallery with flipped bytes, cut short, or with anything in any place of its layout, header or rows."""
    content = encode(gallery_of(ada=ADA, ben=BEN))
    length = int.from_bytes(content[:8], "little")
    layout, rows = msgspec.json.decode(content[8 : 8 + length]), np.stack([ADA, BEN])
    text = layout["__metadata__"][HEADER].encode()
    kind = draw(st.sampled_from(["bytes", "cut", "layout", "header", "rows"]))
    if kind == "bytes":
        damaged = bytearray(content)
        for at in draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
            damaged[at] = draw(st.integers(0, 255))
        return bytes(damaged)
    if kind == "cut":
        return content[: draw(st.integers(0, len(content)))]
    if kind == "layout":
        changed = replaced(layout, draw(st.floats(0, 1)), draw(ANY_JSON))
        return len(changed).to_bytes(8, "little") + changed + content[8 + length :]
    if kind == "header":
        text = replaced(msgspec.json.decode(text), draw(st.floats(0, 1)), draw(ANY_JSON))
    else:
        odd = st.sampled_from([float("nan"), float("inf"), 3e38, -1.0, 1e-40])
        rows[draw(st.integers(0, 1)), draw(st.integers(0, 63))] = draw(odd)
        shape = draw(st.sampled_from([(2, -1), (-1,), (1, 2, -1), (4, -1), (1, 1, 2, -1)]))
        rows = rows.astype(draw(st.sampled_from([np.float32, np.float64]))).reshape(shape)
    digest = np.frombuffer(hashlib.sha256(text + rows.tobytes()).digest(), np.uint8)
    return save({TENSOR: rows, DIGEST: digest}, metadata={HEADER: text.decode()})


@pytest.mark.fuzz
@settings(max_examples=cases(300), deadline=None)
@given(odd_file())
def test_whatever_a_file_holds_it_is_a_gallery_or_refused_by_name(content: bytes) -> None:
    try:
        gallery = decode(content, "odd.whg", None, NO_KEYS)
    except GalleryError as error:
        # Anything that the checks do not foresee is named by its class, such as TypeError.
        assert str(error).startswith("odd.whg: ") and "Error: " not in str(error)
    else:
        assert len(gallery.embeddings) == sum(len(person.templates) for person in gallery.people)
        assert decode(encode(gallery), "it", None, NO_KEYS).people == gallery.people


def test_errors_that_nobody_foresaw_are_refusals_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr("edge.galleries.sealed.read_tensors", fail)
    with pytest.raises(GalleryError, match=r"family\.whg: damaged: ZeroDivisionError: of all things"):
        open_gallery(path, None)
