"""The networks of the table: the bundled one, and four that `train` makes on the spot."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from converter import faces, sources
from converter.bundled_models import single
from converter.graph import Values
from converter.input_spec import template
from converter.tflite_to_keras import to_keras
from converter.training.crops import crop_all
from converter.training.dataset import Dataset
from converter.training.plan import TrainingPlan
from edge.errors import WhosthereError
from edge.faces.framing import Framing
from edge.models import card as cards
from edge.models.card import InputSpec

BUNDLED = "mobilefacenet"
EPOCHS = {"cnn": 16, "MobileNetV3Small": 20, "MobileNetV2": 16, "EfficientNetB0": 10}
"""How long each network is trained: a core takes up to ten minutes for that."""
NAMES = (BUNDLED, *EPOCHS)
SIZE = 64
RANGE_FACES = 200


class QuantisedNetwork(NamedTuple):
    """A float network, and the faces that it is quantised with and judged by."""

    name: str
    model: Any
    """In Keras."""
    content: bytes
    """As TensorFlow's converter makes it, in float32."""
    spec: InputSpec
    framing: Framing
    representative: list[Values]
    """Network inputs: variations of the bundled portraits, the same for every quantiser."""
    judges: Dataset
    learnt: Path
    """The folder of people that it was trained with."""
    folder: Path
    """Where files that belong to it are kept."""


def open_network(name: str, folder: Path, learnt: Path, judges: dict[str, list[Path]]) -> QuantisedNetwork:
    """Train a network into `folder`, unless that is done, and load it. Raises WhosthereError when training fails."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == BUNDLED:
        known = cards.load(cards.find(name), "embed")
        model, spec = to_keras(single(known.content, name), name), known.card.input
        framing = Framing.of(known.card) or Framing(None)
        content = sources.to_tflite(model, Path(name))
    else:
        train(name, folder, learnt)
        path = folder / "embedder.keras"
        model, content = sources.load_network(path), sources.float_model(path)
        spec = msgspec.json.decode((folder / "training.json").read_bytes(), type=TrainingPlan).spec
        framing = Framing(np.array(template(SIZE), np.float32))
    located = faces.find_faces((faces.PORTRAITS,), RANGE_FACES).found
    crops = faces.crops(located, framing, spec.shape[1], RANGE_FACES)
    (folder / "judges").mkdir(exist_ok=True)
    judging = crop_all(judges, spec, framing, folder / "judges").dataset
    return QuantisedNetwork(name, model, content, spec, framing, faces.tensors(crops, spec), judging, learnt, folder)


def train(name: str, folder: Path, learnt: Path) -> None:
    """By the command that users have; a training that was interrupted goes on."""
    if (folder / "result.json").is_file():
        return
    words: Sequence[str] = (
        *(sys.executable, "-m", "converter", "train", "--images", str(learnt), "-o", str(folder), "--network", name),
        *("--size", str(SIZE), "--teacher", BUNDLED, "--schedule", "cosine", "--warm-up", "1"),
        *("--batch", "16", "--learning-rate", "0.002"),
        *("--validation", "0.1", "--test", "0", "--epochs", str(EPOCHS[name])),
    )
    if subprocess.run(words, check=False).returncode:
        raise WhosthereError(f"{name}: `{' '.join(words)}` failed")
