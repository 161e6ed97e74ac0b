"""How much memory each page of a box needs: `python -m tools.page_memory CONFIG`, which sets the page's password.

Each page alone in a process that was started for it, as systemd does after a pause; then all of them in one process.
A bare Python is measured too: what a page has beyond it is the page's.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge.config.loading import load_config
from edge.web.password import set_password
from tools.bench.daemons import memory_mb
from tools.web_process import WebProcess

PAGES = ("/door", "/visits", "/strangers", "/people", "/guests", "/box")
TIDY_S = 1.5
"""A second after a request, the page gives back what that has left over."""
PASSWORD = "measured by hand"  # noqa: S105  (of a page that lives as long as this)


def print_memory(config: Path) -> None:
    """The table, in MB that no other process shares."""
    bare = _bare_mb()
    print(f"{'own MB':<28}{'whole':>9}{'beyond a bare Python':>22}\n{'a bare Python':<28}{bare:>9.1f}")
    cookie = _cookie(config)
    alone = {path: _after(config, cookie, [path]) for path in PAGES}
    rows = {"the log-in": _after(config, "", ["/login"]), **alone, "all in one process": _after(config, cookie, PAGES)}
    for what, whole in rows.items():
        print(f"{what:<28}{whole:>9.1f}{whole - bare:>22.1f}", flush=True)


def _cookie(config: Path) -> str:
    """The cookie of a session; afterwards every module is compiled."""
    with _page(config) as web:
        cookie = web.log_in(PASSWORD)
    _after(config, cookie, PAGES)
    return cookie


def _after(config: Path, cookie: str, paths: Sequence[str]) -> float:
    """What a process has of its own after each page has been asked for twice."""
    with _page(config, cookie) as web:
        for path in (*paths, *paths):
            web.read(path)
        time.sleep(TIDY_S)
        return memory_mb(web.process.pid)[1]


@contextmanager
def _page(config: Path, cookie: str = "") -> Iterator[WebProcess]:
    web = WebProcess(config, cookie=cookie)
    try:
        yield web
    finally:
        web.end()


def _bare_mb() -> float:
    words = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101  (it is a pipe)
        process.stdout.readline()
        return memory_mb(process.pid)[1]


def main() -> None:
    """Measure the pages of one box."""
    config = Path(sys.argv[1])
    set_password(Path(load_config(config).config.web.path), PASSWORD)
    print_memory(config)


if __name__ == "__main__":
    main()
