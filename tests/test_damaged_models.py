"""Files of Keras that were damaged on the way: each is loaded as it was, or refused by its name, never a traceback."""

import random
from pathlib import Path

import pytest

from converter.sources import keras_of, load_network
from edge.errors import ModelError
from support.fuzzing import cases
from support.needed import TENSORFLOW

pytestmark = TENSORFLOW


def saved(path: Path) -> bytes:
    """A small network, saved."""
    keras = keras_of(3)
    network = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
    network.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_damaged_file_is_one_message(suffix: str, tmp_path: Path) -> None:
    whole = saved(tmp_path / f"whole{suffix}")
    noise, path = random.Random(3), tmp_path / f"net{suffix}"
    refused = 0
    for number in range(cases(15)):
        at = noise.randrange(len(whole))
        changed = bytearray(whole[:at] if number % 3 == 0 else whole)
        if number % 3 == 1:
            changed[at] ^= 1 << noise.randrange(8)
        elif number % 3 == 2:
            changed[at : at + 40] = bytes(len(changed[at : at + 40]))
        path.write_bytes(changed)
        try:
            load_network(path)
        except ModelError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ")
    assert refused >= cases(15) // 3


def test_a_checksum_that_does_not_fit_is_one_message(tmp_path: Path) -> None:
    whole = saved(tmp_path / "whole.keras")
    at = len(whole) // 2
    (tmp_path / "net.keras").write_bytes(
        whole[:at] + bytes(255 - one for one in whole[at : at + 64]) + whole[at + 64 :]
    )
    with pytest.raises(ModelError, match=r"net\.keras: (Keras .* cannot load it|not a model)"):
        load_network(tmp_path / "net.keras")
