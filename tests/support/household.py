"""A box with the demo's gallery, whose diary remembers visits of one person at chosen similarities."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from click.testing import CliRunner, Result

from edge.__main__ import main
from edge.config.loading import load_config
from edge.daemon.gallery_manager import GalleryManager
from edge.diary.diary_file import DiaryFile, NewVisit
from edge.faces.loading import load_embedder
from edge.galleries.additions import additions_path, read_additions, with_additions
from edge.galleries.file import open_gallery
from edge.galleries.gallery import Gallery, Template
from edge.records import Pose, Quality, Vector
from support.broker import Broker
from support.daemon import write_config
from support.diaries import visit

PERSON = "barack-obama"
GOOD = Quality(0.8, 60.0, 60.0, 120.0, Pose(3.0, 2.0, 0.0), 0.99, None)


class Household:
    """A box with the demo's gallery, whose diary remembers visits of one person at chosen similarities."""

    def __init__(self, folder: Path, demo_gallery: Path, **gallery: str) -> None:
        self.folder = folder
        self.path = Path(shutil.copy(demo_gallery, folder / "gallery.whg"))
        self.config = write_config(
            folder, Broker(folder, port=9), self.path, diary={"embeddings_days": 5}, gallery=gallery
        )
        self.count = 0

    @property
    def gallery(self) -> Gallery:
        return open_gallery(self.path, None)

    def template(self, person: str = PERSON) -> Vector:
        known = self.gallery.person(person)
        assert known is not None
        return self.gallery.vectors(known)[0]

    def looks_like(self, similarity: float, seed: int = 1, person: str = PERSON) -> Vector:
        template = self.template(person)
        other = np.random.default_rng(seed).normal(size=len(template))
        other -= template * float(other @ template)
        other /= np.linalg.norm(other)
        return (similarity * template + np.sqrt(1 - similarity**2) * other).astype(np.float32)

    def came(
        self,
        probe: Vector,
        named: str | None = PERSON,
        best: Quality | None = GOOD,
        usable: int = 20,
        jpeg: bytes | None = None,
    ) -> str:
        """Somebody came; the id of the visit."""
        record = msgspec.structs.replace(visit(self.count, named, PERSON), best_face=best, usable=usable)
        self.count += 1
        diary = DiaryFile(self.folder / "diary.sqlite3", 10)
        diary.add(NewVisit(record, (probe,), jpeg))
        diary.close()
        return record.id

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--config", str(self.config)])

    def templates(self) -> int:
        loaded = load_config(self.config)
        embedder = load_embedder(loaded.config.models, loaded.base)
        additions = read_additions(self.path, embedder.id, loaded.gallery_keys, embedder.dimensions)
        return len(with_additions(self.gallery, additions).embeddings)

    def added(self) -> list[Template]:
        """The templates from visits."""
        return [
            template for person in open_gallery(additions_path(self.path), None).people for template in person.templates
        ]

    def corrections(self) -> list[dict[str, Any]]:
        """What `visit corrections --json` lists."""
        found: list[dict[str, Any]] = json.loads(self.run("visit", "corrections", "--json").stdout)
        return found

    def manager(self) -> GalleryManager:
        loaded = load_config(self.config)
        return GalleryManager(loaded, load_embedder(loaded.config.models, loaded.base), datetime.now(UTC))
