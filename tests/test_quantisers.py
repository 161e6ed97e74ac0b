"""The table of quantisers: figures of each, those that fail, and interruptions, which lose nothing."""

import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from click.testing import CliRunner

from converter.datasets import DatasetError
from converter.graph import Graph
from converter.people_folder import photos_by_person
from converter.runner import Runner
from converter.sources import float_model, load_network
from converter.training.dataset import Dataset
from edge.errors import ModelError
from edge.faces.framing import Framing
from edge.models.card import InputSpec
from support.float_models import pictures, residual_network
from support.needed import TENSORFLOW
from tools.quantisers import __main__ as tool
from tools.quantisers import networks, without
from tools.quantisers import people as shares
from tools.quantisers.makers import MissingLibrary, fine_tuned, float32, library_int8, named, own, tensorflow_int8
from tools.quantisers.measuring import QuantiserRow, verification
from tools.quantisers.networks import QuantisedNetwork
from tools.quantisers.table import MeasuredNetwork, read_table, shown, write_table

pytestmark = TENSORFLOW

SPEC = InputSpec((1, 12, 12, 3), "rgb", 127.5, 127.5)
ROW = QuantiserRow(mean=1.0, least=1.0, area=0.9, accepted=0.5, bytes=4000, milliseconds=2.0, time=1.0)


def faces(people: int = 4, each: int = 3) -> Dataset:
    store = np.random.default_rng(1).integers(0, 256, (people * each, 12, 12, 3)).astype(np.uint8)
    person = np.repeat(np.arange(people), each).astype(np.int32)
    return Dataset(store, np.arange(people * each), person, [f"p{i}" for i in range(people)])


@pytest.fixture
def network(tmp_path: Path) -> QuantisedNetwork:
    """A small one with PReLU; it is in no file of Keras."""
    graph = residual_network()
    given = pictures(graph, 12)
    return QuantisedNetwork("tiny", None, graph.pack(), SPEC, Framing(None), given, faces(), tmp_path, tmp_path)


def refuses(_: QuantisedNetwork) -> bytes:
    raise AssertionError("no kernel for PRELU\nand a long dump")


def test_a_network_is_measured_beside_its_float_form(network: QuantisedNetwork) -> None:
    found = tool.measured(network, {"float32": float32, "int8-full": own("int8-full")}, 2)

    assert found.judges == "12 faces of 4 people"
    assert found.rows["float32"].mean == pytest.approx(1)
    assert found.rows["float32"].time == 1
    assert 0.8 < found.rows["int8-full"].mean < 1
    assert found.rows["int8-full"].least <= found.rows["int8-full"].mean
    assert found.rows["int8-full"].bytes < found.rows["float32"].bytes
    assert found.rows["int8-full"].milliseconds > 0


def test_a_quantiser_that_fails_is_shown_and_does_not_end_the_run(network: QuantisedNetwork) -> None:
    makers = {"float32": float32, "theirs": refuses, "broken": lambda _: b"no network", "int8": own("int8")}

    found = tool.measured(network, makers, 1)

    assert list(found.rows) == ["float32", "int8"]
    assert found.failed["theirs"] == "no kernel for PRELU"
    assert "broken" in found.failed
    assert "| tiny | theirs | failed: no kernel for PRELU |" in shown("tiny", found, "float32")


def test_without_the_float_form_there_is_nothing_to_compare_with(network: QuantisedNetwork) -> None:
    with pytest.raises(ModelError, match="tiny: no kernel for PRELU"):
        tool.measured(network, {"float32": refuses, "int8": own("int8")}, 1)


def test_files_of_an_earlier_run_are_used(network: QuantisedNetwork) -> None:
    tool.measured(network, {"float32": float32}, 1)

    found = tool.measured(network, {"float32": refuses}, 1)

    assert not found.failed


