"""Networks on one thread under tflite-runtime.

Its threads wait for each other in busy loops: beside other processes, two cost thirty times the CPU time of one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from edge.models import tflite

SETTINGS: dict[str, Any] = {"threads": 1} if tflite.find_runtime().package == tflite.TFLITE_RUNTIME else {}
"""The section `models` of a config.yaml for tests."""


@contextmanager
def one_thread() -> Iterator[None]:
    """In this process, whatever the configuration says."""
    real = tflite.open_interpreter
    with pytest.MonkeyPatch.context() as patch:
        if SETTINGS:
            patch.setattr(
                tflite, "open_interpreter", lambda *given, **options: real(*given, **{**options, "threads": 1})
            )
        yield
