"""What a training can start with: Keras' applications, one's own file, whole pictures, classifiers cut short."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from converter import networks
from converter.classifier_head import labels_of
from converter.graph import Graph
from converter.sources import float_model, keras_of
from converter.training.history import read
from edge.__main__ import main
from edge.errors import UsageError
from edge.faces.framing import Framing
from edge.models import card as cards
from edge.models.tflite import Engine, open_interpreter
from support.converting import run
from support.needed import TENSORFLOW
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, OBAMA_2009, OBAMA_2010, analyser, read_picture, save
from support.training import own_network, train_tiny

pytestmark = TENSORFLOW


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV3Small", "mobilenet-v2"])
def test_any_application_of_keras_by_name(name: str) -> None:
    model = networks.build(name, 64, 1, 16)
    assert (model.input_shape, model.output_shape) == ((None, 64, 64, 1), (None, 16))
    assert not networks.scales_itself(model)


@pytest.mark.slow(60)
@pytest.mark.parametrize(("name", "size"), [("facenet", 160), ("EfficientNetB0", 64), ("inception-resnet-v2", 80)])
def test_large_networks_become_files_for_the_box(name: str, size: int, tmp_path: Path) -> None:
    model = networks.build(name, size, 3, 512)
    assert networks.scales_itself(model) == (name == "EfficientNetB0")
    model.save(tmp_path / "model.keras")
    graph = Graph(float_model(tmp_path / "model.keras"))
    assert (graph.shape(graph.inputs[0]), graph.shape(graph.outputs[0])) == ((1, size, size, 3), (1, 512))


def test_facenet_is_given_what_its_paper_gives_it() -> None:
    assert networks.usual("facenet") == (160, 512, "per-picture")


def test_a_network_that_there_is_not_is_refused_with_all_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--network: found 'resnet'; allowed: cnn, .*FILE\.py, .*ResNet50.*VGG16"):
        networks.build("resnet", 64, 3, 16)
    with pytest.raises(UsageError, match="--size: found 16: VGG16: "):
        networks.build("VGG16", 16, 3, 16)
    with pytest.raises(UsageError, match="facenet takes pictures of 80 pixels or more"):
        networks.build("facenet", 64, 3, 16)


OTHER_SHAPE = """import keras
def build(size, channels, dimensions):
    x = keras.Input((size, size, channels))
    return keras.Model(x, keras.layers.Flatten()(x))