def test_losses_are_points_of_the_float_network() -> None:
    rows = {"float32": ROW, "int8": QuantiserRow(0.98765, 0.5, 0.8, 0.45, 1234, 1.5, 0.75)}

    lines = shown("tiny", MeasuredNetwork("12 faces of 4 people", 1, rows, {"library": "none"}), "float32").splitlines()

    assert lines[1] == "tiny, 12 faces of 4 people"
    assert lines[-2] == "| tiny | int8 | 0.98765 | 0.500 | 0.8000 | 45.0% | 5.0 | 1,234 | 1.50 | 0.75 |"
    assert len({line.count("|") for line in lines[3:]}) == 1


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = {"tiny": MeasuredNetwork("12 faces", 3, {"float32": ROW}, {"library": "not there"})}
    write_table(tmp_path, table)

    assert read_table(tmp_path) == table
    assert read_table(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize(
    ("runs", "quantisers", "answered"), [(3, ["float32"], True), (4, ["float32"], False), (3, ["float32", "a"], False)]
)
def test_figures_of_other_settings_and_failures_count_for_nothing(
    runs: int, quantisers: list[str], answered: bool
) -> None:
    found = MeasuredNetwork("12 faces", 3, {"float32": ROW}, {"a": "not there"})

    assert found.answers(quantisers, runs) == answered


def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, opened: Callable[..., Any], *names: str) -> str:
    monkeypatch.setattr(tool, "shared_out", lambda *_: (tmp_path, tmp_path))
    monkeypatch.setattr(tool, "photos_by_person", lambda _: {})
    monkeypatch.setattr(tool, "open_network", opened)
    monkeypatch.setattr(tool, "tensorflow_int8", float32)
    for maker in ("library_int8", "own", "fine_tuned"):
        monkeypatch.setattr(tool, maker, lambda _: float32)
    words = [str(tmp_path), str(tmp_path), *names, "--runs", "1"]
    return CliRunner().invoke(tool.main, words, catch_exceptions=False).output


def test_an_interrupted_run_keeps_what_it_measured_and_goes_on(
    network: QuantisedNetwork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[str] = []

    def opening(name: str, *_: Any) -> QuantisedNetwork:
        opened.append(name)
        if opened == ["mobilefacenet", "cnn"]:
            raise RuntimeError("power cut")
        return network._replace(name=name)

    with pytest.raises(RuntimeError, match="power cut"):
        run(monkeypatch, tmp_path, opening, "mobilefacenet", "cnn")
    assert list(json.loads((tmp_path / "table.json").read_bytes())) == ["mobilefacenet"]
    output = run(monkeypatch, tmp_path, opening, "mobilefacenet", "cnn")

    assert opened == ["mobilefacenet", "cnn", "cnn"]
    assert list(json.loads((tmp_path / "table.json").read_bytes())) == ["mobilefacenet", "cnn"]
    assert "| mobilefacenet | int8-full |" in output
    assert "| cnn | int8-full |" in output


def test_unknown_networks_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    output = run(monkeypatch, tmp_path, lambda *_: None, "resnet")

    assert "found resnet; allowed: mobilefacenet, cnn" in output


def test_the_library_is_asked_for_where_it_is_missing(network: QuantisedNetwork) -> None:
    with pytest.raises(MissingLibrary, match="pip install --target /nowhere --no-deps litert-quantizer"):
        library_int8(Path("/nowhere"))(network)


def test_the_library_is_given_a_network_with_names(network: QuantisedNetwork) -> None:
    """EfficientNetB0 has none, nor has the bundled file."""
    assert not Graph(network.content).model.signatureDefs
    content = named(network)

    from_litert = pytest.importorskip("ai_edge_litert.interpreter").Interpreter(model_content=content)
    picture = network.representative[0]
    given = from_litert.get_signature_runner("serving_default")(picture=picture)["vector"]
    unit = given[0] / np.linalg.norm(given)
    np.testing.assert_allclose(unit, Runner(network.content, "tiny")(picture), atol=1e-6)
    assert named(network._replace(content=content)) is content


def test_who_is_learnt_from_does_not_judge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shares, "LEAST_LEARNT", 3)
    monkeypatch.setattr(shares, "JUDGES", 4)
    for person in range(9):
        (tmp_path / f"images/p{person}").mkdir(parents=True)
        for photo in range(1 if person == 8 else 6):
            (tmp_path / f"images/p{person}/{photo}.jpg").touch()

    learnt, judges = (photos_by_person(f) for f in shares.shared_out(tmp_path / "images", tmp_path / "people"))
    again = shares.shared_out(tmp_path / "images", tmp_path / "people")

    assert (len(learnt), len(judges)) == (4, 4)
    assert not learnt.keys() & judges.keys()
    assert "p8" not in learnt.keys() | judges.keys()
    assert {len(photos) for photos in learnt.values()} == {5}
    assert {len(photos) for photos in judges.values()} == {4}
    assert [photos_by_person(folder) for folder in again] == [learnt, judges]


