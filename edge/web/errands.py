"""What needs vectors is done in a process of its own, which ends with the answer, so that the page never loads numpy.

An errand is a function of the box: it gets its arguments, and gives its result, as JSON.
"""

import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from edge.errors import ConfigError, GalleryError, UsageError, WhosthereError
from edge.web.box import WebBox
from edge.web.errand import ErrandRequest
from edge.web.programs import LIMIT_S, CommandFailed

T = TypeVar("T")
_KINDS = {kind.exit_code: kind for kind in (UsageError, ConfigError, GalleryError)}
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Errand(Generic[T]):
    """A function that takes the box's config first; tests/test_web_errands.py looks at each."""

    function: str
    """As in `edge.people.removing:forget`."""
    gives: type[T]
    """`NoneType`: whatever it returns is for nobody."""

    def run(self, box: WebBox, **given: Any) -> T:
        """Run it and wait for the result; call it in a thread. Raises WhosthereError as the function does."""
        request = ErrandRequest(self.function, str(box.config_path), given, quiet=self.gives is type(None))
        words = [sys.executable, "-P", "-m", "edge.web.errand"]
        with _one_at_a_time:
            try:
                done = subprocess.run(
                    words, input=msgspec.json.encode(request), capture_output=True, check=False, timeout=LIMIT_S
                )
            except subprocess.TimeoutExpired as error:
                raise CommandFailed(f"this took longer than {LIMIT_S:.0f} s; try again") from error
        if done.returncode and done.stdout:
            raise _KINDS.get(done.returncode, WhosthereError)(done.stdout.decode(errors="replace"))
        if done.returncode:
            raise RuntimeError(f"{self.function} crashed:\n{done.stderr.decode(errors='replace')}")
        return msgspec.json.decode(done.stdout, type=self.gives)
