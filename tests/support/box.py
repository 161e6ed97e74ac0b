"""A box that galleries are pushed to: its config, and the daemon's gallery keeping without camera and broker."""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge.config import typed_yaml
from edge.config.loading import LoadedConfig, load_config
from edge.daemon.gallery_manager import GalleryManager
from edge.errors import WhosthereError
from edge.galleries.file import write_gallery
from edge.galleries.gallery import Gallery, Person, Template
from edge.galleries.receive import Receiver
from edge.records import Vector
from support.networks import embedder

AT = "2026-01-01T00:00:00Z"
SIGNER = "ada@example"


def face(seed: int) -> Vector:
    """A unit vector such as the bundled embedder makes."""
    vector = np.random.default_rng(seed).normal(size=embedder().dimensions)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def family(version: int, *names: str, expires_at: datetime | None = None) -> Gallery:
    """A gallery of the bundled embedder with a template each."""
    people = [
        (Person(name, name.title(), [Template(f"{name}.jpg", 0.9, AT)], expires_at=expires_at), [face(len(name))])
        for name in names or ("ada", "benny")
    ]
    return Gallery.of(version, AT, embedder().id, embedder().dimensions, people)


def bundle(path: Path, version: int, *names: str, key: Path | None = None) -> Path:
    """A signed gallery file."""
    write_gallery(family(version, *names), path, key)
    return path


@dataclass(frozen=True)
class Box:
    """A folder with config.yaml, allowed_signers and a gallery."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, key: Path, gallery: Path | None = None, **settings: object) -> "Box":
        """Trusts one key; `gallery` is where the gallery is to lie."""
        folder.mkdir(parents=True, exist_ok=True)
        public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
        (folder / "allowed_signers").write_text(f'{SIGNER} namespaces="whosthere-gallery" {public}\n')
        place = str(gallery or "gallery.whg")
        document = {"gallery": {"path": place, "allowed_signers": "allowed_signers", **settings}}
        (folder / "config.yaml").write_text(typed_yaml.dump(document))
        return cls(folder)

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @functools.cached_property
    def loaded(self) -> LoadedConfig:
        return load_config(self.config)

    @property
    def gallery(self) -> Path:
        return self.loaded.gallery_path

    def receiver(self, ack_s: float = 15.0) -> Receiver:
        keys = self.loaded.gallery_keys
        signs = self.loaded.signing_key is not None
        return Receiver(self.gallery, keys, embedder().id, embedder().dimensions, 10_000_000, 3, ack_s, signs)


@contextmanager
def keeping(*boxes: Box) -> Iterator[list[GalleryManager]]:
    """The daemon's part that takes galleries in, for several boxes, turn by turn as in its main loop."""
    stop = threading.Event()
    known = [GalleryManager(box.loaded, embedder(), datetime.now(UTC)) for box in boxes]

    def turns() -> None:
        while not stop.wait(0.02):
            for box, one in zip(boxes, known, strict=True):
                if one.changed():
                    try:
                        one.reload(box.loaded, datetime.now(UTC))
                    except WhosthereError:
                        continue

    thread = threading.Thread(target=turns)
    thread.start()
    try:
        yield known
    finally:
        stop.set()
        thread.join()
        for one in known:
            one.close()
