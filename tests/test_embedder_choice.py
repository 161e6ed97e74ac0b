"""`models.embedder: auto`: int8 where the CPU gains from it, and galleries that do not notice."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from edge.config import typed_yaml
from edge.config.faces import DetectSettings, QualitySettings
from edge.config.loading import default_config
from edge.config.sections import ModelSettings
from edge.errors import GalleryError, ModelError
from edge.faces.analyser import Analyser
from edge.faces.loading import load_analyser
from edge.galleries.file import open_gallery, write_gallery
from edge.galleries.gallery import Gallery, Template
from edge.inspection.loading import Recognition
from edge.models import card, embedder_choice
from edge.models.card import BUNDLED
from edge.models.embedder_choice import choose_embedder, dot_products, embedder_card
from support.portraits import BIDEN, COLLINS, HOPPER, OBAMA, read_picture

AUTO = ModelSettings()
PI_4 = "processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\n"
PI_5 = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes pmull atomics fphp asimdhp cpuid lrcpc dcpop asimddp\n"
EPYC = "model name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512f avx512_bf16 avx512_vnni rdpid\n"
N100 = "model name\t: Intel(R) N100\nflags\t\t: fpu avx2 avx_vnni serialize\n"
OLD = "model name\t: Intel(R) Core(TM) i5-4570\nflags\t\t: fpu avx2 fma\n"


def with_cpu(patch: pytest.MonkeyPatch, text: str, folder: Path) -> None:
    """Let everything believe in a CPU, and in a runtime with fast kernels."""
    path = folder / "cpuinfo"
    path.write_text(text)
    patch.setattr(embedder_choice, "CPUINFO", path)
    patch.setattr(embedder_choice, "INT8_RUNTIME", "edge")


@pytest.mark.parametrize(
    ("text", "found"),
    [(PI_4, None), (PI_5, "asimddp"), (EPYC, "avx512_vnni"), (N100, "avx_vnni"), (OLD, None), ("", None)],
    ids=["Pi 4", "Pi 5", "EPYC", "N100", "Haswell", "nothing"],
)
def test_a_cpu_says_whether_it_multiplies_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, found: str | None
) -> None:
    with_cpu(monkeypatch, text, tmp_path)
    assert dot_products() == found
    (tmp_path / "cpuinfo").unlink()
    assert dot_products() is None


def test_auto_is_int8_where_the_cpu_gains_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_cpu(monkeypatch, PI_5, tmp_path)
    assert choose_embedder(AUTO).int8
    assert choose_embedder(AUTO).why == "int8, as this CPU has dot products of bytes (asimddp)"
    assert choose_embedder(replace(AUTO, xnnpack=False)).why == "float32, as models.xnnpack is false"
    assert not choose_embedder(replace(AUTO, xnnpack=False)).int8
    monkeypatch.setattr(embedder_choice, "INT8_RUNTIME", "no_such_package")
    assert choose_embedder(AUTO).why == "float32, as tflite-runtime has no fast kernels for int8"
    with_cpu(monkeypatch, PI_4, tmp_path)
    assert choose_embedder(AUTO).why == "float32, as this CPU has no dot products of bytes"
    assert not choose_embedder(AUTO).int8


@pytest.mark.parametrize("name", ["mobilefacenet", "mobilefacenet-int8"])
def test_a_name_in_the_config_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with_cpu(monkeypatch, EPYC, tmp_path)
    chosen = choose_embedder(ModelSettings(embedder=name))

    assert (chosen.path, chosen.int8, chosen.why) == (BUNDLED / f"{name}.yaml", False, "")
    assert chosen.card == card.read_card(chosen.path)


def test_thresholds_come_from_the_card_of_what_runs_and_galleries_are_tied_to_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    float32, int8 = (card.read_card(card.find(name)) for name in ("mobilefacenet", "mobilefacenet-int8"))
    with_cpu(monkeypatch, EPYC, tmp_path)
    found = embedder_card(AUTO)

    assert (found.name, found.sha256) == (float32.name, float32.sha256)
    assert (found.calibration, found.infrared_calibration) == (int8.calibration, int8.infrared_calibration)
    assert found.calibration != float32.calibration
    with_cpu(monkeypatch, OLD, tmp_path)
    assert embedder_card(AUTO) == float32


def bundle(folder: Path, **changed: object) -> Path:
    """The bundled embedder and its int8 file elsewhere; `changed` are keys of the int8 card."""
    for path in BUNDLED.glob("mobilefacenet*"):
        shutil.copy(path, folder)
    path = folder / "mobilefacenet-int8.yaml"
    path.write_text(typed_yaml.dump(typed_yaml.read(path) | changed), encoding="utf-8")
    return folder / "mobilefacenet.yaml"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"outputs": [[1, 128]]}, "its `int8` names mobilefacenet-int8, but outputs differ"),
        ({"alignment": None, "crop": 1.2}, "its `int8` names mobilefacenet-int8, but alignment, crop differ"),
    ],
)
def test_an_int8_card_of_another_network_is_refused(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        card.load(bundle(tmp_path, **changed), "embed", int8=True)


def test_a_card_without_an_int8_file_or_with_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = bundle(tmp_path)
    (tmp_path / "mobilefacenet-int8.tflite").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"mobilefacenet-int8.tflite: sha256 is"):
        card.load(path, "embed", int8=True)
    with pytest.raises(ModelError, match=r"mobilefacenet-int8.yaml: names no card under `int8`"):
        card.load(tmp_path / "mobilefacenet-int8.yaml", "embed", int8=True)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Analyser]:
    """The stages on an old CPU and on one that multiplies bytes."""
    with pytest.MonkeyPatch.context() as patch:
        made = {}
        for name, text in (("old", OLD), ("new", EPYC)):
            with_cpu(patch, text, tmp_path_factory.mktemp("cpu"))
            made[name] = load_analyser(AUTO, DetectSettings(), QualitySettings())
    return made


def portrait(analyser: Analyser, path: Path) -> np.ndarray:
    (found,) = analyser.portraits(read_picture(path))
    assert found.embedding is not None
    return found.embedding


def test_both_files_give_nearly_the_same_vectors(both: dict[str, Analyser]) -> None:
    for path in (BIDEN, COLLINS, HOPPER, OBAMA):
        one, other = portrait(both["old"], path), portrait(both["new"], path)
        assert 0.995 < float(one @ other) < 1 - 1e-6


def test_a_gallery_is_that_of_both_whichever_box_made_it_and_of_no_other(
    both: dict[str, Analyser], tmp_path: Path
) -> None:
    path = tmp_path / "gallery.whg"
    for maker, reader in (("old", "new"), ("new", "old")):
        made, read = both[maker].embedder, both[reader].embedder
        empty = Gallery.empty(made.id, made.dimensions)
        origin = Template("photo.jpg", 0.9, "2026-11-30T00:00:00Z")
        write_gallery(
            empty.with_templates("Ada", [portrait(both[maker], HOPPER)], [origin], "2026-11-30T00:00:00Z"), path
        )

        known = open_gallery(path, read.id, dimensions=read.dimensions)

        assert float(known.embeddings[0] @ portrait(both[reader], HOPPER)) > 0.995
    alone = card.read_card(card.find("mobilefacenet-int8"))
    with pytest.raises(GalleryError, match="mobilefacenet"):
        open_gallery(path, replace(made.id, name=alone.name, sha256=alone.sha256))


def test_check_and_doctor_say_which_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_cpu(monkeypatch, EPYC, tmp_path)
    recognition = Recognition(default_config())
    found = {finding.check: finding.found for finding in recognition.load_networks()}

    assert found["embedder"].startswith("mobilefacenet: ")
    assert found["embedder"].endswith("; int8, as this CPU has dot products of bytes (avx512_vnni)")
    assert "int8" not in found["landmarks"]
