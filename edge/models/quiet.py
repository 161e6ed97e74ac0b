"""Keeps what libraries say off the terminal where whosthere says it better; whatever else they print is still seen."""

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

_STDERR = 2
_CHATTER = re.compile(
    # The TFLite runtime about its normal work.
    rb"(INFO: |VERBOSE: |I\d{4} \d\d:|WARNING: All log messages before absl::InitializeLog"
    # libjpeg and libpng about damaged pictures, which name no file.
    rb"|Corrupt JPEG data|Premature end of JPEG|Invalid SOS parameters|Inconsistent progression sequence"
    rb"|Warning: unknown JFIF revision|Unsupported marker type|libpng (?:warning|error): ).*\n?"
)
_redirecting = threading.Lock()
"""The descriptor belongs to the whole process."""


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hold back what is written to the descriptor of stderr, by C++ or any thread; at the end, write all but chatter.

    One thread at a time. Nothing is held back where the process has no stderr or no file can be made.
    """
    with _redirecting:
        held = _held()
        if held is None:
            yield
            return
        terminal = os.dup(_STDERR)
        try:
            os.dup2(held.fileno(), _STDERR)
            yield
        finally:
            _flush()
            os.dup2(terminal, _STDERR)
            os.close(terminal)
            _pass_on(held)


def _held() -> BinaryIO | None:
    """A file for what is held back."""
    _flush()
    try:
        os.fstat(_STDERR)
        if hasattr(os, "memfd_create"):
            # In memory: the disk may be full.
            return os.fdopen(os.memfd_create("stderr"), "r+b", buffering=0)
        return tempfile.TemporaryFile(buffering=0)
    except OSError:
        return None


def _flush() -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()


def _pass_on(held: BinaryIO) -> None:
    with held, suppress(OSError):
        held.seek(0)
        for line in held:
            if not _CHATTER.fullmatch(line):
                os.write(_STDERR, line)
