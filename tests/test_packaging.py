"""The wheel and the sdist as somebody else gets them: built here, used from another folder."""

import importlib.util
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from converter.__main__ import COMMANDS
from support.portraits import OBAMA, PORTRAITS
from support.ports import free_port

ROOT = Path(__file__).parents[1]
EXTRA = "flatbuffers h5py jinja2 keras matplotlib PIL pyrage rich tensorflow tf_keras"
"""What only the extra `converter` brings."""
INSTALL = "which is not installed; install the extra `converter`: pip install 'whosthere[converter]'"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and with the wheel that is made from it."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed")
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run([*build, "-t", "sdist"], cwd=ROOT, check=True, capture_output=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as packed:
        packed.extractall(folder, filter="data")
    subprocess.run([*build, "-t", "wheel"], cwd=unpacked(folder), check=True, capture_output=True)
    return folder


def unpacked(dist: Path) -> Path:
    """The sdist's only folder."""
    [folder] = (path for path in dist.iterdir() if path.is_dir())
    return folder


@pytest.fixture(scope="module")
def site(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as it lies in site-packages."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        wheel.extractall(folder)  # noqa: S202  (our own)
    return folder


def run(site: Path, folder: Path, *command: str | Path, typed: str = "") -> "subprocess.CompletedProcess[str]":
    """`python COMMAND` in `folder`, with the packages of `site` before this checkout's."""
    words = [sys.executable, "-P", *map(str, command)]
    environment = os.environ | {"PYTHONPATH": str(site)}
    return subprocess.run(
        words, cwd=folder, env=environment, input=typed, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.slow
def test_setup_from_the_wheel_writes_the_commented_reference(site: Path, tmp_path: Path) -> None:
    answers = ["front-door", OBAMA, "127.0.0.1", "n", free_port(), "", "n"]
    done = run(
        site, tmp_path, "-m", "edge", "setup", "--config", "config.yaml", typed="\n".join(map(str, answers)) + "\n"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    comments = [line for line in (ROOT / "config.yaml").read_text().splitlines() if line.lstrip().startswith("# ")]
    written = (tmp_path / "config.yaml").read_text().splitlines()
    assert len(comments) > 100
    assert set(comments) - set(written) == {"# device_id: front-door"}


def test_the_wheel_carries_both_packages_typed_and_no_tests(site: Path) -> None:
    assert {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")} == {"edge", "converter"}
    for package in ("edge", "converter"):
        assert (site / package / "py.typed").exists()
    assert {path.name for path in (site / "converter" / "importing" / "pins").iterdir()} == {"onnx.txt", "torch.txt"}
    [metadata] = site.glob("*.dist-info/METADATA")
    assert "Classifier: Typing :: Typed" in metadata.read_text()


WITHOUT_MODULES = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
from converter.__main__ import main
main(sys.argv[2:], prog_name="whosthere-converter")
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_without_its_extra_the_converter_says_what_to_install(site: Path, tmp_path: Path, name: str) -> None:
    done = run(site, tmp_path, "-c", WITHOUT_MODULES, EXTRA, name, "--help")
    assert "Traceback" not in done.stderr
    if done.returncode == 0:
        assert done.stdout.startswith("Usage: ")
    else:
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert INSTALL in done.stderr


def test_what_a_command_imports_only_while_it_runs_is_named_too(site: Path, tmp_path: Path) -> None:
    words = ("train", "--network", "cnn", "--images", PORTRAITS / "enroll", "-o", "out")
    done = run(site, tmp_path, "-c", WITHOUT_MODULES, "tensorflow keras tf_keras", *words)
    assert done.returncode == 4
    assert "pip install 'whosthere[converter]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_sdist_has_what_its_makefile_needs(dist: Path) -> None:
    folder = unpacked(dist)
    for name in ("constraints.txt", "config.yaml", "README.md", "tools/prose.py", ".ci/run", "tests/conftest.py"):
        assert (folder / name).exists(), name
    # Under `make test`, the outer make would have its say.
    alone = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}}
    plan = subprocess.run(
        ["make", "--dry-run", "demo"], cwd=folder, env=alone, capture_output=True, text=True, check=False
    )
    assert plan.returncode == 0, plan.stderr
    assert plan.stdout.rstrip().endswith(".venv/bin/whosthere demo")


@pytest.mark.slow(30)
def test_the_demo_runs_from_the_sdist(dist: Path, tmp_path: Path) -> None:
    done = run(unpacked(dist), tmp_path, "-m", "edge", "demo", "--plain", "--fast")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 visitors" in done.stdout
