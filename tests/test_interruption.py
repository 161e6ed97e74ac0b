"""Ctrl-C in the middle of long work: one line, and the same command goes on."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converter import convert, embeddings
from converter.convert import Job, ModelOrigin
from converter.embeddings import CachingEmbedder, embed_with_all
from converter.exits import Interrupted
from converter.input_spec import template
from edge.config.faces import DetectSettings
from edge.config.sections import ModelSettings
from edge.models.card import InputSpec
from support import small_lfw
from support.float_models import residual_network


@pytest.fixture
def small(tmp_path: Path) -> Path:
    small_lfw.make(tmp_path / "small")
    return tmp_path / "small"


def interrupted_when_read(pipe: Path, process: int) -> None:
    """SIGINT for a process as soon as it waits for what is in a pipe."""

    def wait() -> None:
        with pipe.open("wb"):
            os.kill(process, signal.SIGINT)

    threading.Thread(target=wait, daemon=True).start()


def test_what_was_done_before_an_interruption_is_remembered(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    *pictures, last = sorted((small / "images").glob("*/*.jpg"))

    def read(picture: Path) -> bytes:
        if picture == last:
            raise KeyboardInterrupt
        return picture.read_bytes()

    def embedder() -> CachingEmbedder:
        return CachingEmbedder(ModelSettings(), DetectSettings(), tmp_path / "cache")

    monkeypatch.setattr(embeddings, "read_content", read)
    with pytest.raises(Interrupted, match="interrupted; 5 faces are kept, and the same command goes on from"):
        embed_with_all([embedder()], [*pictures, last])

    keys = [hashlib.sha256(picture.read_bytes()).hexdigest() for picture in pictures]
    again = embedder()
    assert all(again.holds(key) for key in keys)


def test_an_interruption_is_one_line(small: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pairs"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "converter", "evaluate", "--pairs", pipe, "--images", small / "images"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    interrupted_when_read(pipe, process.pid)
    _, said = process.communicate(timeout=300)

    assert process.returncode == 130
    assert said.splitlines()[-1].endswith(": interrupted")
    assert "Traceback" not in said


class Stopped(list[Any]):
    """Faces at whose sight the user presses Ctrl-C."""

    def __iter__(self) -> Iterator[Any]:
        raise KeyboardInterrupt


def test_variants_that_were_finished_are_kept(tmp_path: Path) -> None:
    graph = residual_network()
    spec = InputSpec(graph.shape(graph.inputs[0]), "rgb", 127.5, 128.0)
    noise = [np.random.default_rng(i).uniform(-1, 1, spec.shape).astype(np.float32) for i in range(12)]
    job = Job(
        ModelOrigin("mine", spec, template(spec.shape[1]), None, "", ""), graph.pack(), noise[:8], noise[8:], "noise"
    )

    with pytest.raises(Interrupted, match="interrupted at int8; done: fp32; the same command goes on"):
        convert.run(replace(job, faces=Stopped(job.faces)), tmp_path, ["fp32", "int8"])
    results = convert.run(job, tmp_path, ["fp32", "int8"])

    assert [(r.variant, r.kept) for r in results] == [("fp32", True), ("int8", False)]
