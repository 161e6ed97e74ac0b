"""Labels against the truth: on tables whose figures are known, on random ones, and from photo to figure."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.classifiers import CLASSIFIERS, compare
from converter.datasets import DatasetError
from converter.embeddings import EmbeddedFaces, FaceRecord
from converter.identification import Split
from converter.label_scores import STRANGER, LabelAnswer, Labelled, labelled, plot, read_rows, scores
from converter.people_archive import unpacked
from edge.__main__ import main as edge_main
from edge.commands.identify_rows import COLUMNS
from support.converting import run
from support.needed import SKLEARN
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, OBAMA_2009, OBAMA_2010

pytestmark = SKLEARN

NAMES = {"ada": "Ada", "ben": "Ben"}
ANSWERS = st.lists(st.tuples(st.sampled_from([*NAMES, STRANGER]), st.sampled_from([*NAMES, STRANGER])), min_size=1)


def answered(*pairs: tuple[str, str]) -> Labelled:
    return Labelled([LabelAnswer(f"{n}.jpg", *pair) for n, pair in enumerate(pairs)], dict(NAMES), [])


def test_the_figures_of_a_small_table() -> None:
    found = scores(answered(*[("ada", "ada")] * 3, ("ada", STRANGER), ("ben", "ada"), *[(STRANGER, STRANGER)] * 4,
                            (STRANGER, "ben")))  # fmt: skip

    assert (found.photos, found.accuracy) == (10, 0.7)
    assert found.matrix == [[3, 0, 1], [1, 0, 0], [0, 1, 4]]
    ada, ben, stranger = found.classes
    assert (ada.label, ada.photos, ada.precision, ada.recall, ada.f1) == ("Ada", 4, 0.75, 0.75, 0.75)
    assert ada.specificity == pytest.approx(5 / 6)
    assert (ben.precision, ben.recall, ben.specificity) == (0, 0, pytest.approx(8 / 9))
    assert (stranger.label, stranger.precision, stranger.recall) == (STRANGER, 0.8, 0.8)
    average, weighted = found.averages
    assert average.recall == pytest.approx((0.75 + 0 + 0.8) / 3)
    assert weighted.recall == pytest.approx(0.7)


@settings(deadline=None)
@given(ANSWERS)
def test_the_figures_are_those_of_their_definitions(pairs: list[tuple[str, str]]) -> None:
    found = scores(answered(*pairs))

    assert found.accuracy == pytest.approx(sum(t == g for t, g in pairs) / len(pairs))
    for label, score in zip([*NAMES, STRANGER], found.classes, strict=True):
        right = sum(t == g == label for t, g in pairs)
        own, said = sum(t == label for t, _ in pairs), sum(g == label for _, g in pairs)
        rejected = sum(label not in {t, g} for t, g in pairs)
        for figure, part, whole in (
            (score.precision, right, said),
            (score.recall, right, own),
            (score.specificity, rejected, len(pairs) - own),
        ):
            assert figure == (pytest.approx(part / whole) if whole else None)
    assert sum(map(sum, found.matrix)) == len(pairs)


@pytest.fixture(scope="module")
def identified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of two enrolled people and two strangers, and what identify says of them."""
    root = tmp_path_factory.mktemp("scored")
    photos = {"Barack Obama": [OBAMA_2009, OBAMA_2010], "joe-biden": [BIDEN], "Grace": [HOPPER], "Eileen": [COLLINS]}
    for name, own in photos.items():
        (root / "photos" / name).mkdir(parents=True)
        for number, photo in enumerate(own):
            (root / "photos" / name / f"{number}.jpg").write_bytes(photo.read_bytes())
    gallery = ["--gallery", str(root / "family.whg")]
    for person, photo in (("Barack Obama", OBAMA), ("Joe Biden", BIDEN)):
        done = CliRunner().invoke(edge_main, ["enroll", *gallery, "--person", person, str(photo)])
        assert done.exit_code == 0, done.output
    done = CliRunner().invoke(edge_main, ["identify", *gallery, "--csv", str(root / "who.csv"), str(root / "photos")])
    assert done.exit_code == 0, done.output
    return root


