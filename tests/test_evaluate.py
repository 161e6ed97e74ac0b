"""The verification protocol on scores whose answers are known, and the command on real pictures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.__main__ import main
from converter.datasets import DatasetError, PicturePair
from converter.embeddings import EmbeddedFaces, FaceRecord
from converter.verification import (
    NO_FACE_SIMILARITY,
    accuracy_by_fold,
    area_under_curve,
    best_threshold,
    equal_error_rate,
    operating_point,
    similarities,
    subset,
    verify,
)
from edge.models import card
from support import small_lfw
from support.portraits import BIDEN

SCORES = np.array([0.9, 0.8, 0.7, 0.3, 0.6, 0.2, 0.1, 0.0])
SAME = np.array([True] * 4 + [False] * 4)


def test_the_best_threshold_tells_most_pairs_rightly() -> None:
    threshold = best_threshold(SCORES, SAME)

    assert 0.6 < threshold < 0.7 or 0.2 < threshold < 0.3
    assert ((threshold < SCORES) == SAME).sum() == 7


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=25))
def test_no_other_threshold_is_better(rows: list[tuple[int, bool]]) -> None:
    scores, same = np.array([s / 6 for s, _ in rows]), np.array([g for _, g in rows])

    right = ((scores > best_threshold(scores, same)) == same).sum()

    assert right == max(((scores > t) == same).sum() for t in np.linspace(-0.25, 1.25, 91))


def test_each_fold_is_judged_by_the_threshold_of_the_others() -> None:
    # In fold 0 everything is 0.5 higher: the other fold's threshold is wrong for it.
    scores = np.array([0.95, 0.9, 0.75, 0.7, 0.4, 0.35, 0.2, 0.1])
    same = np.array([True, True, False, False] * 2)
    folds = np.array([0] * 4 + [1] * 4)

    accuracies, thresholds = accuracy_by_fold(scores, same, folds)

    assert accuracies == [0.5, 0.5]
    assert 0.75 < thresholds[1] < 0.9
    assert 0.2 < thresholds[0] < 0.35


def test_one_fold_or_one_kind_of_pair_is_not_enough() -> None:
    for same, folds in ((SAME, np.zeros(8)), (np.ones(8, bool), np.arange(8))):
        with pytest.raises(DatasetError, match="at least two folds"):
            accuracy_by_fold(SCORES, same, folds)


def test_operating_points_let_no_more_impostors_through_than_they_may() -> None:
    generator = np.random.default_rng(0)
    scores = np.concatenate([generator.normal(0.6, 0.15, 1000), generator.normal(0, 0.15, 1000)])
    same = np.repeat([True, False], 1000)

    for rate, above in ((0.1, 100), (0.01, 10), (1e-3, 1), (1e-4, 0)):
        point = operating_point(scores, same, rate)
        assert (point.impostors_above, (scores[~same] > point.threshold).sum()) == (above, above)
        assert point.true_accept_rate == (scores[same] > point.threshold).mean()


def test_curves_of_perfect_chance_and_partial_scores() -> None:
    perfect, chance = np.where(SAME, 1.0, 0.0), np.zeros(8)

    assert (area_under_curve(perfect, SAME), equal_error_rate(perfect, SAME)) == (1, 0)
    assert (area_under_curve(chance, SAME), equal_error_rate(chance, SAME)) == (0.5, 0.5)
    assert area_under_curve(SCORES, SAME) == 15 / 16
    assert equal_error_rate(SCORES, SAME) == 0.25


def records(**vectors: list[float]) -> EmbeddedFaces:
    rows = {Path(name): FaceRecord(np.array(v, np.float32).tobytes()) for name, v in vectors.items()}
    return EmbeddedFaces(rows, 2)


def test_a_missed_face_counts_against_and_is_never_dropped() -> None:
    embedded = records(a=[1, 0], b=[1, 0], c=[0, 1], missed=[])
    names = [("a", "b", True), ("a", "missed", True), ("a", "c", False), ("missed", "c", False)]
    pairs = [PicturePair(Path(x), Path(y), same, i % 2) for i, (x, y, same) in enumerate(names * 2)]

    result = verify(pairs, embedded)

    assert similarities(pairs[:4], embedded, embedded).tolist() == [1, NO_FACE_SIMILARITY, 0, NO_FACE_SIMILARITY]
    assert (result.genuine, result.impostors, result.pairs_missed, result.missed) == (4, 4, 4, ["missed"])
    assert result.operating[0].true_accept_rate == 0.5
    assert result.accuracy == 0.75


def test_a_subset_takes_as_many_of_each_kind_and_fold() -> None:
    pairs = [PicturePair(Path(f"{i}"), Path("x"), i % 20 < 10, i // 20) for i in range(60)]

    some = subset(pairs, 4)

    assert [(p.fold, p.same) for p in some] == [(f, s) for f in range(3) for s in (True, False) for _ in range(4)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Portraits under names as in LFW, two folds of pairs, and a copy of the embedder and its card."""
    small_lfw.make(tmp_path / "small")
    for path in card.BUNDLED.glob("mobilefacenet.*"):
        shutil.copy(path, tmp_path)
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    small = folder / "small"
    common = ["--images", str(small / "images"), "--cache", str(folder / "cache")]
    model = ["--model", str(folder / "mobilefacenet.yaml")]
    result = CliRunner().invoke(main, [*arguments, *common, *model])
    return result.exit_code, result.stdout if result.exit_code == 0 else result.output


