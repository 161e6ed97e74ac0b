"""Two people stay two, however similar their names: in a gallery, a folder of people and a merge."""

import tempfile
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from converter.__main__ import main
from converter.people_folder import read_people
from edge.config.sections import NO_KEYS
from edge.galleries import names
from edge.galleries.file import decode, encode, open_gallery
from edge.galleries.gallery import EmbedderId, Gallery, Person, Template
from edge.galleries.merge import merge
from support.people import AT, DIMENSIONS, somebody
from support.portraits import BIDEN, OBAMA

SIMILAR = st.text(st.sampled_from("aAáàạ -_.'\u2019\U0001f600bß\u200d\u0627"), min_size=1, max_size=5).filter(
    lambda name: names.problem(name) is None
)
"""Names of which many share a slug."""
ANY = st.text(min_size=1, max_size=20).filter(lambda name: names.problem(name) is None)
EMPTY = Gallery.empty(EmbedderId("vectors", "0" * 64), DIMENSIONS)


def enrolled(people: list[str], first_seed: int = 0) -> Gallery:
    gallery = EMPTY
    for seed, name in enumerate(people, first_seed):
        gallery = gallery.with_templates(name, [somebody(seed)], [Template(f"{seed}.jpg", 1.0, AT)], AT)
    return gallery


def whose(gallery: Gallery) -> dict[str, set[bytes]]:
    """Name -> templates."""
    return {person.name: {v.tobytes() for v in vectors} for person, vectors in gallery.known()}


def expected(people: list[str], first_seed: int = 0) -> dict[str, set[bytes]]:
    found: dict[str, set[bytes]] = {}
    for seed, name in enumerate(people, first_seed):
        found.setdefault(names.tidy(name), set()).add(somebody(seed).tobytes())
    return found


@given(st.lists(st.one_of(SIMILAR, ANY), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_different_names_are_different_people_with_valid_ids(people: list[str]) -> None:
    gallery = enrolled(people)
    assert whose(gallery) == expected(people)
    assert decode(encode(gallery), "it", None, NO_KEYS).people == gallery.people
    for person in gallery.people:
        assert gallery.named(person.name) is person
        assert len({person.id, *(p.id for p in gallery.people)}) == len(gallery.people)


@given(st.lists(SIMILAR, max_size=4), st.lists(SIMILAR, max_size=4), st.lists(SIMILAR, max_size=3))
@settings(max_examples=200, deadline=None)
def test_a_merge_gives_everybody_their_own_templates(base: list[str], mine: list[str], theirs: list[str]) -> None:
    before = enrolled(base)
    ours, other = before, before
    for seed, name in enumerate(mine, 100):
        ours = ours.with_templates(name, [somebody(seed)], [Template("m.jpg", 1.0, AT)], AT)
    for seed, name in enumerate(theirs, 200):
        other = other.with_templates(name, [somebody(seed)], [Template("t.jpg", 1.0, AT)], AT)
    wanted = expected(base)
    for more in (expected(mine, 100), expected(theirs, 200)):
        for name, vectors in more.items():
            wanted.setdefault(name, set()).update(vectors)
    for merged in (merge(ours, other, before), merge(ours, other)):
        assert whose(merged.gallery) == wanted and not merged.conflicts
        assert decode(encode(merged.gallery), "it", None, NO_KEYS).people == merged.gallery.people


def test_an_id_that_went_to_another_person_does_not_make_them_one() -> None:
    base = enrolled(["José"])
    theirs = base.without("jose", AT).with_templates("Jose", [somebody(9)], [Template("n.jpg", 1.0, AT)], AT)
    assert theirs.people[0].id == "jose"
    assert whose(merge(base, theirs, base).gallery) == {"Jose": {somebody(9).tobytes()}}
    assert whose(merge(base, theirs).gallery) == expected(["José"]) | {"Jose": {somebody(9).tobytes()}}


def test_somebody_renamed_on_one_side_stays_one_person() -> None:
    base = enrolled(["Ada", "Ben"])
    ada, ben = base.people
    header = msgspec.structs.replace(base.header, people=[msgspec.structs.replace(ada, name="Ada King"), ben])
    merged = merge(base, Gallery(header, base.embeddings), base)
    assert [(p.id, p.name) for p in merged.gallery.people] == [("ada", "Ada King"), ("ben", "Ben")]
    assert not merged.conflicts


@given(st.lists(SIMILAR.filter(lambda n: not n.startswith(".")), min_size=1, max_size=5, unique_by=names.tidy), SIMILAR)
@settings(max_examples=100, deadline=None)
def test_folders_of_similar_names_are_different_people_and_keep_their_ids(people: list[str], later: str) -> None:
    assume(names.tidy(later) not in map(names.tidy, people))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, name in enumerate(people):
            (root / f"{number}").mkdir()
            (root / f"{number}" / "person.yaml").write_text(msgspec.json.encode({"name": name}).decode())
        found = read_people(root, videos=False)
        assert not found.mistakes and len({p.id for p in found.people}) == len(people)
        earlier = Gallery.of(
            1,
            AT,
            EMPTY.header.embedder,
            DIMENSIONS,
            [(Person(p.id, p.name, [Template("a.jpg", 1.0, AT)]), [somebody(i)]) for i, p in enumerate(found.people)],
        )
        # It sorts before everybody.
        (root / "!").mkdir()
        (root / "!" / "person.yaml").write_text(msgspec.json.encode({"name": later}).decode())
        again = {p.name: p.id for p in read_people(root, videos=False, earlier=earlier).people}
        assert {name: again[name] for name in (p.name for p in found.people)} == {p.name: p.id for p in found.people}
        assert len(set(again.values())) == len(people) + 1


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for name, photo in {"Nguyễn Văn Hùng": OBAMA, "Nguyễn Văn Hưng": BIDEN}.items():
        (tmp_path / "people" / name).mkdir(parents=True)
        (tmp_path / "people" / name / "photo.jpg").write_bytes(photo.read_bytes())
    return tmp_path / "people"


def test_two_folders_with_one_slug_are_two_people(people: Path) -> None:
    output = people.parent / "family.whg"
    done = CliRunner().invoke(main, ["enroll", str(people), "-o", str(output)])
    assert done.exit_code == 0, done.output
    assert {p.name: len(p.templates) for p in open_gallery(output, None).people} == {
        "Nguyễn Văn Hùng": 1,
        "Nguyễn Văn Hưng": 1,
    }


def test_a_refused_folder_stops_nobody_else_unless_somebody_would_be_lost(people: Path) -> None:
    output = people.parent / "family.whg"
    (people / "\u202eeve").mkdir()
    done = CliRunner().invoke(main, ["enroll", str(people), "-o", str(output)])
    assert done.exit_code == 1 and "cannot be a person's name" in done.output
    assert "written without what these mistakes concern" in done.output
    assert len(open_gallery(output, None).people) == 2
    before = output.read_bytes()
    (people / "Nguyễn Văn Hưng" / "person.yaml").write_text("nom: x\n")
    lost = CliRunner().invoke(main, ["enroll", str(people), "-o", str(output)])
    assert lost.exit_code == 1 and "not written, because it would lose Nguyễn Văn Hưng (" in lost.output, lost.output
    assert output.read_bytes() == before
