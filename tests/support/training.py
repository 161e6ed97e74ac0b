"""Tiny trainings: six "people" who are textures, so that no face must be found, and a network of one layer."""

from pathlib import Path

import cv2
import numpy as np

from support.converting import run

NET = """import keras

def build(size, channels, dimensions):
    given = keras.Input((size, size, channels))
    x = keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(given))
    return keras.Model(given, keras.layers.Dense(dimensions)(x))
"""
NET_WITH_STATE = """import keras

def build(size, channels, dimensions):
    given = keras.Input((size, size, channels))
    x = keras.layers.BatchNormalization(momentum=0.9)(keras.layers.AveragePooling2D(4)(given))
    x = keras.layers.Dropout(0.2)(keras.layers.Flatten()(x))
    return keras.Model(given, keras.layers.Dense(dimensions)(x))
"""
"""Statistics that go from epoch to epoch, and chance in each step."""
FEW = ("--no-align", "--size", "32", "--batch", "8", "--validation", "0.3", "--test", "0", "--no-augment")


def textures(root: Path, people: int = 6, each: int = 4) -> Path:
    """A folder of people with small pictures of a texture each."""
    random = np.random.default_rng(3)
    for person in range(people):
        folder = root / f"p{person}"
        folder.mkdir(parents=True, exist_ok=True)
        base = random.integers(0, 255, (6, 6, 3))
        for number in range(each):
            noisy = np.clip(base + random.normal(0, 25, base.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"{number}.png"), cv2.resize(noisy, (40, 40), interpolation=cv2.INTER_CUBIC))
    return root


def own_network(folder: Path, code: str = NET) -> Path:
    path = folder / "net.py"
    path.write_text(code, encoding="utf-8")
    return path


def train_tiny(folder: Path, *arguments: str | Path, out: str = "out") -> tuple[int, str, str]:
    """Train on textures in `folder`, by default with the network of one layer."""
    images = folder / "people" if (folder / "people").is_dir() else textures(folder / "people")
    network = () if {"--network", "--from"} & set(map(str, arguments)) else ("--network", own_network(folder))
    return run("train", "--images", images, "-o", folder / out, *FEW, *network, *arguments)