def test_the_command_measures_and_records(folder: Path) -> None:
    pairs = ["--pairs", str(folder / "small" / "pairs.txt")]
    before = card.read_card(folder / "mobilefacenet.yaml")

    code, printed = run(folder, "evaluate", *pairs, "--json", "--record")

    result = json.loads(printed)
    assert code == 0
    assert (result["genuine"], result["impostors"], result["accuracy"], result["missed"]) == (2, 2, 1.0, [])
    after = card.read_card(folder / "mobilefacenet.yaml")
    assert "accuracy 100.00%" in after.measured["verification on small, blazeface-back"]
    assert after.calibration == before.calibration
    assert set(before.measured) < set(after.measured)
    # Every comment of the card is still there.
    for line in (card.BUNDLED / "mobilefacenet.yaml").read_text(encoding="utf-8").splitlines():
        assert "#" not in line or line in (folder / "mobilefacenet.yaml").read_text(encoding="utf-8")


def test_what_was_embedded_is_remembered_by_content(folder: Path) -> None:
    pairs = ["--pairs", str(folder / "small" / "pairs.txt"), "--json"]
    first = run(folder, "evaluate", *pairs)
    (kept,) = (folder / "cache").glob("*.msgpack")
    written = kept.stat().st_mtime_ns

    assert run(folder, "evaluate", *pairs) == first
    assert kept.stat().st_mtime_ns == written
    # Other pictures under the same names are other pictures.
    for picture in (folder / "small" / "images").glob("*/*.jpg"):
        shutil.copy(BIDEN, picture)
    assert run(folder, "evaluate", *pairs) != first
    kept.write_bytes(b"damaged")
    assert run(folder, "evaluate", *pairs)[0] == 0


@pytest.mark.parametrize(
    ("harm", "code", "said"),
    [
        (lambda f: (f / "small/images/Joe_Biden/Joe_Biden_0001.jpg").unlink(), 1, "Joe_Biden_0001.jpg"),
        (lambda f: (f / "small/pairs.txt").write_text("no"), 1, "pairs.txt: line 1"),
        (lambda f: (f / "mobilefacenet.tflite").unlink(), 4, "mobilefacenet.tflite"),
        (lambda f: (f / "mobilefacenet.yaml").unlink(), 4, "mobilefacenet.yaml"),
        (lambda f: (f / "small/pairs.txt").unlink(), 2, "pairs.txt"),
    ],
    ids=["picture missing", "no list", "model missing", "card missing", "list missing"],
)
def test_bad_input_ends_with_a_message_and_the_code_of_its_kind(
    folder: Path, harm: object, code: int, said: str
) -> None:
    assert callable(harm)
    harm(folder)

    found, printed = run(folder, "evaluate", "--pairs", str(folder / "small" / "pairs.txt"))

    assert found == code
    assert said in printed.replace("\n", "")
    assert "Traceback" not in printed