def test_too_few_people_are_counted(tmp_path: Path) -> None:
    (tmp_path / "images/ada").mkdir(parents=True)
    for photo in range(3):
        (tmp_path / f"images/ada/{photo}.jpg").touch()

    with pytest.raises(DatasetError, match="found 1 people with 3 photos or more; 110 are needed"):
        shares.shared_out(tmp_path / "images", tmp_path / "people")


def test_vectors_that_tell_people_apart_verify_perfectly() -> None:
    judges = faces()

    assert verification(np.eye(4, dtype=np.float32)[judges.person], judges) == (1.0, 1.0)
    assert verification(np.ones((12, 2), np.float32), judges) == (0.5, 0.0)


def test_an_interrupted_training_goes_on_and_a_failed_one_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = mock.Mock(return_value=mock.Mock(returncode=1))
    monkeypatch.setattr(networks.subprocess, "run", run)

    with pytest.raises(networks.WhosthereError, match=r"cnn: .* train .* failed"):
        networks.train("cnn", tmp_path, tmp_path)
    (tmp_path / "result.json").touch()
    networks.train("cnn", tmp_path, tmp_path)

    assert run.call_count == 1


def test_a_pass_is_left_out(network: QuantisedNetwork) -> None:
    """Afterwards it is back."""
    whole, bare = (case for case in without.CASES if case.label in {"fp32", "fp32, linear layers not merged"})

    before, left_out, after = (without.made_without(case, network) for case in (whole, bare, whole))

    assert before == after
    assert left_out != before


@pytest.mark.parametrize("case", without.CASES, ids=lambda case: case.label)
def test_what_is_left_out_is_where_the_table_of_passes_says(case: without.LeftOut) -> None:
    """A pass that moved elsewhere would not be left out at all."""
    for name, instead in case.instead.items():
        assert pkgutil.resolve_name(name) != instead


@pytest.fixture(scope="module")
def keras_network(tmp_path_factory: pytest.TempPathFactory) -> QuantisedNetwork:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Conv2D(8, 3, strides=2, activation="relu"), keras.layers.Flatten(), keras.layers.Dense(6)]
    folder = tmp_path_factory.mktemp("keras")
    keras.Sequential([keras.layers.Input((12, 12, 3)), *layers]).save(folder / "tiny.keras")
    content = float_model(folder / "tiny.keras")
    given = pictures(residual_network(), 12)
    model = load_network(folder / "tiny.keras")
    return QuantisedNetwork("tiny", model, content, SPEC, Framing(None), given, faces(), folder, folder)


@pytest.mark.slow
def test_tensorflow_quantises(keras_network: QuantisedNetwork) -> None:
    found = tool.measured(keras_network, {"float32": float32, "TensorFlow": tensorflow_int8}, 1)

    assert not found.failed
    assert found.rows["TensorFlow"].mean > 0.95
    assert found.rows["TensorFlow"].bytes < found.rows["float32"].bytes


@pytest.mark.slow
def test_ours_is_fine_tuned(keras_network: QuantisedNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    crops = mock.Mock(dataset=faces(8, 4), digest="random", unreadable=[], faceless=[])
    monkeypatch.setattr("converter.fine_tuning.photos.crop_all", lambda *_: crops)
    monkeypatch.setattr("converter.fine_tuning.photos.photos_by_person", lambda _: {})

    found = tool.measured(keras_network, {"float32": float32, "tuned": fine_tuned(1)}, 1)

    assert not found.failed
    assert found.rows["tuned"].mean > 0.95
