"""A person at a terminal: waits for a question, types an answer, or gives up."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Sequence
from types import TracebackType

WAIT_S = 300.0
THINKING_S = 1.0
CTRL_C, CTRL_D = "\x03", "\x04"


class Terminal:
    """A program on a terminal of its own, which is closed at the end of the `with`."""

    def __init__(self, command: Sequence[object], wait_s: float = WAIT_S) -> None:
        self.shown = ""
        """All that has been shown and waited for."""
        self._new = ""
        self._wait_s = wait_s
        self._ours, theirs = pty.openpty()
        whole = ["setsid", "--ctty", "--wait", *map(str, command)]
        self._process = subprocess.Popen(whole, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)

    def answer(self, question: str, text: str) -> None:
        """Waits for the question with its `: `, when what is typed is no longer dropped; types the answer and Enter."""
        self.wait_for(question)
        if not question.endswith(": "):
            self.wait_for(": ")
        os.write(self._ours, f"{text}\r".encode())

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + self._wait_s
        while text not in self._new:
            assert self._read(deadline), f"{text!r} was not shown:\n{self.shown}{self._new}"
        before, _, self._new = self._new.partition(text)
        self.shown += before + text

    def press(self, key: str) -> None:
        """A key, as soon as nothing more is shown: Python drops a Ctrl-C that comes while it is showing a question."""
        while self._read(time.monotonic() + THINKING_S):
            pass
        os.write(self._ours, key.encode())

    def end(self) -> int:
        """Waits until the program has ended; its exit code."""
        deadline = time.monotonic() + self._wait_s
        while self._read(deadline):
            pass
        self.shown, self._new = self.shown + self._new, ""
        assert time.monotonic() < deadline, f"it does not end:\n{self.shown}"
        return self._process.wait(self._wait_s)

    def hang_up(self) -> None:
        """Closes the window, as when the connection is lost."""
        os.close(self._ours)
        self._ours = -1
        self._process.wait(self._wait_s)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ours >= 0:
            self.hang_up()

    def _read(self, deadline: float) -> bool:
        """Something more has been shown."""
        if not select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        try:
            got = os.read(self._ours, 65536)
        except OSError:
            # Linux's way of telling that the other side has closed it.
            return False
        self._new += got.decode(errors="replace")
        return bool(got)
