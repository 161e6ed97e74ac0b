"""Published evaluation data: verification packs, and templates of several pictures."""

import json
import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.__main__ import main
from converter.datasets import DatasetError
from converter.embeddings import EmbeddedFaces, FaceRecord
from converter.packs import FOLDS, read_pack
from converter.template_sets import read_template_set, verify_templates
from edge.models import card
from support.placed_faces import IJB_PAIRS, PAIRS, make_pack, make_template_set

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def as_array(content: bytes) -> Any:
    return np.frombuffer(content, np.uint8)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packs") / "small.bin"
    make_pack(path)
    return path


@pytest.mark.parametrize(("form", "protocol"), [(bytes, 0), (bytes, 2), (bytes, 4), (as_array, 2), (as_array, 4)])
def test_a_pack_is_read_whatever_wrote_it(
    form: Callable[[bytes], Any], protocol: int, pack: Path, tmp_path: Path
) -> None:
    make_pack(tmp_path / "small.bin", form, protocol)
    found, wanted = read_pack(tmp_path / "small.bin"), read_pack(pack)
    assert [pair.same for pair in found.pairs] == [same for *_, same in PAIRS]
    assert [crop.content for crop in found.crops] == [crop.content for crop in wanted.crops]


def test_flags_may_be_numpy_scalars_and_folds_are_contiguous(tmp_path: Path) -> None:
    path, flags = tmp_path / "many.bin", [np.bool_(i % 3 == 0) for i in range(25)]
    path.write_bytes(pickle.dumps([[PNG] * 50, flags], 2))
    found = read_pack(path)
    assert [pair.same for pair in found.pairs] == [bool(flag) for flag in flags]
    folds = [pair.fold for pair in found.pairs]
    assert folds == sorted(folds) and set(folds) == set(range(FOLDS))
    assert found.pairs[3].first.name == "00006" and found.pairs[3].second.name == "00007"


class Hostile:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._path}",)


