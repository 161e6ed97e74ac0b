"""`whosthere gallery export` and the summary of people: what a box keeps of somebody."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from edge.config.loading import load_config
from edge.diary.diary_file import DiaryFile
from edge.galleries.additions import additions_path
from edge.galleries.corrections import Anchor, Corrections, write_corrections
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Gallery, Template
from edge.people.export import export_person
from edge.people.lookalikes import find_lookalikes
from edge.people.summary import summaries
from support.box import AT, face, family
from support.diaries import new
from support.networks import embedder
from support.portraits import whosthere


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text("gallery: {path: family.whg}\ndiary: {path: diary.sqlite3}\n")
    known, path = embedder(), tmp_path / "family.whg"
    write_gallery(family(5), path)
    additions = Gallery.empty(known.id, known.dimensions)
    write_gallery(additions.with_templates("ada", [face(80)], [Template("visit 1", 1, AT)], AT), additions_path(path))
    write_corrections(Corrections(1, known.id, [Anchor("000001", "ada", "v1", AT, [], face(70).tobytes())]), path)
    diary = DiaryFile(tmp_path / "diary.sqlite3", 10)
    for number, (named, second) in enumerate([("ada", "grace"), ("benny", "ada"), ("benny", "grace")]):
        diary.add(new(number, named, second=second, jpeg=b"\xff\xd8\xff" if number < 2 else None))
    diary.close()
    return tmp_path / "config.yaml"


def test_all_that_is_kept_of_somebody_is_in_the_file_and_nothing_of_others(config: Path, tmp_path: Path) -> None:
    done = whosthere("gallery", "export", "Ada", "-o", tmp_path / "ada.zip", "--config", config)
    assert done.exit_code == 0, done.output
    assert f"{tmp_path}/ada.zip: Ada, 1 template, 2 visits, 1 picture" in done.stdout
    assert (tmp_path / "ada.zip").stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(tmp_path / "ada.zip") as archive:
        person, visits = json.loads(archive.read("person.json")), json.loads(archive.read("visits.json"))
        assert [name for name in archive.namelist() if name.startswith("pictures/")] == [
            f"pictures/{visits[0]['id']}.jpg"
        ]
    assert person["embeddings"] == [pytest.approx(list(face(3)), abs=1e-6)]
    assert len(person["from_visits"]) == 1 and len(person["rejected"]) == 1
    assert "benny" not in json.dumps(person)
    again = whosthere("gallery", "export", "Ada", "-o", tmp_path / "ada.zip", "--config", config)
    assert again.exit_code == 1 and "File exists" in again.stderr
    assert (
        "found nobody called 'Eve'"
        in whosthere("gallery", "export", "Eve", "-o", tmp_path / "eve.zip", "--config", config).stderr
    )


def test_without_a_diary_only_the_gallery_is_exported(config: Path) -> None:
    (config.parent / "diary.sqlite3").unlink()
    content, made = export_person(load_config(config), "benny")
    assert (made.visits, made.pictures) == (0, 0)
    assert zipfile.ZipFile(io.BytesIO(content)).namelist() == ["person.json", "visits.json"]


def test_the_summary_says_when_who_was_seen_and_who_looks_like_whom(config: Path) -> None:
    path = config.parent / "family.whg"
    gallery = open_gallery(path, None)
    twin = face(3) + 0.4 * face(90)
    twin = (twin / np.linalg.norm(twin)).astype(np.float32)
    gallery = gallery.with_templates("Adele", [twin], [Template("a.jpg", 1, AT, yaw=20.0, brightness=30.0)], AT)
    adele = gallery.named("Adele")
    assert adele is not None
    over = datetime.now(UTC) - timedelta(days=1)
    write_gallery(gallery.with_about(adele, AT, expires_at=over, guest=True), path)
    loaded = load_config(config)
    ada, second, benny = summaries(loaded, find_lookalikes(loaded))
    assert (ada.name, second.name, benny.name) == ("Ada", "Adele", "Benny")
    assert ada.last_seen and benny.last_seen and benny.last_seen > ada.last_seen and second.last_seen is None
    assert ada.portrait is not None and benny.portrait is not None and second.portrait is None
    assert [like.name for like in ada.alike] == ["Adele"] and [like.name for like in second.alike] == ["Ada"]
    assert (second.expired, second.guest, ada.expired) == (True, True, False)
    assert (second.coverage.right, second.coverage.dark) == (1, 1)
    assert len(ada.from_visits) == 1
