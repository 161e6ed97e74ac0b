"""A Debian box with systemd as its PID 1, in systemd-nspawn on a virtual network of its own."""

import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.demo.box import FOLDER, PORTRAITS

WAIT_S = 240.0
"""A busy machine takes minutes to install; everything that waits returns as soon as it can."""
OUTSIDE, INSIDE = "10.77.61.1", "10.77.61.2"
TOOLS = ("systemd-nspawn", "nsenter", "ip", "tar", "mosquitto")
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000
CLIP = "/usr/local/share/clip.mp4"
GALLERY = "/var/lib/whosthere/gallery.whg"
INSTALL = "/root/whosthere/systemd/install.sh"


def why_not() -> str | None:
    """What keeps this machine from being the host of a box; None: nothing."""
    if os.environ.get("WHOSTHERE_SYSTEMD") != "1":
        return "boots a machine, which takes minutes: `make test-systemd`"
    if os.geteuid() != 0:
        return "systemd-nspawn needs root"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    return f"not installed: {', '.join(missing)}" if missing else None


@dataclass
class Box:
    """A booted box."""

    root: Path
    pid: int
    """The process id of its systemd, seen from outside."""

    def run(self, command: str, *, ok: bool = True, timeout_s: float = WAIT_S) -> str:
        """A shell command inside, as root; what it printed. `ok`: it must not fail."""
        done = self.attempt(command, timeout_s=timeout_s)
        assert done.returncode == 0 or not ok, f"{command}\nended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def attempt(self, command: str, *, timeout_s: float = WAIT_S) -> "subprocess.CompletedProcess[str]":
        """The same with its exit code, whatever that is."""
        return subprocess.run(
            self.inside(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def inside(self, command: str) -> list[str]:
        """The command line that runs it there, from outside."""
        enter = ["nsenter", "--target", str(self.pid), "--all", "env", "-i", "HOME=/root", "LANG=C.UTF-8", "TERM=xterm"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return [*enter, path, "sh", "-c", command]

    def show(self, *properties: str) -> list[str]:
        """Properties of the service, in systemd's own order of them."""
        wanted = ",".join(properties)
        return self.run(f"systemctl show --property {wanted} --value whosthere.service").splitlines()

    def wait_until(self, what: str, found: Callable[[], bool], timeout_s: float = WAIT_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not found():
            status = "systemctl --no-pager --lines=20 status whosthere.service"
            assert time.monotonic() < deadline, f"not in {timeout_s:.0f} s: {what}\n{self.run(status, ok=False)}"
            time.sleep(0.3)

    def wait_for_journal(self, text: str) -> None:
        self.wait_until(f"{text!r} in the journal", lambda: text in self.journal())

    def journal(self) -> str:
        return self.run("journalctl --quiet --no-pager --output cat --unit whosthere.service")

    def main_process(self) -> int:
        """The daemon's process id, seen from outside; 0: there is none."""
        [inside] = self.show("MainPID")
        if inside == "0":
            return 0
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                text = status.read_text()
            except OSError:
                continue
            ids = next((line.split()[1:] for line in text.splitlines() if line.startswith("NSpid:")), [])
            if ids[1:] == [inside] and self._same_namespace(status.parent):
                return int(status.parent.name)
        return 0

    def processes(self, text: str) -> list[int]:
        """Those inside whose command line holds the text, as they are seen from outside."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if text.encode() in (process / "cmdline").read_bytes() and self._same_namespace(process):
                    found.append(int(process.name))
            except OSError:
                continue
        return found

    def kill(self, text: str) -> None:
        """As a power cut would, those processes."""
        for process in self.processes(text):
            os.kill(process, signal.SIGKILL)

    def _same_namespace(self, process: Path) -> bool:
        return (process / "ns/pid").readlink() == Path(f"/proc/{self.pid}/ns/pid").readlink()


@contextmanager
def stalled_threads(pid: int, only: Set[int] | None = None) -> Iterator[None]:
    """Every thread of a process but its main one (or those given) stands still, as in a driver that hangs."""
    libc = ctypes.CDLL(None, use_errno=True)
    threads = {int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()} - {pid}
    held = sorted(threads if only is None else only)
    for thread in held:
        assert libc.ptrace(PTRACE_SEIZE, thread, None, None) == 0, os.strerror(ctypes.get_errno())
        assert libc.ptrace(PTRACE_INTERRUPT, thread, None, None) == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        for thread in held:
            while libc.ptrace(PTRACE_DETACH, thread, None, None) != 0 and not _reaped(thread):
                pass


def _reaped(thread: int) -> bool:
    """Whether it has ended. Its process stays until the one that traced it has asked."""
    try:
        _, how = os.waitpid(thread, WALL)
    except ChildProcessError:
        return True
    return os.WIFEXITED(how) or os.WIFSIGNALED(how)


@contextmanager
def furnished(folder: Path) -> Iterator[Box]:
    """A fresh box with what WHOSTHERE_BOX holds, portraits and a clip. Skips the test where that cannot be."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    made = Path(os.environ["WHOSTHERE_BOX"])
    print("the box is a", (made / "manifest").read_text().partition("\n")[0])
    with booted(made / "rootfs.tar", folder) as box:
        shutil.copytree(made / "bundle", box.root / "root/whosthere")
        shutil.copytree(PORTRAITS, box.root / "root/portraits")
        shutil.copy(FOLDER / "clip.mp4", box.root / CLIP.lstrip("/"))
        yield box


@contextmanager
def booted(rootfs: Path, folder: Path) -> Iterator[Box]:
    """A fresh box from a root file system in a tar file, powered off and removed at the end."""
    root = folder / "root"
    root.mkdir(parents=True)
    subprocess.run(["tar", "-xf", rootfs, "-C", root, "--exclude=./dev/*"], check=True)
    (root / "etc/hostname").write_text("front-door\n")
    for unit in ("systemd-networkd-wait-online.service", "systemd-networkd.service", "systemd-resolved.service"):
        (root / "etc/systemd/system" / unit).symlink_to("/dev/null")
    name = f"wh{os.getpid() % 100000}"
    command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "-M", name, "-D", str(root), "--boot"]
    command += ["--private-network", "--console=read-only", "--kill-signal=SIGRTMIN+3"]
    environment = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
    with (folder / "console").open("wb") as console:
        nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment)
    try:
        box = Box(root, _init_of(nspawn))
        _connect(box, name)
        box.wait_until("the box is up", lambda: box.attempt("systemctl is-system-running").stdout.strip() in UP)
        yield box
    finally:
        nspawn.terminate()
        try:
            nspawn.wait(30)
        except subprocess.TimeoutExpired:
            nspawn.kill()
            nspawn.wait(30)
        shutil.rmtree(root, ignore_errors=True)


UP = {"running", "degraded"}


def _init_of(nspawn: "subprocess.Popen[bytes]") -> int:
    deadline = time.monotonic() + WAIT_S
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
    while time.monotonic() < deadline:
        if nspawn.poll() is not None:
            pytest.fail(f"systemd-nspawn ended with {nspawn.returncode}")
        for child in children.read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
        time.sleep(0.1)
    pytest.fail("systemd-nspawn has started no systemd")


def _connect(box: Box, name: str) -> None:
    """A cable between here and the box."""
    inside = ["nsenter", "--target", str(box.pid), "--net"]
    for command in (
        ["ip", "link", "add", name, "type", "veth", "peer", "name", "host0", "netns", str(box.pid)],
        ["ip", "address", "add", f"{OUTSIDE}/30", "dev", name],
        ["ip", "link", "set", name, "up"],
        [*inside, "ip", "address", "add", f"{INSIDE}/30", "dev", "host0"],
        [*inside, "ip", "link", "set", "host0", "up"],
    ):
        subprocess.run(command, check=True, capture_output=True)
