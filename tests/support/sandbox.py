"""Run by the service's own unit in place of the daemon: tries what a daemon that was taken over would try."""

import ctypes
import json
import mmap
import os
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000


def called(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def write(path: str) -> None:
    Path(path).write_text("x")
    Path(path).unlink()


def writable_code() -> None:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def secret() -> None:
    assert (Path(os.environ["CREDENTIALS_DIRECTORY"]) / "mqtt-password").read_text().strip()


def set_uid_file() -> None:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(stat.S_ISUID | stat.S_IRWXU)


def become_root() -> None:
    subprocess.run(["su", "-c", "true"], check=True, capture_output=True, stdin=subprocess.DEVNULL)


ATTEMPTS: dict[str, Callable[[], object]] = {
    "write the state folder": lambda: write("/var/lib/whosthere/probe"),
    "write /tmp": lambda: write(f"{tempfile.gettempdir()}/probe"),
    "read the config": lambda: Path("/etc/whosthere/config.yaml").read_text(),
    "read its secret": secret,
    "open a TCP socket": lambda: socket.socket().close(),
    "read the file of the secret": lambda: Path("/etc/whosthere/mqtt-password").read_text(),
    "write its own program": lambda: write("/opt/whosthere/current/probe"),
    "write the config": lambda: write("/etc/whosthere/probe"),
    "write /usr": lambda: write("/usr/probe"),
    "write /var/log": lambda: write("/var/log/probe"),
    "list /root": lambda: list(Path("/root").iterdir()),
    "write /home": lambda: write("/home/probe"),
    "read other processes": lambda: Path("/proc/1/environ").read_bytes(),
    "become root": become_root,
    "setuid": lambda: os.setuid(0),
    "mount": lambda: called(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None)),
    "make a user namespace": lambda: called(libc.unshare(CLONE_NEWUSER)),
    "trace a process": lambda: called(libc.ptrace(16, os.getppid(), None, None)),
    "reboot": lambda: called(libc.reboot(0)),
    "set the clock": lambda: called(libc.clock_settime(0, ctypes.create_string_buffer(16))),
    "make memory writable and executable": writable_code,
    "open a raw socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "read the kernel's log": lambda: Path("/dev/kmsg").read_text(),
    "read memory": lambda: os.open("/dev/mem", os.O_RDONLY),
    "write a kernel setting": lambda: Path("/proc/sys/kernel/domainname").write_text("x"),
    "make a set-uid file": set_uid_file,
}


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except (OSError, subprocess.CalledProcessError) as error:
        return str(error)
    return "done"


if __name__ == "__main__":
    print(json.dumps({what: outcome(attempt) for what, attempt in ATTEMPTS.items()}))