def test_from_photos_to_figures(identified: Path, tmp_path: Path) -> None:
    given = ["score", identified / "who.csv", "--truth", identified / "photos"]

    code, printed, said = run(*given, "--json", "--plot", tmp_path / "matrix.png")

    assert (code, said) == (0, "")
    result = json.loads(printed)
    assert (result["photos"], result["accuracy"]) == (5, 1.0)
    assert [(c["label"], c["photos"], c["f1"]) for c in result["classes"]] == [
        ("Barack Obama", 2, 1.0),
        ("Joe Biden", 1, 1.0),
        (STRANGER, 2, 1.0),
    ]
    assert cv2.imread(str(tmp_path / "matrix.png")) is not None
    assert run(*given, "--plot", tmp_path / "matrix.JPG")[0] == 0
    assert (tmp_path / "matrix.JPG").read_bytes().startswith(b"\xff\xd8"), "a JPEG, as its name says"
    code, _, said = run(*given, "--plot", tmp_path / "matrix.bmp")
    assert (code, "found 'matrix.bmp'; allowed: a name that ends in .png, .jpg, .svg, .pdf" in said) == (2, True)
    code, printed, _ = run(*given, "--gallery", identified / "family.whg")
    assert code == 0
    assert "5 files, accuracy 100.00%" in printed


@pytest.mark.parametrize("kind", ["gztar", "zip"])
@pytest.mark.parametrize("around", [True, False])
def test_an_archive_is_a_truth_as_its_folder_is(identified: Path, tmp_path: Path, kind: str, around: bool) -> None:
    base, within = (identified, "photos") if around else (identified / "photos", ".")
    archive = shutil.make_archive(str(tmp_path / "truth"), kind, base, within)

    code, printed, said = run("score", identified / "who.csv", "--truth", archive, "--json")

    assert (code, said) == (0, "")
    assert printed == run("score", identified / "who.csv", "--truth", identified / "photos", "--json")[1]


def test_only_what_an_archive_holds_has_a_truth(tmp_path: Path) -> None:
    (tmp_path / "photos" / "ada").mkdir(parents=True)
    (tmp_path / "photos" / "ada" / "1.jpg").write_bytes(b"a photo")
    archive = Path(shutil.make_archive(str(tmp_path / "truth"), "zip", tmp_path / "photos"))
    rows = [
        {"file": file, "outcome": "recognized", "person_id": "ada", "person_name": "Ada"}
        for file in ("elsewhere/ada/1.jpg", "ada/2.jpg", "1.jpg", "ada", "/")
    ]
    with unpacked(archive) as folder:
        found = labelled(rows, folder)
    assert found.answers == [LabelAnswer("elsewhere/ada/1.jpg", "ada", "ada")]
    assert found.unlisted == ["ada/2.jpg", "1.jpg", "ada", "/"]


def test_a_truth_in_a_file_and_what_it_does_not_say(identified: Path, tmp_path: Path) -> None:
    files = sorted({row["file"] for row in read_rows(identified / "who.csv")})
    truth = tmp_path / "truth.csv"
    told = [("Joe Biden" if "Barack" in f else "joe-biden" if "joe" in f else "unknown", f) for f in files[:-1]]
    with truth.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("person", "file"), *told])

    code, printed, said = run("score", identified / "who.csv", "--truth", truth, "--json")

    assert code == 0
    assert f"left out: {files[-1]}: --truth says nothing about it" in said
    result = json.loads(printed)
    assert result["photos"] == 4
    assert result["matrix"][1][0] == sum("Barack" in f for _, f in told)


