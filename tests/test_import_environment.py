"""The environments of imports: made once, whole or not at all, from a package made here, without a network.

Those that make a virtual environment take seconds of CPU, so most of them are slow tests.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from converter.importing import environment
from converter.importing.environment import Toolchain, folder_of_environments, python_of
from converter.importing.worker import Worker
from edge.errors import ModelError, WhosthereError
from support.converting import run

ROOT = Path(__file__).parents[1]
MAKE = """
import sys
from pathlib import Path
from converter.importing.environment import Toolchain, python_of

name, pins = sys.argv[1:]
print(python_of(Toolchain(name, ("tiny-tool",), ("tiny_tool",), 0.1, Path(pins))))
"""


def wheel(folder: Path, version: str, code: str = "VERSION = 1\n") -> None:
    """A package `tiny-tool` of one module."""
    folder.mkdir(exist_ok=True)
    info = f"tiny_tool-{version}.dist-info"
    with zipfile.ZipFile(folder / f"tiny_tool-{version}-py3-none-any.whl", "w") as archive:
        archive.writestr("tiny_tool.py", code)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-tool\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", f"tiny_tool.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pins of `tiny-tool`, which pip finds in a folder and nowhere else."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    wheel(tmp_path / "wheels", "1.0")
    path = tmp_path / "tiny.txt"
    path.write_text("# made here\ntiny-tool==1.0\n")
    return path


def chain_of(pins: Path) -> Toolchain:
    return Toolchain("tiny", ("tiny-tool",), ("tiny_tool",), 0.1, pins)


def folders() -> list[str]:
    return sorted(path.name for path in folder_of_environments().iterdir() if path.is_dir())


@pytest.mark.slow
def test_it_is_made_once_said_before_and_used_again(pins: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = python_of(chain_of(pins))
    said = capsys.readouterr().err
    assert said.startswith(f"installing tiny-tool 1.0 and what they need, once, into {made.parents[1]}: about 0.1 GB")
    done = subprocess.run([made, "-I", "-c", "import tiny_tool, edge"], capture_output=True, text=True, check=False)
    assert "No module named 'edge'" in done.stderr

    assert python_of(chain_of(pins)) == made
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_other_pins_make_another_and_the_old_one_goes(pins: Path, tmp_path: Path) -> None:
    old = python_of(chain_of(pins))
    wheel(tmp_path / "wheels", "2.0", "VERSION = 2\n")
    pins.write_text("tiny-tool==2.0\n")
    new = python_of(chain_of(pins))
    assert new != old and not old.exists()
    assert folders() == [new.parents[1].name]
    assert subprocess.run([new, "-c", "import tiny_tool; assert tiny_tool.VERSION == 2"], check=False).returncode == 0


@pytest.mark.slow
def test_one_whose_python_is_gone_is_made_again(pins: Path) -> None:
    made = python_of(chain_of(pins))
    for link in (made, *made.parent.glob("python3*")):
        link.unlink()
    assert python_of(chain_of(pins)) == made and made.exists()


@pytest.mark.slow
def test_a_kill_while_it_is_made_leaves_nothing_that_is_used(pins: Path, tmp_path: Path) -> None:
    """The package never finishes importing, which happens last: by then everything is installed."""
    wheel(tmp_path / "wheels", "1.0", "import time, pathlib\npathlib.Path(__file__).with_name('here').touch()\n"
          "time.sleep(600)\n")  # fmt: skip
    command = [sys.executable, "-c", MAKE, "tiny", str(pins)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as making:
        while making.poll() is None and not list(folder_of_environments().glob("*/lib/*/site-packages/here")):
            time.sleep(0.05)
        assert making.poll() is None
        os.killpg(making.pid, signal.SIGKILL)
    left = folders()
    assert len(left) == 1 and left[0].startswith("part-tiny-")

    wheel(tmp_path / "wheels", "1.0")
    made = python_of(chain_of(pins))
    assert folders() == [made.parents[1].name]


@pytest.mark.slow
def test_one_that_does_not_import_is_not_kept(pins: Path, tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "1.0", "raise ImportError('libcudart.so.13: no such file')\n")
    with pytest.raises(
        WhosthereError, match=r"tiny-tool 1\.0 were installed, but do not run on this machine.*libcudart"
    ):
        python_of(chain_of(pins))
    assert folders() == []


@pytest.mark.slow
def test_two_commands_at_once_make_one(pins: Path) -> None:
    command = [sys.executable, "-c", MAKE, "tiny", str(pins)]
    both = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    answers = [process.communicate(timeout=600) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert answers[0][0] == answers[1][0] != ""
    assert sum("installing tiny-tool 1.0" in said for _, said in answers) == 1


@pytest.mark.slow
def test_without_a_network_it_says_how_to_fetch_the_packages_elsewhere(
    pins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real command, and pip that finds nothing."""
    shutil.rmtree(tmp_path / "wheels")
    (tmp_path / "arcface.onnx").write_bytes(b"not read")
    words = ("--range", "-1..1", "--licence", "MIT", "-o", tmp_path / "out")
    code, _, said = run("convert", tmp_path / "arcface.onnx", *words)
    assert code == 4
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    assert "pip could not install onnx2tf" in said and "nothing was kept" in said
    assert f"{version} -m pip download -d wheels --ignore-requires-python --only-binary :all: --constraint" in said
    assert "set PIP_NO_INDEX=1 PIP_FIND_LINKS=wheels" in said
    assert folders() == [] and not (tmp_path / "out").exists()


def test_a_full_disk_and_another_python_are_said_before_anything_is_made(
    pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Toolchain("tiny", ("tiny-tool",), ("tiny_tool",), 1e9, pins)
    with pytest.raises(ModelError, match=r"GB free; 1e\+09 GB are needed for tiny-tool 1\.0; make room, or set XDG"):
        python_of(chain)
    monkeypatch.setattr(environment, "NEWEST", (3, 10))
    with pytest.raises(ModelError, match=r"importing needs another Python: found 3\.\d+; allowed: 3.11 to 3.10"):
        python_of(chain_of(pins))
    assert folders() == []


def worker(folder: Path, code: str) -> Worker:
    script = folder / "script.py"
    script.write_text(f"import json, sys, os\nrequest = json.load(open(sys.argv[1]))\n{code}\n")
    return Worker(Path(sys.executable), str(script), folder, Path("arcface.onnx"))


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("raise ValueError('odd shape')", "ended with exit code 1: ValueError: odd shape"),
        ("os.kill(os.getpid(), 9)", "was ended by SIGKILL: too little memory"),
        ("open(request['result'], 'w').write('{')", "ended with exit code 0"),
        ("json.dump({'refused': 'two inputs'}, open(request['result'], 'w'))", "arcface.onnx: two inputs"),
    ],
)
def test_a_tool_that_fails_is_one_message(code: str, wanted: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=wanted):
        worker(tmp_path, code).ask("convert")


def test_a_tool_gets_nothing_of_the_users_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    code = "json.dump({'env': dict(os.environ), 'path': sys.path}, open(request['result'], 'w'))"
    found = worker(tmp_path, code).ask("convert")
    assert "hidden" not in str(found) and "/elsewhere" not in str(found)
    assert found["env"]["HOME"] == str(tmp_path)
