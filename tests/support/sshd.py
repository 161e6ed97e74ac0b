"""A real sshd on a loopback port of its own, with restricted keys."""

import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.ports import accepts, free_port

_SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
WAIT_S = 120.0


def new_key(path: Path, kind: str = "ed25519") -> Path:
    """An SSH key pair; its path."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", path.name, "-f", str(path)], check=True)
    return path


@dataclass
class Sshd:
    """One server, on which one key may run one command."""

    folder: Path
    key: Path
    command: str
    """What the key is restricted to; empty: nothing."""
    port: int = 0
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self) -> "Sshd":
        assert _SSHD
        self.folder.mkdir(parents=True, exist_ok=True)
        new_key(self.folder / "host_key")
        public = self.key.with_suffix(".pub").read_text()
        authorized = self.folder / "authorized_keys"
        authorized.write_text(f'restrict,command="{self.command}" {public}' if self.command else public)
        authorized.chmod(0o600)
        self.port = free_port()
        lines = [
            f"ListenAddress 127.0.0.1:{self.port}",
            f"HostKey {self.folder / 'host_key'}",
            f"AuthorizedKeysFile {authorized}",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "Subsystem sftp internal-sftp",
        ]
        (self.folder / "sshd_config").write_text("\n".join(lines) + "\n")
        return self.resume()

    def resume(self) -> "Sshd":
        """Listen again, on the same port."""
        assert _SSHD
        with (self.folder / "log").open("wb") as log:
            command = [_SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
            self._process = subprocess.Popen(command, stderr=log, stdout=log)
        deadline = time.monotonic() + WAIT_S
        while not accepts(self.port):
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(WAIT_S)
            self._process = None

    def ssh(self, *options: str) -> list[str]:
        """The client's command line for this server, but for the host and what it is to run."""
        return [*client(self.key), "-p", str(self.port), *options]

    def config(self, name: str) -> str:
        """A section of ~/.ssh/config for this server."""
        return (
            f"Host {name}\n  HostName 127.0.0.1\n  Port {self.port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {self.key}\n  IdentitiesOnly yes\n"
            "  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n"
        )


def client(key: Path) -> list[str]:
    options = ("IdentitiesOnly=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes")
    named = [word for option in (*options, "LogLevel=ERROR") for word in ("-o", option)]
    return ["ssh", "-F", "none", "-i", str(key), *named, "-l", getpass.getuser()]


@contextmanager
def running_sshd(folder: Path, key: Path, command: str) -> Iterator[Sshd]:
    """A started Sshd, gone at the end. Skips the test where sshd is not installed."""
    if _SSHD is None:
        pytest.skip("sshd is not installed (Debian: apt-get install openssh-server)")
    if os.geteuid() == 0:
        # Debian's sshd wants it and its service makes it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = Sshd(folder, key, command).start()
    try:
        yield server
    finally:
        server.stop()
