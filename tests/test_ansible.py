"""The Ansible role: clean for ansible-lint, and run against real sshd hosts."""

import contextlib
import getpass
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.galleries.file import open_gallery
from support.box import SIGNER, bundle
from support.sshd import Sshd, new_key, running_sshd

ROOT = Path(__file__).parent.parent
ROLE = ROOT / "systemd" / "ansible"
PROGRAMS = ROOT / ".venv-ansible" / "bin"


def ansible(program: str, *words: str) -> tuple[int, str]:
    """Exit code and output."""
    if not (PROGRAMS / program).exists():
        pytest.skip("Ansible is not installed here: `make test-ansible` sets it up and runs this")
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROLE / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    environment |= {"ANSIBLE_PIPELINING": "1", "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=10s"}
    environment["PATH"] = f"{PROGRAMS}:{environment['PATH']}"
    command = [str(PROGRAMS / program), *words]
    with tempfile.TemporaryFile("w+") as output:
        # Not a pipe: a connection that is kept open would hold on to it.
        done = subprocess.run(command, cwd=ROLE, env=environment, stdout=output, stderr=output, check=False)
        output.seek(0)
        return done.returncode, output.read()


def test_the_role_passes_ansible_lint() -> None:
    code, output = ansible("ansible-lint", "--offline", "--profile", "production", ".")
    assert code == 0, output


@contextlib.contextmanager
def hosts(folder: Path, key: Path, names: list[str]) -> Iterator[Path]:
    """An inventory of sshd hosts; each installs under a folder of its own."""
    with contextlib.ExitStack() as stack:
        servers = {n: stack.enter_context(running_sshd(folder / n / "sshd", key, "")) for n in names}
        document = {"whosthere": {"hosts": {n: variables(folder / n, key, s) for n, s in servers.items()}}}
        inventory = folder / "inventory.json"
        inventory.write_text(json.dumps(document))
        yield inventory


def variables(folder: Path, key: Path, server: Sshd) -> dict[str, object]:
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    return {
        "ansible_host": "127.0.0.1",
        "ansible_port": server.port,
        "ansible_user": getpass.getuser(),
        "ansible_ssh_private_key_file": str(key),
        "ansible_ssh_common_args": "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        "ansible_python_interpreter": sys.executable,
        "whosthere_python": sys.executable,
        "whosthere_become": False,
        "whosthere_make_user": False,
        "whosthere_apt_packages": [],
        "whosthere_user": getpass.getuser(),
        "whosthere_group": getpass.getuser(),
        "whosthere_prefix": str(folder / "opt"),
        "whosthere_etc": str(folder / "etc"),
        "whosthere_state": str(folder / "state"),
        "whosthere_command": str(folder / "whosthere"),
        "whosthere_service": "",
        "whosthere_sshd_config": str(folder / "sshd.conf"),
        "whosthere_sshd_service": "",
        "whosthere_wheel": str(next(folder.parent.glob("*.whl"))),
        # What the wheel needs is taken from the environment of the tests.
        "whosthere_pip_arguments": "--no-deps",
        "whosthere_signers": [f'{SIGNER} namespaces="whosthere-gallery" {public}'],
        "whosthere_push_keys": [public],
        "whosthere_config": {"device_id": folder.name, "gallery": {"keep_versions": 2}},
    }


@pytest.mark.timeout(900)
@pytest.mark.skipif(os.geteuid() != 0, reason="files of root are made")
def test_two_hosts_are_installed_configured_pushed_to_and_rolled_back(tmp_path: Path) -> None:
    key = new_key(tmp_path / "ada")
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    if not (PROGRAMS / "ansible-playbook").exists():
        pytest.skip("Ansible is not installed here: `make test-ansible` sets it up and runs this")
    subprocess.run(wheel, check=True, capture_output=True)
    names = ["front-door", "back-door"]
    for name in names:
        borrow_packages(tmp_path / name / "opt" / "venv")
        former = tmp_path / name / "state" / ".ssh"
        former.mkdir(parents=True)
        (former / "authorized_keys").touch()
    with hosts(tmp_path, key, names) as inventory:
        first = play(inventory, "site.yml")
        assert "failed=0" in first and "changed=0" not in first
        for name in names:
            assert f"device_id: {name}" in (tmp_path / name / "etc" / "config.yaml").read_text()
            keys = tmp_path / name / "etc" / "authorized_keys"
            line = keys.read_text().splitlines()[1]
            assert line.startswith('restrict,command="') and "gallery receive" in line
            assert keys.stat().st_mode & 0o777 == 0o640
            assert f"AuthorizedKeysFile {keys}" in (tmp_path / name / "sshd.conf").read_text()
            assert not (tmp_path / name / "state" / ".ssh" / "authorized_keys").exists()
        again = play(inventory, "site.yml")
        assert again.count("changed=0") == 2, again
        for version in (1, 2):
            new = bundle(tmp_path / f"{version}.whg", version, key=key)
            # No daemon runs here: the box says so, and that is no success.
            pushed = play(inventory, "push.yml", "-e", f"whosthere_bundle={new}", code=2)
            assert "no daemon is running on this box" in pushed
        assert [in_force(tmp_path / name) for name in names] == [2, 2]
        back = play(inventory, "rollback.yml", "-e", "whosthere_version=1", code=2)
        assert "version 1 is written" in back
        assert [in_force(tmp_path / name) for name in names] == [1, 1]


def play(inventory: Path, book: str, *words: str, code: int = 0) -> str:
    ended, output = ansible("ansible-playbook", "-i", str(inventory), book, *words)
    assert ended == code, output
    return output


def in_force(folder: Path) -> int:
    return open_gallery(folder / "state" / "gallery.whg", None).header.version


def borrow_packages(venv: Path) -> None:
    """An environment that finds what the tests have installed."""
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    site = next(venv.glob("lib/python3*/site-packages"))
    mine = Path(sys.executable).parent.parent / site.relative_to(venv)
    # Not the bare path: then the .pth files in it would be ignored.
    (site / "borrowed.pth").write_text(f"import site; site.addsitedir({str(mine)!r})\n")