@pytest.mark.parametrize("place", ["crop", "flag", "whole"])
def test_a_pack_that_would_run_code_is_refused_and_runs_nothing(place: str, tmp_path: Path) -> None:
    path, trace = tmp_path / "x.bin", tmp_path / "trace"
    bad = Hostile(trace)
    path.write_bytes(pickle.dumps({"crop": ([bad, PNG], [True]), "flag": ([PNG, PNG], [bad]), "whole": bad}[place], 2))
    result = run("evaluate-packs", path)
    assert result.exit_code == 1
    assert re.search(r"x\.bin: no verification pack, .*it would call (posix|os)\.system", result.output)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (([PNG] * 3, [True]), "3 crops and 1 flags found; two crops per flag are expected"),
        (([], []), "0 crops and 0 flags"),
        ({"a": 1}, "a list of crops and a list of flags are expected, found dict"),
        (([b"GIF", PNG], [True]), "crop 0 is no encoded picture; found bytes"),
        (([PNG, 7], [True]), "crop 1 is no encoded picture; found int"),
    ],
)
def test_what_is_no_pack_is_named_with_what_was_found(content: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(pickle.dumps(content, 2))
    with pytest.raises(DatasetError, match=re.escape(said)) as caught:
        read_pack(path)
    assert str(path) in str(caught.value)


@settings(deadline=None, max_examples=300)
@given(damage=st.one_of(st.binary(max_size=200), st.tuples(st.integers(0, 400), st.integers(0, 255))))
def test_a_damaged_pack_is_an_error_and_never_a_traceback(
    damage: bytes | tuple[int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.bin"
    whole = bytearray(pickle.dumps(([as_array(PNG), PNG], [np.bool_(1)]), 2))
    if isinstance(damage, bytes):
        whole = bytearray(damage)
    else:
        whole[damage[0] % len(whole)] = damage[1]
    path.write_bytes(whole)
    try:
        read_pack(path)
    except DatasetError as error:
        assert str(path) in str(error)


def test_models_are_compared_on_packs(pack: Path, tmp_path: Path) -> None:
    table = run("evaluate-packs", pack, "--model", "mobilefacenet", "--model", "mobilefacenet-int8", "--no-cache")
    assert table.exit_code == 0, table.output
    assert "small: 2 pairs of one person, 2 of two, 4 folds" in table.output
    result = run("evaluate-packs", pack, "--no-cache", "--json")
    found = json.loads(result.stdout)["mobilefacenet"]["small"]
    assert found["area_under_curve"] == 1.0
    assert found["missed"] == []


def test_figures_are_recorded_in_the_card(pack: Path, tmp_path: Path) -> None:
    bundled = card.find("mobilefacenet")
    for file in (bundled, bundled.with_suffix(".tflite")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    mine = tmp_path / bundled.name
    assert run("evaluate-packs", pack, "--model", mine, "--no-cache", "--record").exit_code == 0
    assert "over 4 folds, 4 pairs" in card.read_card(mine).measured["verification on small"]


def test_templates_are_compared_by_their_media(tmp_path: Path) -> None:
    make_template_set(tmp_path)
    result = run(
        "evaluate-templates", "--lists", tmp_path / "meta", "--images", tmp_path / "images", "--no-cache", "--json"
    )
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)
    assert (found["templates"], found["pictures"], found["genuine"], found["impostors"]) == (
        4,
        5,
        1,
        len(IJB_PAIRS) - 1,
    )
    assert found["area_under_curve"] == 1.0
    (tmp_path / "images" / "5.jpg").write_bytes(b"damaged")
    again = run("evaluate-templates", "--lists", tmp_path / "meta", "--images", tmp_path / "images", "--no-cache")
    assert "1 picture cannot be read; 1 template left empty" in again.output


def test_a_long_video_counts_as_much_as_one_picture(tmp_path: Path) -> None:
    """Template 2 has one picture like template 1, and a video of many that are not."""
    make_template_set(tmp_path)
    meta = tmp_path / "meta"
    lines = ["1.jpg 1 1", "2.jpg 2 2", "3.jpg 2 3", "4.jpg 2 3", "5.jpg 3 4", "5.jpg 4 5"]
    (meta / "small_face_tid_mid.txt").write_text("\n".join(lines) + "\n")
    (meta / "small_template_pair_label.txt").write_text("1 3 1\n1 2 0\n")
    sets = read_template_set(meta, tmp_path / "images")
    axes = np.eye(3, dtype=np.float32)
    rows = {"1.jpg": axes[0], "2.jpg": axes[0], "3.jpg": axes[1], "4.jpg": axes[1], "5.jpg": axes[2]}
    faces = EmbeddedFaces({Path(name): FaceRecord(row.tobytes()) for name, row in rows.items()}, 3)
    # (1, 0, 0) against (1, 1, 0) of length one. By pictures it would be (1, 2, 0): 0.447.
    assert verify_templates("x", sets, faces).operating[0].threshold == pytest.approx(2**-0.5)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("small_face_tid_mid.txt", "1.jpg 1\n", "line 1: 3 fields are expected, found 2"),
        ("small_face_tid_mid.txt", "9.jpg 1 1\n", "line 1: '9.jpg' is not in the list of points"),
        ("small_face_tid_mid.txt", "1.jpg one 1\n", "line 1: a number is expected, found 'one'"),
        ("small_template_pair_label.txt", "1 2 1\n1 3 2\n", "line 2: 1 for one person or 0 for two is expected"),
        ("small_template_pair_label.txt", "1 9 1\n", "line 1: template 9 has no picture"),
        ("small_template_pair_label.txt", "1 2 1\n", "pairs of one person and of two are needed; found 1"),
        ("small_name_5pts_score.txt", "1.jpg" + " 1" * 9 + " x 1\n", "line 1: ten numbers are expected"),
        ("small_name_5pts_score.txt", "1.jpg" + " 1" * 9 + " nan 1\n", "line 1: ten numbers are expected"),
        ("small_name_5pts_score.txt", "../1.jpg" + " 1" * 11 + "\n", "'../1.jpg'"),
    ],
)  # fmt: skip
def test_a_list_in_another_form_is_named_with_its_line(file: str, content: str, said: str, tmp_path: Path) -> None:
    make_template_set(tmp_path)
    meta = tmp_path / "meta"
    path = meta / file
    path.write_text(content)
    if file.endswith("5pts_score.txt"):
        (meta / "small_face_tid_mid.txt").write_text(f"{content.split(maxsplit=1)[0]} 1 1\n")
        (meta / "small_template_pair_label.txt").write_text("1 1 1\n1 1 0\n")
    with pytest.raises(DatasetError, match=re.escape(said)):
        read_template_set(meta, tmp_path / "images")


def test_a_missing_list_or_picture_is_named(tmp_path: Path) -> None:
    make_template_set(tmp_path)
    (tmp_path / "images" / "2.jpg").unlink()
    with pytest.raises(DatasetError, match=r"1 of the pictures listed do not exist: 2\.jpg"):
        read_template_set(tmp_path / "meta", tmp_path / "images")
    (tmp_path / "meta" / "small_face_tid_mid.txt").unlink()
    with pytest.raises(DatasetError, match=r"one file \*face_tid_mid\.txt is expected, found 0"):
        read_template_set(tmp_path / "meta", tmp_path / "images")
