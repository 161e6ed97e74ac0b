"""Networks on an Edge TPU, with a delegate that is loaded like Coral's and can be unplugged."""

import logging
from pathlib import Path

import numpy as np
import pytest

from edge.config import typed_yaml
from edge.config.sections import Accelerator, ModelSettings
from edge.errors import ModelError
from edge.faces.loading import load_networks
from edge.models.edgetpu import RETRY_S, EdgeTpu
from edge.models.tflite import Model
from edge.records import Image
from support import tiny_models
from support.portraits import whosthere
from support.stick import Stick


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def stick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stick:
    monkeypatch.setenv("STUB_EDGETPU", str(tmp_path / "stick"))
    return Stick(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return tiny_models.write_compiled(tmp_path, tiny_models.identity(quantised=True, compiled=True))


def tpu(stick: Stick, clock: Clock, accelerator: Accelerator = "auto", device: str | None = None) -> EdgeTpu:
    return EdgeTpu(accelerator, device, stick.library, clock)


def picture(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8)


def right(model: Model, seed: int = 1) -> bool:
    """Does it answer what the picture asks?"""
    [vector] = model.run([picture(seed)])[0]
    expected = (picture(seed)[..., ::-1].reshape(-1).astype(np.float32) - 127.5) / 128
    return bool(np.abs(vector - expected).max() <= 0.5 / 64 + 1e-6)


def test_a_compiled_network_runs_on_the_device_that_config_names(stick: Stick, clock: Clock, card: Path) -> None:
    model = Model(card, "embed", edge_tpu=tpu(stick, clock, device="usb:0"))
    assert model.runs_on == "edgetpu"
    assert right(model)
    assert stick.log == ["device usb:0", "open ", "invoke "]


@pytest.mark.parametrize("accelerator", ["auto", "edgetpu"])
def test_a_lost_device_costs_no_picture_and_is_used_again_when_it_is_back(
    stick: Stick, clock: Clock, card: Path, accelerator: Accelerator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "whosthere")
    shared = tpu(stick, clock, accelerator)
    models = [Model(card, "embed", edge_tpu=shared) for _ in range(2)]
    stick.unplug()
    for seed in range(5):
        assert all(right(model, seed) for model in models)
    assert [model.runs_on for model in models] == ["cpu", "cpu"]
    [lost] = caplog.messages
    assert "the Edge TPU has failed: Failed to execute request. USB transfer error 2" in lost
    stick.plug_in()
    assert all(right(model) for model in models)
    assert "invoke " not in stick.log, "not asked before its time"
    clock.now += RETRY_S
    assert all(right(model) for model in models)
    assert [model.runs_on for model in models] == ["edgetpu", "edgetpu"]
    assert stick.log.count("invoke ") == 2
    assert stick.log.count("open ") - stick.log.count("close ") == 2, "the old ones have been given back"
    assert caplog.messages[1:] == ["the Edge TPU is back after 30 s: networks run on it again"]


def test_a_second_loss_is_told_again(stick: Stick, clock: Clock, card: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = Model(card, "embed", edge_tpu=tpu(stick, clock))
    for _ in range(3):
        stick.unplug()
        assert right(model)
        stick.plug_in()
        clock.now += RETRY_S
        assert right(model)
        assert model.runs_on == "edgetpu"
    assert sum("has failed" in message for message in caplog.messages) == 3


def test_a_device_that_is_not_there_at_the_start_is_waited_for(
    stick: Stick, clock: Clock, card: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stick.unplug()
    model = Model(card, "embed", edge_tpu=tpu(stick, clock, "edgetpu", "pci"))
    assert right(model)
    clock.now += RETRY_S
    assert right(model)
    [told] = caplog.messages
    assert "no Edge TPU answers as device pci: is it plugged in" in told
    assert "(no device)" in told
    stick.plug_in()
    clock.now += RETRY_S
    assert right(model)
    assert model.runs_on == "edgetpu"


def test_without_its_library_config_decides(
    tmp_path: Path, clock: Clock, card: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = str(tmp_path / "no" / "libedgetpu.so.1")
    with pytest.raises(ModelError, match=r"models\.accelerator is edgetpu, but .* `apt install libedgetpu1-std`"):
        Model(card, "embed", edge_tpu=EdgeTpu("edgetpu", None, missing, clock))
    model = Model(card, "embed", edge_tpu=EdgeTpu("auto", None, missing, clock))
    clock.now += RETRY_S
    assert right(model)
    [told] = caplog.messages
    assert "`apt install libedgetpu1-std`" in told
    assert model.runs_on == "cpu"


def test_nothing_is_asked_of_a_device_that_nobody_wants(stick: Stick, clock: Clock, card: Path, tmp_path: Path) -> None:
    assert Model(card, "embed", edge_tpu=tpu(stick, clock, "cpu")).runs_on == "cpu"
    bare = tiny_models.write(tmp_path, tiny_models.identity())
    assert Model(bare, "embed", edge_tpu=tpu(stick, clock)).runs_on == "cpu"
    assert stick.log == []


def test_a_file_that_is_not_compiled_or_only_compiled_is_refused(stick: Stick, clock: Clock, tmp_path: Path) -> None:
    plain = tiny_models.write_compiled(tmp_path, tiny_models.identity(quantised=True))
    with pytest.raises(ModelError, match=r"tiny_edgetpu\.tflite: is not compiled for the Edge TPU: if it is"):
        Model(plain, "embed", edge_tpu=tpu(stick, clock))
    only = tiny_models.write(tmp_path, tiny_models.identity(quantised=True, compiled=True))
    with pytest.raises(ModelError, match=r"tiny\.tflite: is compiled for the Edge TPU, .* under `edgetpu`"):
        Model(only, "embed", edge_tpu=tpu(stick, clock))


def test_an_altered_compiled_file_is_refused(card: Path) -> None:
    with (card.parent / "tiny_edgetpu.tflite").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match=r"tiny_edgetpu\.tflite: sha256 is .* altered or damaged"):
        Model(card, "embed")


def test_insisting_on_it_without_a_compiled_network_says_how_to_get_one() -> None:
    with pytest.raises(ModelError, match=r"none of the networks is compiled for it: .*`edgetpu_compiler mobilefacenet"):
        load_networks(ModelSettings(accelerator="edgetpu"))


def test_check_says_what_an_edge_tpu_lacks(card: Path, tmp_path: Path) -> None:
    for accelerator, verdict, said in (
        (
            "auto",
            "warning",
            "accelerator   tiny: compiled for an Edge TPU, but none answers; plug it in, or `apt install",
        ),
        ("edgetpu", "failed", "embedder      models.accelerator is edgetpu, but libedgetpu.so.1"),
    ):
        config = tmp_path / "config.yaml"
        config.write_text(typed_yaml.dump({"models": {"embedder": str(card), "accelerator": accelerator}}))
        output = whosthere("check", "--config", config, "--skip", "camera", "--skip", "broker").output
        assert f"{verdict:<8} {said}" in output


def test_without_xnnpack_and_with_it_the_answer_is_the_same(tmp_path: Path) -> None:
    path = tiny_models.write(tmp_path, tiny_models.identity(quantised=True))
    assert all(right(Model(path, "embed", xnnpack=wanted)) for wanted in (False, True))