@pytest.mark.parametrize(
    ("table", "truth", "said"),
    [
        ("file,who\na.jpg,Ada\n", "file,person\na.jpg,Ada\n", "who.csv: no column outcome, person_id, person_name"),
        ("", "file,person\na.jpg,Ada\n", "who.csv: no column file"),
        ("file\na\0.jpg\n", "file,person\na.jpg,Ada\n", "who.csv: found a zero byte"),
        (None, "file,person\na\0.jpg,Ada\n", "truth.csv: found a zero byte"),
        (None, "file\na.jpg\n", "truth.csv: found the columns file; `file` and `person` are needed"),
        (None, "file,person\nb.jpg,Ada\n", "says nothing about any of 1 files, such as a.jpg"),
        (None, "file,person\na.jpg,Ada\na.jpg,Ben\n", "truth.csv: line 3: a.jpg is listed twice"),
    ],
)
def test_bad_tables_are_one_clear_error(tmp_path: Path, table: str | None, truth: str, said: str) -> None:
    row = dict.fromkeys(COLUMNS, "") | {
        "file": "a.jpg",
        "outcome": "recognized",
        "person_id": "ada",
        "person_name": "Ada",
    }
    good = f"{','.join(row)}\n{','.join(row.values())}\n"
    (tmp_path / "who.csv").write_text(good if table is None else table, encoding="utf-8")
    (tmp_path / "truth.csv").write_text(truth, encoding="utf-8")

    code, _, printed = run("score", tmp_path / "who.csv", "--truth", tmp_path / "truth.csv")

    assert code == 1
    assert said in printed.replace("\n", " ")


def test_of_several_faces_the_largest_is_the_answer(tmp_path: Path) -> None:
    rows = [
        {"file": "a.jpg", "outcome": "recognized", "person_id": who, "person_name": who, "width_px": w, "height_px": w}
        for who, w in (("ada", "40"), ("ben", "90"), ("cy", "60"))
    ]
    (tmp_path / "truth.csv").write_text("file,person\na.jpg,ben\n", encoding="utf-8")

    assert labelled(rows, tmp_path / "truth.csv").answers == [LabelAnswer("a.jpg", "ben", "ben")]
    rows[1]["width_px"] = "wide"
    with pytest.raises(DatasetError, match=r"a\.jpg: found .*wide.*numbers are expected"):
        labelled(rows, tmp_path / "truth.csv")


def test_a_picture_of_any_labels() -> None:
    names = {"x": "$x^2_$", "y": "Nguyễn Văn Hùng"}
    assert plot(scores(Labelled([LabelAnswer("a", "x", "y")], names, []))).startswith(b"\x89PNG")


def test_classifiers_side_by_side() -> None:
    random = np.random.default_rng(0)
    centres = random.normal(size=(30, 32))
    records: dict[Path, FaceRecord] = {}
    people: dict[str, list[Path]] = {}
    for i, centre in enumerate(centres):
        for n in range(6):
            vector = centre + random.normal(0, 0.5, 32)
            path = Path(f"{i}/{n}.jpg")
            records[path] = FaceRecord((vector / np.linalg.norm(vector)).astype(np.float32).tobytes())
            people.setdefault(f"p{i}", []).append(path)
    records[Path("0/5.jpg")] = FaceRecord(b"")
    names = list(people)
    parts = Split(
        {n: people[n][:3] for n in names[:15]},
        {n: people[n][3:] for n in names[:15]},
        {n: people[n] for n in names[15:]},
    )

    found = compare(parts, EmbeddedFaces(records, 32))

    assert [result.classifier for result in found.results] == list(CLASSIFIERS)
    assert (found.people, found.templates, found.known_probes, found.unknown_probes, found.missed) == (
        15,
        45,
        45,
        90,
        1,
    )
    for result in found.results:
        assert 0.9 < result.rank_one <= 44 / 45, result.classifier
        assert result.identified > 0.5, result.classifier
        assert result.strangers_above == 0


def test_the_command_compares_classifiers(tmp_path: Path) -> None:
    for name, photos in {"a": [OBAMA, OBAMA_2009, OBAMA_2010], "b": [BIDEN], "c": [HOPPER]}.items():
        (tmp_path / "images" / name).mkdir(parents=True)
        for number, photo in enumerate(photos):
            (tmp_path / "images" / name / f"{number}.jpg").write_bytes(photo.read_bytes())
    given = ["classifiers", "--images", tmp_path / "images", "--cache", tmp_path / "cache", "--enroll", "1"]

    code, printed, said = run(*given, "--json")

    assert code == 1
    assert "two people or more must be enrolled, found 1" in said
    (tmp_path / "images" / "c" / "1.jpg").write_bytes(HOPPER.read_bytes())
    (tmp_path / "images" / "b" / "1.jpg").write_bytes(BIDEN.read_bytes())
    code, printed, said = run(*given, "--json")
    assert code == 0, said
    assert [result["rank_one"] for result in json.loads(printed)["results"]] == [1.0] * 4