"""


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("build = 3", "found no function build; allowed: build"),
        ("def build(size, channels, dimensions):\n    return 1 / 0", "ZeroDivisionError: division by zero"),
        ("def build(size, channels, dimensions):\n    return 'net'", "returned str; allowed: a model of Keras 3"),
        ("def build(", "SyntaxError"),
        (
            OTHER_SHAPE,
            r"\(None, 32, 32, 3\)\] -> \[\(None, 3072\)\]; allowed: .* -> \[\(None, 16\)\]",
        ),
    ],
)
def test_a_file_of_ones_own_that_is_wrong_says_how(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "net.py").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=error):
        networks.build(str(tmp_path / "net.py"), 32, 3, 16)


def test_a_file_of_ones_own_is_trained(tmp_path: Path) -> None:
    code, _, said = train_tiny(tmp_path, "--network", own_network(tmp_path), "--dimensions", "9", "--epochs", "1")
    assert code == 0, said
    model = keras_of(3).models.load_model(tmp_path / "out" / "embedder.keras", compile=False)
    assert model.output_shape == (None, 9)
    assert train_tiny(tmp_path, "--network", tmp_path / "none.py")[0] == 2


def test_a_network_that_gives_every_face_one_vector_is_reported(tmp_path: Path) -> None:
    net = own_network(tmp_path)
    code, _, said = train_tiny(tmp_path, "--network", net, "--epochs", "1")
    assert code == 0 and "nearly the same" not in said
    text = net.read_text(encoding="utf-8").replace("(dimensions)", "(dimensions, 'tanh', bias_initializer='ones')")
    net.write_text(text.replace("AveragePooling2D(4)(given)", "Rescaling(1e-4)(given)"), encoding="utf-8")
    code, _, said = train_tiny(tmp_path, "--network", net, "--epochs", "1", out="one-vector")
    assert code == 0 and "two different people have a mean cosine of 0.9" in said


def test_an_epoch_that_gives_every_face_one_vector_is_not_the_best(tmp_path: Path) -> None:
    net = own_network(tmp_path)
    begun = "(dimensions, bias_initializer=keras.initializers.Constant(8.0))"
    net.write_text(net.read_text(encoding="utf-8").replace("(dimensions)", begun), encoding="utf-8")
    learning = ("--objective", "classes", "--learning-rate", "0.3", "--epochs", "2")
    code, printed, said = train_tiny(tmp_path, "--network", net, *learning)
    assert code == 0, said
    epochs = read(tmp_path / "out" / "history.csv")
    # By the area alone, the first would be the best.
    assert epochs[0].strangers > 0.99 and epochs[0].area == max(epoch.area for epoch in epochs)
    best = json.loads((tmp_path / "out" / "result.json").read_text(encoding="utf-8"))["epoch"]
    assert best > 0 and epochs[best].strangers < 0.99
    told = [line for line in printed.splitlines() if "all faces nearly the same vector" in line]
    assert len(told) == 1 and told[0].startswith("epoch 0:")
    assert "nearly the same embedding" not in said


def classifier(path: Path) -> Path:
    """A label classifier as tutorials build it: a body, an embedding, dropout, a softmax."""
    keras = keras_of(3)
    keras.utils.set_random_seed(1)
    layers = keras.layers
    keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(4, 3, 2, activation="relu", name="body"),
            layers.Flatten(),
            layers.Dense(12, activation="relu", name="features"),
            layers.Dropout(0.5),
            layers.Dense(5, activation="softmax", name="who"),
        ]
    ).save(path)
    return path


def test_the_advice_about_a_classifier_is_no_part_of_the_json(tmp_path: Path) -> None:
    whole = tmp_path / "whole.tflite"
    whole.write_bytes(float_model(classifier(tmp_path / "classifier.keras")))
    given = ("--range", "-1..1", "--variants", "fp32", "--count", "8", "--json")
    code, printed, said = run("convert", whole, "-o", tmp_path / "out", *given)
    assert (code, [one["variant"] for one in json.loads(printed)]) == (0, ["fp32"])
    assert "gives probabilities of 5 labels" in said and "give it without its last layers" in said


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("where", ["softmax", "features"])
def test_a_classifier_is_cut_before_its_labels(tmp_path: Path, suffix: str, where: str) -> None:
    path = classifier(tmp_path / f"classifier{suffix}")
    whole, cut = float_model(path), float_model(path, cut=where)
    graph = Graph(cut)
    assert graph.shape(graph.outputs[0]) == (1, 12)
    assert (labels_of(whole, "whole"), labels_of(cut, "cut")) == (5, None)
    model = keras_of(3).models.load_model(path, compile=False)
    picture = np.random.default_rng(0).random((1, 32, 32, 3)).astype(np.float32)
    wanted = keras_of(3).Model(model.inputs[0], model.get_layer("features").output)(picture)
    np.testing.assert_allclose(
        Engine(open_interpreter(cut, "cut")).run(picture)[0][0], np.asarray(wanted)[0], atol=1e-5
    )


@pytest.mark.slow
def test_probabilities_are_no_embedding(tmp_path: Path) -> None:
    path = classifier(tmp_path / "classifier.keras")
    given = ("--range", "0..1", "--variants", "fp32", "--count", "8", "-o", tmp_path / "out")
    for name, cut in (("whole", ()), ("cut", ("--cut", "softmax"))):
        code, printed, said = run("convert", path, *given, "--name", name, *cut)
        assert code == 0, said
        assert "gives probabilities" not in printed + said
        assert "is a label classifier of 5" in said
        assert cards.read_card(tmp_path / "out" / f"{name}-fp32.yaml").outputs == [[1, 12]]
    for where, error in (
        ("nowhere", "allowed: softmax, "),
        ("body", "gives an output of"),
        ("who", "gives probabilities"),
    ):
        code, printed, said = run("convert", path, *given, "--cut", where)
        assert error in printed + said, where
    plain = ("--cut", "softmax", *given)
    assert "is no softmax after a Dense" in run("convert", headless(tmp_path / "none.keras"), *plain)[2]
    code, _, said = run("convert", tmp_path / "out" / "cut-fp32.tflite", *plain)
    assert "--cut: a .tflite file was found" in said


def headless(path: Path) -> Path:
    networks.build("cnn", 32, 3, 8).save(path)
    return path


def people(root: Path) -> Path:
    """Three photos of each of four people: whole portraits, scaled down."""
    random = np.random.default_rng(1)
    whose = {"barack": [OBAMA, OBAMA_2009, OBAMA_2010], "joe": [BIDEN], "grace": [HOPPER], "eileen": [COLLINS]}
    for name, portraits in whose.items():
        (root / name).mkdir(parents=True)
        for number in range(3):
            image = read_picture(portraits[number % len(portraits)])
            scale = 500 / max(image.shape[:2])
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            image = cv2.convertScaleAbs(image, alpha=random.uniform(0.8, 1.1))
            save(root / name / f"{number}.jpg", image)
    return root


@pytest.mark.slow
def test_whole_grey_pictures_from_training_to_a_name(tmp_path: Path) -> None:
    """As the first tutorials do it: grey 100x100, not aligned; then converted, calibrated, enrolled and identified."""
    folder, net = people(tmp_path / "people"), own_network(tmp_path)
    training = ("--network", net, "--size", "100", "--grey", "--range", "0..1", "--no-align", "--validation", "0.5")
    code, printed, said = run(
        "train", "--images", folder, "-o", tmp_path / "mine", *training, "--test", "0", "--batch", "8", "--epochs", "1"
    )
    assert code == 0, said
    following = printed.splitlines()[-1]
    assert "--range 0..1 --no-align --crop " in following
    crop = following.rsplit(" ", 1)[1]

    given = ("--range", "0..1", "--no-align", "--crop", crop, "--variants", "fp32", "--count", "8")
    code, _, said = run("convert", tmp_path / "mine" / "embedder.keras", "-o", tmp_path / "net", *given)
    assert code == 0, said
    path = tmp_path / "net" / "embedder-fp32.yaml"
    card = cards.read_card(path)
    assert (card.alignment, card.crop, card.input.channels) == (None, float(crop), "grey")

    config = tmp_path / "config.yaml"
    config.write_text(f"models:\n  embedder: {path}\n", encoding="utf-8")
    code, _, said = run("enroll", folder, "-o", tmp_path / "all.whg", "--config", config)
    assert (code, "has no calibration" in said) == (4, True)
    config.write_text(f"models:\n  embedder: {path}\nmatch:\n  threshold: 0.9\n", encoding="utf-8")
    code, printed, said = run("enroll", folder, "-o", tmp_path / "all.whg", "--config", config, "--json")
    assert code == 0, said
    fates = [picture["fate"] for picture in json.loads(printed)["pictures"]]
    assert fates.count("in") >= 4 and "set aside" not in fates, fates
    result = CliRunner().invoke(
        main,
        ["identify", "--config", str(config), "--gallery", str(tmp_path / "all.whg"), str(folder / "grace" / "0.jpg")],
    )
    assert result.exit_code == 0, result.output
    assert "grace" in result.output


def test_a_card_says_alignment_or_crop(tmp_path: Path) -> None:
    """The upright square: the face's box, `crop` times as wide, in the middle, whatever the turn of the head."""
    image = read_picture(HOPPER)
    portrait = analyser().portraits(image)[0]
    five, mesh = portrait.landmarks.five, portrait.landmarks.mesh
    placed = Framing(None, 1.2).template(five, mesh, 100)
    low, high = mesh[:, :2].min(0), mesh[:, :2].max(0)
    side = float((high - low).max()) * 1.2
    np.testing.assert_allclose(placed, (five - (low + high) / 2) * 100 / side + 50, atol=1e-3)
    made = Framing(None, 1.2).crop(image, five, mesh, 100)
    left, top = ((low + high) / 2 - side / 2).round().astype(int)
    cut = cv2.resize(
        image[top : top + round(side), left : left + round(side)], (100, 100), interpolation=cv2.INTER_AREA
    )
    assert float(np.abs(made.astype(int) - cut).mean()) < 15
