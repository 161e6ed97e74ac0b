"""The systemd units and scripts, as far as they can be judged without running them; test_box.py runs them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.config.link import LinkSettings
from edge.config.sections import RuntimeSettings
from edge.config.web import WebSettings
from edge.errors import BrokerError, CameraError, ConfigError, ModelError, UsageError
from support.sshd import new_key

ROOT = Path(__file__).parent.parent
SYSTEMD = ROOT / "systemd"
EXPOSURE = {"whosthere.service": 1.5, "whosthere-gallery.service": 0.5, "whosthere-web.service": 0.6}
"""At most; 0 is best, 10 worst."""
NEWER_THAN_BOOKWORM = ("RestartSteps", "RestartMaxDelaySec")


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    return found


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Copies whose program exists here."""
    for unit in SYSTEMD.glob("whosthere*.*"):
        text = unit.read_text().replace("/opt/whosthere/current/bin/whosthere", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    return sorted(tmp_path.iterdir())


def values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", (SYSTEMD / "whosthere.service").read_text(), re.MULTILINE)


def test_systemd_finds_nothing_wrong_with_the_units(analyze: str, units: list[Path]) -> None:
    assert len(units) == 6
    done = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if not any(f"'{key}'" in line for key in NEWER_THAN_BOOKWORM)]
    assert (done.returncode, lines) == (0, [])


@pytest.mark.parametrize(("name", "exposure"), EXPOSURE.items())
def test_the_services_are_hardly_exposed(analyze: str, units: list[Path], name: str, exposure: float) -> None:
    unit = next(unit for unit in units if unit.name == name)
    threshold = f"--threshold={exposure * 10:.0f}"
    done = subprocess.run(
        [analyze, "security", "--offline=true", threshold, unit], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_secret_of_the_config_reaches_the_service() -> None:
    named = set(re.findall(r"\$CREDENTIALS_DIRECTORY/([\w.-]+)", (ROOT / "config.yaml").read_text()))
    loaded = dict(value.split(":", 1) for value in values("LoadCredential"))
    stand_ins = {value.split(":", 1)[0] for value in values("SetCredential")}
    guarded = (SYSTEMD / "tmpfiles.d" / "whosthere.conf").read_text()
    assert named
    assert named <= set(loaded)
    assert set(loaded) == stand_ins, "without a stand-in, a file that is not there keeps the service from starting"
    assert all(f"z {path} 0600 root root" in guarded for path in loaded.values())


def test_the_page_can_reach_no_network_and_not_starve_the_door() -> None:
    unit = (SYSTEMD / "whosthere-web.service").read_text()
    assert {"PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX", "ProtectSystem=strict"} <= set(unit.splitlines())
    assert re.search(r"^MemoryMax=\d+M$", unit, re.MULTILINE)


def test_the_page_listens_where_the_config_says_by_default() -> None:
    socket = (SYSTEMD / "whosthere-web.socket").read_text()
    assert f"ListenStream={WebSettings().listen}\n" in socket
    password = Path(WebSettings().path) / "password"
    assert f"PathExists={password}\n" in (SYSTEMD / "whosthere-web.path").read_text()


def test_the_page_finds_the_daemons_socket() -> None:
    folder = Path(LinkSettings().path).parent
    assert values("RuntimeDirectory") == [folder.name] and str(folder) == f"/run/{folder.name}"


def test_what_no_restart_can_mend_is_not_restarted() -> None:
    [codes] = values("RestartPreventExitStatus")
    final = {int(code) for code in codes.split()}
    assert final == {UsageError.exit_code, ConfigError.exit_code, ModelError.exit_code}
    assert not final & {CameraError.exit_code, BrokerError.exit_code, 1}


def test_the_daemon_says_which_thread_stalls_before_the_watchdog_ends_it() -> None:
    [watchdog_s] = values("WatchdogSec")
    assert int(watchdog_s) >= 2 * RuntimeSettings().stall_s


@pytest.mark.parametrize("script", sorted(SYSTEMD.glob("*.sh")), ids=lambda path: path.name)
def test_the_scripts_are_sound(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("shellcheck is not installed (Debian: apt-get install shellcheck): only the syntax was checked")
    done = subprocess.run([shellcheck, script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["install.sh", "uninstall.sh"])
def test_the_scripts_explain_themselves_and_refuse_what_they_do_not_know(name: str) -> None:
    helped = subprocess.run([SYSTEMD / name, "--help"], capture_output=True, text=True, check=False)
    assert helped.returncode == 0
    assert f"systemd/{name}" in helped.stdout
    refused = subprocess.run([SYSTEMD / name, "--galery"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "unknown option --galery" in refused.stderr


def test_the_install_script_runs_no_module_of_the_callers_folder() -> None:
    text = (SYSTEMD / "install.sh").read_text()
    calls = re.findall(r"python3 (-\S+)", text)
    assert len(calls) >= 3 and set(calls) == {"-I"}


def test_sshd_reads_the_keys_of_the_service_from_a_file_of_root(tmp_path: Path) -> None:
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if sshd is None:
        pytest.skip("sshd is not installed (Debian: apt-get install openssh-server)")
    new_key(tmp_path / "host_key")
    config = tmp_path / "sshd_config"
    config.write_text(f"Include {SYSTEMD}/sshd_config.d/*.conf\nHostKey {tmp_path}/host_key\n")

    def keys_of(user: str) -> str:
        asked = [sshd, "-T", "-f", str(config), "-C", f"user={user},host=localhost,addr=127.0.0.1"]
        shown = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        return next(line for line in shown.splitlines() if line.startswith("authorizedkeysfile "))

    assert keys_of("whosthere") == "authorizedkeysfile /etc/whosthere/authorized_keys"
    assert ".ssh/authorized_keys" in keys_of("ada")
