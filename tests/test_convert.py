"""From a trained network to files that the box runs: commands as they are typed, on real faces."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from converter.convert import VariantResult
from converter.profile import describe
from converter.rebatch import set_batch
from converter.runner import Runner
from converter.variant_accuracy import judged_by
from converter.variants import VARIANTS
from edge.__main__ import main as edge_main
from edge.config import typed_yaml
from edge.config.faces import DetectSettings, QualitySettings
from edge.config.sections import ModelSettings
from edge.errors import ModelError
from edge.faces.loading import load_analyser
from edge.faces.still_image import all_portraits
from edge.models import card
from edge.models.tflite import Model
from support import tiny_models
from support.converting import run
from support.float_models import Builder, residual_network
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, OBAMA_2009, OBAMA_2010, PORTRAITS, read_picture

EMBEDDER = card.BUNDLED / "mobilefacenet.tflite"
ALIGNED = ["--card", str(card.BUNDLED / "mobilefacenet.yaml")]


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled embedder in every variant but int16x8, for which reference kernels take seconds per face."""
    folder = tmp_path_factory.mktemp("converted")
    code, printed, said = run(
        "convert", EMBEDDER, "-o", folder, *ALIGNED, "--count", "12", "--variants", FAST, "--json"
    )
    assert code == 0, said
    (folder / "results.json").write_text(printed, encoding="utf-8")
    return folder


FAST = ",".join(v for v in VARIANTS if v != "int16x8")


@pytest.mark.slow(15)
def test_every_variant_is_near_float_and_in_one_delegate_node(converted: Path) -> None:
    results = {r["variant"]: r for r in json.loads((converted / "results.json").read_text(encoding="utf-8"))}

    assert list(results) == FAST.split(",")
    least = {"fp32": 0.999999, "fp16": 0.9999, "dynamic": 0.999, "int8": 0.997, "int8-full": 0.98}
    for variant, bound in least.items():
        result = results[variant]
        content = card.load(Path(result["card"]), "embed").content
        nodes, left_out, _ = describe(content, variant)
        assert result["mean_cosine"] > bound, variant
        assert (nodes, left_out) == (1, []), variant
    assert results["int8-full"]["not_for_edgetpu"] == []
    assert results["int8"]["bytes"] < 0.5 * EMBEDDER.stat().st_size


@pytest.mark.slow
def test_cards_carry_on_what_is_known_and_say_what_is_new(converted: Path) -> None:
    before = card.read_card(card.find("mobilefacenet"))

    for variant in FAST.split(","):
        after = card.read_card(converted / f"mobilefacenet-{variant}.yaml")
        assert (after.licence, after.origin, after.alignment) == (before.licence, before.origin, before.alignment)
        # Another file has other scores.
        assert after.calibration is None
        assert "cosine to float32" in after.measured
        assert (after.quantisation is not None) == (variant == "int8-full")
    whole = card.read_card(converted / "mobilefacenet-int8-full.yaml")
    assert whole.quantisation is not None
    assert whole.quantisation.input.type == whole.quantisation.output.type == "int8"
    assert "bundled portraits" in whole.measured["made from"]


@pytest.mark.parametrize(
    "variant",
    [pytest.param("dynamic", marks=pytest.mark.slow), "int8", pytest.param("int8-full", marks=pytest.mark.slow)],
)
def test_the_box_runs_them_and_knows_people(converted: Path, variant: str) -> None:
    models = ModelSettings(embedder=str(converted / f"mobilefacenet-{variant}.yaml"))
    analyser = load_analyser(models, DetectSettings(), QualitySettings())
    pictures = [OBAMA_2009, OBAMA_2010, PORTRAITS / "enroll" / "joe-biden" / "photo.jpg"]

    one, again, other = (all_portraits(analyser, read_picture(p))[0].embedding for p in pictures)

    assert one is not None and again is not None and other is not None
    assert float(one @ again) > 0.5
    assert float(one @ other) < 0.3


