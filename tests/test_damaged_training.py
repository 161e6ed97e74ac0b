"""What a training keeps between its runs, damaged: said with the way out, or made again; never a traceback."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter.input_spec import PIXELS
from converter.training import history, state
from converter.training.crops import crop_all, stored
from converter.training.history import Epoch
from converter.training.teacher import Teacher, teach
from edge.errors import UsageError
from edge.models.card import InputSpec
from support.fuzzing import cases
from support.needed import TENSORFLOW
from support.portraits import HOPPER, OBAMA
from support.training import train_tiny

pytestmark = TENSORFLOW


def a_state(path: Path) -> bytes:
    with path.open("wb") as file:
        np.savez(file, epoch=np.array(3), v0=np.arange(40, dtype=np.float32), v1=np.ones((3, 3), np.float32))
    return path.read_bytes()


def test_a_damaged_state_is_one_message(tmp_path: Path) -> None:
    path, noise = tmp_path / "state.npz", random.Random(5)
    whole = a_state(path)
    assert state.epochs_done(path) == 3
    for number in range(cases(300)):
        at = noise.randrange(len(whole))
        changed = bytearray(whole[:at] if number % 2 else whole)
        if not number % 2:
            changed[at : at + noise.randrange(1, 30)] = bytes(noise.randrange(1, 30))
        path.write_bytes(changed)
        try:
            state.epochs_done(path)
        except UsageError as error:
            assert str(error).startswith(f"{path}: ") and "--restart" in str(error)


@pytest.mark.parametrize("arrays", [{"v0": np.ones(3)}, {"epoch": np.ones(3)}, {"epoch": np.array(1), "w": np.ones(3)}])
def test_a_state_of_something_else_is_refused(arrays: dict[str, Any], tmp_path: Path) -> None:
    keras = pytest.importorskip("keras", reason="Keras is not installed: pip install 'whosthere[converter]'")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(optimizer="sgd")
    path = tmp_path / "state.npz"
    with path.open("wb") as file:
        np.savez(file, **arrays)
    with pytest.raises(UsageError, match="--restart"):
        state.epochs_done(path)
        state.restore(path, model)


@pytest.mark.parametrize("content", [b"epoch,loss\n1,0.5\n", b"epoch,area,true_accepts\nx,1,1\n", b"\xff\xfe\n1\n"])
def test_a_damaged_history_is_one_message(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    history.write(path, [Epoch(0, None, None, 0.5, 0.1, 0.2)])
    assert history.read(path) == [Epoch(0, None, None, 0.5, 0.1, 0.2)]
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"history\.csv: not the history of a training .*--restart"):
        history.read(path)


@pytest.mark.parametrize("left", [0, 5, 100, -1])
def test_crops_that_are_cut_off_are_cut_out_again(left: int, tmp_path: Path) -> None:
    people = {"ada": [HOPPER], "ben": [OBAMA]}
    spec = InputSpec((1, 16, 16, 3), "rgb", **PIXELS["-1..1"])
    first = crop_all(people, spec, None, tmp_path)
    pixels = stored(tmp_path)[np.arange(2)]
    store = tmp_path / "crops.npy"
    store.write_bytes(store.read_bytes()[:left])

    again = crop_all(people, spec, None, tmp_path)

    assert again.digest == first.digest
    assert np.array_equal(stored(tmp_path)[np.arange(2)], pixels)


@pytest.mark.parametrize("left", [0, 5, 100, -1])
def test_a_teacher_s_vectors_that_are_cut_off_are_computed_again(left: int, tmp_path: Path) -> None:
    def network(pixels: Any) -> Any:
        return np.asarray(pixels).reshape(len(pixels), -1)[:, 300:308]

    teacher = Teacher(network, InputSpec((1, 16, 16, 3), "rgb", **PIXELS["-1..1"]), None, "digest")
    people = {"ada": [HOPPER], "ben": [OBAMA]}
    vectors, key = teach(teacher, people, tmp_path)
    [kept] = tmp_path.glob(f"{key}-*.npy")
    kept.write_bytes(kept.read_bytes()[:left])

    again, same = teach(teacher, people, tmp_path)

    assert same == key and np.array_equal(again, vectors)
    assert np.array_equal(np.load(kept), vectors)


def test_a_damaged_embedder_of_a_finished_training_is_one_message(tmp_path: Path) -> None:
    asked = ("--epochs", "1", "--test", "0.3")
    code, _, said = train_tiny(tmp_path, *asked)
    assert code == 0, said
    best = tmp_path / "out" / "embedder.keras"
    best.write_bytes(best.read_bytes()[:-500])
    code, _, said = train_tiny(tmp_path, *asked)
    assert (code, f"{best}: not a model that Keras saved, or damaged" in said) == (4, True), said
