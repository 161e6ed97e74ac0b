"""The runtime: shapes are checked against the card, and pixels normalised as it says."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ModelError
from edge.models import card, tflite
from edge.models.card import InputSpec
from edge.models.tflite import Model, dequantise, open_interpreter, quantise, to_tensor
from edge.records import Image
from support import tiny_models
from support.portraits import COLLINS, OBAMA, analyser, read_picture

TASKS = {
    "blazeface-back": "detect",
    "blazeface-short-range": "detect",
    "face-mesh": "landmarks",
    "mobilefacenet": "embed",
    "mobilefacenet-int8": "embed",
}
FLOAT = [name for name in card.bundled() if not name.endswith("-int8")]


def picture(seed: int) -> Image:
    return np.random.default_rng(seed).integers(0, 255, (4, 4, 3), np.uint8)


def vector(image: Image) -> np.ndarray:
    """What the identity makes of a picture."""
    return (image[..., ::-1].reshape(-1).astype(np.float32) - 127.5) / 128


def test_a_runtime_is_installed_and_known_by_name_and_version() -> None:
    runtime = tflite.find_runtime()

    assert runtime.package in {"ai-edge-litert", "tflite-runtime"}
    assert runtime.version[0].isdigit()


def test_without_a_runtime_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite, "RUNTIMES", (("no_such_module.interpreter", "no-such-package"),))

    with pytest.raises(ModelError, match=r"pip install 'whosthere\[litert\]'"):
        tflite.find_runtime()


@pytest.mark.parametrize("name", card.bundled())
def test_bundled_models_load_and_answer_with_the_shapes_of_their_cards(name: str) -> None:
    model = Model(card.find(name), TASKS[name])
    _, height, width, _ = model.card.input.shape

    outputs = model.run([np.zeros((height, width, 3), np.uint8)])

    assert sorted(list(o.shape) for o in outputs) == sorted(model.card.outputs)
    assert all(np.isfinite(o).all() for o in outputs)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ("rgb", [[[1, 0, -1]]]),
        ("bgr", [[[-1, 0, 1]]]),
        ("grey", [[[(0.114 * 0 + 0.587 * 100 + 0.299 * 200 - 100) / 100]]]),
    ],
)
def test_pixels_are_normalised_as_the_card_says(channels: str, expected: list[list[list[float]]]) -> None:
    spec = InputSpec((1, 1, 1, 3), channels, 100, 100)  # type: ignore[arg-type]

    assert np.allclose(to_tensor(np.array([[[0, 100, 200]]], np.uint8), spec), expected, atol=0.006)


def test_fewer_pictures_than_the_batch_give_as_many_answers(tmp_path: Path) -> None:
    spec = {"shape": [3, 4, 4, 3], "channels": "rgb", "mean": 127.5, "scale": 128.0}
    content = tiny_models.identity(3)
    model = Model(tiny_models.write(tmp_path, content, input=spec, outputs=[[3, 48]]), "embed")

    (output,) = model.run([picture(0), picture(1)])

    assert np.allclose(output, [vector(picture(0)), vector(picture(1))], atol=1e-6)


def test_neither_more_pictures_nor_other_sizes_are_taken_than_fit(tmp_path: Path) -> None:
    model = Model(tiny_models.write(tmp_path, tiny_models.identity()), "embed")
    (before,) = model.run([picture(0)])

    with pytest.raises(ValueError, match="argument"):
        model.run([picture(0), picture(1)])
    with pytest.raises(ValueError, match=r"a picture of \(8, 4, 3\) does not fit a tensor of \(4, 4, 3\)"):
        model.run([np.concatenate([picture(0), picture(1)])])
    assert (model.run([picture(0)])[0] == before).all()


def test_an_integer_model_is_quantised_going_in_and_restored_coming_out(tmp_path: Path) -> None:
    model = Model(tiny_models.write(tmp_path, tiny_models.identity(quantised=True)), "embed")

    (output,) = model.run([picture(2)])

    assert output.dtype == np.float32
    assert np.abs(output[0] - vector(picture(2))).max() <= 0.5 / 64 + 1e-6


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16])
def test_integers_stand_for_values_to_half_a_step_and_are_clipped_beyond_their_range(kind: type) -> None:
    details = {"dtype": kind, "quantization": (1 / 16, 3)}
    limits = np.iinfo(kind)
    values = np.linspace(-4, 4, 101, dtype=np.float32)

    numbers = quantise(values, details)
    assert numbers.dtype == kind
    held = (values >= (limits.min - 3) / 16) & (values <= (limits.max - 3) / 16)
    assert np.abs(dequantise(numbers, details) - values)[held].max() <= 1 / 32
    beyond = quantise(np.array([-1e5, 1e5], np.float32), details)
    assert beyond.tolist() == [limits.min, limits.max]


def test_inner_tensors_can_be_kept() -> None:
    content = (card.BUNDLED / "mobilefacenet.tflite").read_bytes()
    interpreter = open_interpreter(content, "whole", threads=1, xnnpack=False, keep_tensors=True)
    given = interpreter.get_input_details()[0]
    interpreter.set_tensor(given["index"], np.zeros(given["shape"], np.float32))
    interpreter.invoke()

    inner = next(d for d in interpreter.get_tensor_details() if d["name"] and len(d["shape"]) == 4 and d != given)
    assert np.isfinite(interpreter.get_tensor(inner["index"])).all()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"input": {"shape": [1, 8, 8, 3], "channels": "rgb", "mean": 0, "scale": 1}},
            r"input shape is \(1, 4, 4, 3\)",
        ),
        ({"outputs": [[1, 49]]}, r"output shapes are \[\[1, 48\]\]"),
        ({"outputs": [[1, 48], [1, 1]]}, r"output shapes are \[\[1, 48\]\]"),
    ],
)
def test_a_model_of_another_shape_than_its_card_is_refused(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    path = tiny_models.write(tmp_path, tiny_models.identity(), **changed)

    with pytest.raises(ModelError, match=rf"tiny\.tflite: {said}, but its card says"):
        Model(path, "embed")


@pytest.mark.parametrize("content", [b"", b"this is no model, although its hash is what the card says" * 4])
def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelError, match=r"tiny\.tflite: .* cannot load it"):
        Model(tiny_models.write(tmp_path, content), "embed")


@pytest.mark.skipif(
    tflite.find_runtime().package == "tflite-runtime",
    reason="tflite-runtime 2.14 does not verify a file and crashes; the card's hash keeps such a file from it",
)
def test_a_model_cut_short_is_refused(tmp_path: Path) -> None:
    content = (card.BUNDLED / "mobilefacenet.tflite").read_bytes()[:100_000]

    with pytest.raises(ModelError, match=r"tiny\.tflite"):
        Model(tiny_models.write(tmp_path, content), "embed")


@pytest.mark.parametrize("name", FLOAT)
def test_every_runtime_gives_what_litert_on_x86_gave(name: str) -> None:
    reference = json.loads((Path(__file__).with_name("support") / "runtime_reference.json").read_text(encoding="utf-8"))
    model = Model(card.find(name), TASKS[name])
    height, width = model.card.input.shape[1:3]
    left, top = (100, 20) if height >= 192 else (170, 60)

    outputs = model.run([read_picture(COLLINS)[top : top + height, left : left + width]])

    for output, expected in zip(sorted(outputs, key=lambda o: -o.size), reference[name], strict=True):
        picked = output.reshape(-1)[:: max(1, output.size // 12)][:12]
        assert np.abs(picked - expected).max() <= 1e-4 * np.abs(expected).max() + 1e-5


def test_int8_is_near_float_on_every_runtime() -> None:
    """Runtimes round differently inside, so that there is no one answer to compare with."""
    image = read_picture(OBAMA)
    (face,) = analyser().detector.detect(image)
    crop = analyser().look(image, face).crop
    vectors = [Model(card.find(name), "embed").run([crop])[0][0] for name in ("mobilefacenet", "mobilefacenet-int8")]
    float32, int8 = (vector / np.linalg.norm(vector) for vector in vectors)

    assert 0.99 < float(float32 @ int8) < 1.0


def test_one_thread_and_two_agree() -> None:
    image = read_picture(COLLINS)[100:356, 100:356]
    one, two = (Model(card.find("blazeface-back"), "detect", threads).run([image]) for threads in (1, 2))

    assert all(np.abs(a - b).max() < 1e-3 for a, b in zip(one, two, strict=True))