def test_identify_takes_the_card_from_the_config(converted: Path, tmp_path: Path) -> None:
    given = {"models": {"embedder": str(converted / "mobilefacenet-int8-full.yaml")}, "match": {"threshold": 0.45}}
    (tmp_path / "config.yaml").write_text(typed_yaml.dump(given), encoding="utf-8")
    common = ["--config", str(tmp_path / "config.yaml"), "--gallery", str(tmp_path / "people.whg")]
    enrolled = CliRunner().invoke(edge_main, ["enroll", *common, "--person", "Barack Obama", str(OBAMA)])
    assert enrolled.exit_code == 0, enrolled.output

    found = CliRunner().invoke(edge_main, ["identify", *common, str(OBAMA_2010), str(COLLINS), "--json"])

    assert found.exit_code == 0, found.output
    assert "Barack Obama" in found.stdout
    assert found.stdout.count('"recognized"') == found.stdout.count('"unknown"') == 1


@pytest.mark.slow
def test_a_second_run_keeps_what_is_there_and_mends_what_is_not(converted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    shutil.copytree(converted, folder)
    (folder / "mobilefacenet-fp16.tflite").write_bytes(b"cut off")
    before = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.tflite")}

    code, printed, _ = run("convert", EMBEDDER, "-o", folder, *ALIGNED, "--count", "12", "--variants", FAST, "--json")

    assert code == 0
    assert [r["variant"] for r in json.loads(printed) if not r["kept"]] == ["fp16"]
    changed = [p.name for p in folder.glob("*.tflite") if before[p.name] != p.stat().st_mtime_ns]
    assert changed == ["mobilefacenet-fp16.tflite"]
    assert (
        card.load(folder / "mobilefacenet-fp16.yaml", "embed").content
        == (converted / "mobilefacenet-fp16.tflite").read_bytes()
    )


def test_a_variant_below_the_limit_is_set_aside(tmp_path: Path) -> None:
    given = ["convert", EMBEDDER, "-o", tmp_path, *ALIGNED, "--count", "8", "--variants", "fp32,dynamic", "--json"]

    code, printed, said = run(*given, "--min-cosine", "0.99999")
    assert code == 4
    assert "not fit for use: dynamic: its mean cosine to float32 is 0.99" in said
    fine, unfit = json.loads(printed)
    assert (fine["unfit"], Path(fine["card"]).parent) == ("", tmp_path)
    assert Path(unfit["card"]).parent == tmp_path / "unfit"
    assert sorted(p.name for p in tmp_path.glob("*.*")) == ["mobilefacenet-fp32.tflite", "mobilefacenet-fp32.yaml"]

    code, printed, _ = run(*given, "--min-cosine", "0.99")
    assert code == 0
    assert [(r["kept"], r["unfit"], Path(r["card"]).parent) for r in json.loads(printed)] == [(True, "", tmp_path)] * 2
    assert not list((tmp_path / "unfit").iterdir())


def test_a_variant_that_cannot_be_made_does_not_stop_the_others(tmp_path: Path) -> None:
    builder = Builder()
    x = builder.conv(builder.input, 16, 3, 2)
    (tmp_path / "odd.tflite").write_bytes(builder.vector(builder.add("SIN", [x], builder.graph.shape(x))).pack())
    given = ["convert", tmp_path / "odd.tflite", "-o", tmp_path / "out", "--range", "-1..1", "--count", "8"]

    code, printed, said = run(*given)
    assert code == 0, said
    assert "int8-full is not fit for use: could not be made:" in printed.replace("\n", " ")
    assert {"odd-fp32.yaml", "odd-fp16.yaml", "odd-dynamic.yaml"} <= {p.name for p in (tmp_path / "out").iterdir()}
    code, _, said = run(*given, "--variants", "fp32,int8-full")
    assert code == 4
    assert "SIN" in said


def test_a_variant_that_costs_accuracy_is_set_aside(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, images = tmp_path / "out", tmp_path / "images"
    shutil.copytree(converted, folder)
    photos = {"Obama": [OBAMA, OBAMA_2009, OBAMA_2010], "Biden": [BIDEN], "Hopper": [HOPPER]}
    for name, own in photos.items():
        (images / name).mkdir(parents=True)
        for number, photo in enumerate(own, 1):
            shutil.copy(photo, images / name / f"{name}_{number:04}.jpg")
    lines = ["2\t1", "Obama\t1\t2", "Obama\t1\tBiden\t1", "Obama\t2\t3", "Obama\t2\tHopper\t1"]
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("\n".join(lines) + "\n", encoding="utf-8")
    given = ["convert", EMBEDDER, "-o", folder, *ALIGNED, "--count", "12", "--variants", "fp32,int8", "--json"]

    code, printed, said = run(*given, "--pairs", pairs, "--images", images)

    assert code == 0, said
    assert [(r["accuracy"], r["unfit"]) for r in json.loads(printed)] == [(1.0, "")] * 2
    code, _, said = run(*given, "--pairs", pairs)
    assert code == 2
    assert "--images" in said


def test_accuracy_below_that_of_float32_makes_a_variant_unfit(converted: Path, tmp_path: Path) -> None:
    shutil.copytree(converted, tmp_path / "out")
    fp32, int8 = (str(tmp_path / "out" / f"mobilefacenet-{variant}.yaml") for variant in ("fp32", "int8"))
    results = [VariantResult("fp32", card=fp32), VariantResult("int8", card=int8), VariantResult("fp16", unfit="x")]

    judged = judged_by({"fp32": 0.99, "int8": 0.98}, results, 0.005)

    assert [(r.variant, r.unfit) for r in judged] == [
        ("fp32", ""),
        ("int8", "its accuracy is lower by 1.00% of the pairs; at most 0.50% is allowed"),
        ("fp16", "x"),
    ]
    assert Path(judged[1].card) == tmp_path / "out" / "unfit" / "mobilefacenet-int8.yaml"
    assert card.load(Path(judged[1].card), "embed").card.name == "mobilefacenet-int8"
    assert judged_by({"fp32": 0.99, "int8": 0.985}, [*results[:1], judged[1]], 0.005)[0].unfit == ""


def test_a_model_for_several_pictures_is_made_one_for_a_single_one(tmp_path: Path) -> None:
    (tmp_path / "eight.tflite").write_bytes(set_batch(EMBEDDER.read_bytes(), 8))

    code, printed, said = run(
        "convert", tmp_path / "eight.tflite", "-o", tmp_path, *ALIGNED, "--count", "8", "--variants", "fp32", "--json"
    )

    assert code == 0, said
    made = Runner(card.load(Path(json.loads(printed)[0]["card"]), "embed").content, "made")
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 112, 112, 3)).astype(np.float32)
    assert float(made(picture) @ Runner(EMBEDDER.read_bytes(), "bundled")(picture)) > 0.999999