def test_every_command_explains_itself() -> None:
    listing = CliRunner().invoke(main, ["--help"])
    commands = ["import", "convert", "profile", "report", "evaluate", "calibrate", "evaluate-detection", "degrade"]

    assert listing.exit_code == 0
    for name in commands:
        assert name in listing.output
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0
    assert CliRunner().invoke(main, ["train-everything"]).exit_code == 2


def test_models_side_by_side_look_for_each_face_once(folder: Path) -> None:
    pairs = ["--pairs", str(folder / "small" / "pairs.txt"), "--json"]
    alone = json.loads(run(folder, "evaluate", *pairs)[1])

    code, printed = run(folder, "evaluate", *pairs, "--model", "mobilefacenet")

    assert code == 0
    bundled, copied = json.loads(printed)
    assert bundled["model"] == "mobilefacenet"
    assert copied == alone
    assert bundled["operating"] == alone["operating"]
    assert alone["in_force"]["true_positives"] == alone["genuine"]
    assert alone["in_force"]["false_positives"] == 0
    assert sum(alone["histogram"]["impostors"]) == alone["impostors"]


def test_absent_pictures_are_left_out_only_when_that_is_allowed(folder: Path) -> None:
    (folder / "small" / "images" / "Grace_Hopper" / "Grace_Hopper_0001.jpg").unlink()
    pairs = ["--pairs", str(folder / "small" / "pairs.txt"), "--json"]

    refused, printed = run(folder, "evaluate", *pairs)
    assert refused == 1
    assert "1 of the pictures listed do not exist" in printed
    with_rest = run(folder, "evaluate", *pairs, "--allow-missing")

    # What is left has pairs of one kind in the second fold only; the protocol still runs.
    result = json.loads(with_rest[1])
    assert (result["genuine"], result["impostors"], result["left_out"]) == (2, 1, ["Grace_Hopper_0001.jpg"])


@pytest.mark.parametrize("kind", ["--pairs", "--identify"])
def test_a_picture_that_cannot_be_read_is_listed_and_stops_nothing(folder: Path, kind: str) -> None:
    given = ["--pairs", str(folder / "small" / "pairs.txt")] if kind == "--pairs" else [kind]
    (folder / "small" / "images" / "Joe_Biden" / "Joe_Biden_0001.jpg").write_bytes(b"no")

    common = ["--images", str(folder / "small" / "images"), "--cache", str(folder / "cache")]
    for _ in ("new", "kept"):
        result = CliRunner().invoke(main, ["evaluate", *common, *given, "--json"])

        assert result.exit_code == 0, result.output
        assert "Joe_Biden_0001.jpg: not an image in a supported format" in result.stderr
        missed = json.loads(result.stdout)["missed"]
        assert missed == (["Joe_Biden_0001.jpg"] if kind == "--pairs" else 1)


def test_pairs_or_identification_and_not_both(folder: Path) -> None:
    code, printed = run(folder, "evaluate")
    assert code == 1, printed
    assert "people with photos: found 4, 1 of them with two or more; to draw pairs" in printed
    assert run(folder, "evaluate", "--identify", "--pairs", str(folder / "small" / "pairs.txt"))[0] == 2


def test_identification_enrols_some_and_asks_for_others(folder: Path) -> None:
    code, printed = run(folder, "evaluate", "--identify", "--json")

    result = json.loads(printed)
    assert code == 0
    # Obama alone has more than one picture.
    assert (result["people"], result["templates"], result["known_probes"], result["unknown_probes"]) == (1, 1, 2, 3)
    assert result["rank_one"] == 1.0
    assert [r["identified"] for r in result["rates"]] == [1.0, 1.0]