@pytest.mark.slow
def test_a_full_disk_is_one_error_and_leaves_no_partial_files(tmp_path: Path) -> None:
    given = ["convert", str(EMBEDDER), "-o", str(tmp_path), *ALIGNED, "--count", "8", "--variants", "fp32,dynamic"]
    # Python ignores the signal of this limit, and gets an error such as that of a full disk.
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000)); {START}"

    done = subprocess.run([sys.executable, "-c", limited, *given], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.strip().endswith("File too large")
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
    again = subprocess.run([sys.executable, "-c", START, *given], capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr


START = "from converter.__main__ import main; main()"


def test_a_card_of_another_file_is_refused(converted: Path, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    shutil.copy(converted / "mobilefacenet-int8-full.tflite", tmp_path)
    text = (converted / "mobilefacenet-int8-full.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("type: int8", "type: uint8", 1), encoding="utf-8")

    with pytest.raises(ModelError, match=r"input is int8.*card says uint8"):
        Model(path, "embed")


def bad_vector(_: Path) -> list[str | Path]:
    return [card.BUNDLED / "face_landmark.tflite", "--range", "0..1"]


def bad_weights(folder: Path) -> list[str | Path]:
    graph = residual_network()
    first = graph.operators[0]
    graph.replace(first, 1, np.full_like(graph.weights(first, 1), np.nan))
    (folder / "nan.tflite").write_bytes(graph.pack())
    return [folder / "nan.tflite", "--range", "-1..1"]


def no_faces(folder: Path) -> list[str | Path]:
    (folder / "blank").mkdir()
    cv2.imwrite(str(folder / "blank" / "grey.png"), np.full((200, 200, 3), 90, np.uint8))
    (folder / "blank" / "cut.jpg").write_bytes(OBAMA_2009.read_bytes()[:500])
    return [EMBEDDER, *ALIGNED, "--faces", folder / "blank"]


def no_pictures(folder: Path) -> list[str | Path]:
    (folder / "empty").mkdir()
    return [EMBEDDER, *ALIGNED, "--faces", folder / "empty"]


def another_card(folder: Path) -> list[str | Path]:
    text = (card.BUNDLED / "mobilefacenet.yaml").read_text(encoding="utf-8")
    (folder / "card.yaml").write_text(text.replace("112, 112, 3]", "160, 160, 3]"), encoding="utf-8")
    return [EMBEDDER, "--card", folder / "card.yaml"]


def quantised(folder: Path) -> list[str | Path]:
    (folder / "int.tflite").write_bytes(tiny_models.identity(quantised=True))
    return [folder / "int.tflite", "--range", "0..1"]


def quantised_inside(folder: Path) -> list[str | Path]:
    return [card.BUNDLED / "mobilefacenet-int8.tflite", *ALIGNED]


def not_a_model(folder: Path) -> list[str | Path]:
    (folder / "text.tflite").write_text("hello", encoding="utf-8")
    return [folder / "text.tflite", "--range", "0..1"]


def another_kind(folder: Path) -> list[str | Path]:
    (folder / "notes.txt").write_text("hello", encoding="utf-8")
    return [folder / "notes.txt", "--range", "0..1"]


@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        (bad_vector, 4, "outputs; an embedder has one"),
        (bad_weights, 4, "not finite"),
        (no_faces, 1, "no face in any of 2 photos, 1 of which"),
        (no_pictures, 1, "no photos found"),
        (another_card, 4, "(1, 160, 160, 3), but it takes (1, 112, 112, 3)"),
        (quantised, 4, "not float32"),
        (quantised_inside, 4, "it is quantised already:"),
        (not_a_model, 4, "not a TFLite model"),
        (another_kind, 4, "or a .tflite file; of ONNX and PyTorch: .onnx, .pt,"),
        (lambda _: [EMBEDDER], 2, "--range"),
        (lambda _: [EMBEDDER, *ALIGNED, "--channels", "grey"], 4, "takes 3 channels"),
        (lambda _: [EMBEDDER, *ALIGNED, "--variants", "int4"], 2, "int4 found; allowed: fp32"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_bad_input_is_one_clear_error(
    tmp_path: Path, make: Callable[[Path], list[str | Path]], code: int, said: str
) -> None:
    found, _, printed = run("convert", *make(tmp_path), "-o", tmp_path / "out", "--count", "8")

    assert found == code
    assert said in printed.replace("\n", " ")
    assert not list((tmp_path / "out").glob("*.yaml"))


def test_profile_puts_models_side_by_side(converted: Path) -> None:
    cards = [converted / f"mobilefacenet-{v}.yaml" for v in ("fp32", "int8-full")]

    code, printed, said = run("profile", "mobilefacenet", *cards, "--threads", "1,2", "--runs", "3", "--json")

    assert code == 0, said
    original, simplified, whole = json.loads(printed)["models"]
    assert original["relative"] == {"1": 1.0, "2": 1.0}
    assert 215e6 < original["multiplications"] < 225e6
    assert simplified["multiplications"] == original["multiplications"] == whole["multiplications"]
    assert [m["nodes"] for m in (original, simplified, whole)] == [1, 1, 1]
    assert all(m["ms"]["1"] > 0 and m["memory_mb"] > 0 for m in (original, simplified, whole))
    _, printed, _ = run("profile", cards[1], "--threads", "1", "--runs", "3")
    assert printed.count("mobilefacenet-int8-full ") == 2, "names are whole in both tables"


def test_profile_on_a_box_sends_all_that_it_needs(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell in place of the box: `ssh` runs here what it would run there."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\ncd / && exec sh -c "$3"\n', encoding="utf-8")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    common = ["profile", converted / "mobilefacenet-int8.yaml", "--host", "box", "--runs", "3", "--threads", "1"]
    code, printed, said = run(*common, "--python", sys.executable, "--json")
    assert code == 0, said
    assert json.loads(printed)["models"][0]["ms"]["1"] > 0

    code, _, said = run(*common, "--python", "python-that-is-not-there")
    assert code == 1
    assert "--python names a Python" in said
