"""The service on a real Debian box: systemd, its sandbox, the install script, and a broker outside.

`make test-systemd` makes what WHOSTHERE_BOX holds: `rootfs.tar` and the folder `bundle`. The tests share one box and
stand in the order of its life.
"""

import json
import os
import re
import shutil
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.config import typed_yaml
from edge.demo.box import NAMES
from support.broker import Broker, Listener, running_broker
from support.daemon import TOPIC, decoded
from support.nspawn import CLIP, GALLERY, INSTALL, OUTSIDE, WAIT_S, Box, furnished, stalled_threads

pytestmark = [pytest.mark.systemd, pytest.mark.timeout(1500)]

ROOT = Path(__file__).parent.parent
PASSWORD = "seven ravens"  # noqa: S105  (of a broker that lives as long as this test)
DROP_IN = "/etc/systemd/system/whosthere.service.d"
UNITS = "whosthere.service whosthere-gallery.path whosthere-web.path"
FORMER_KEYS = "/var/lib/whosthere/.ssh/authorized_keys"
KEYS = "/etc/whosthere/authorized_keys"
KEY = 'restrict,command="whosthere gallery receive" ssh-ed25519 AAAA ada'
PASSWD_TOOLS = ("useradd", "userdel", "usermod", "groupadd", "groupdel", "groupmod", "gpasswd")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A minimal box, with none of the programs that change accounts, and with a group that install.sh joins."""
    with furnished(tmp_path_factory.mktemp("box")) as box:
        for tool in PASSWD_TOOLS:
            (box.root / "usr/sbin" / tool).unlink(missing_ok=True)
            (box.root / "usr/bin" / tool).unlink(missing_ok=True)
        box.run("systemd-sysusers - <<END\ng gpio -\nu neighbour -\nm neighbour gpio\nm neighbour video\nEND")
        yield box


@pytest.fixture(scope="module")
def broker(machine: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    users = {"front-door": PASSWORD, "home": "automation"}
    with running_broker(tmp_path_factory.mktemp("broker"), host="0.0.0.0", users=users) as running:  # noqa: S104  (the box has a network of its own)
        yield running


@pytest.fixture(scope="module")
def box(machine: Box, broker: Broker) -> Box:
    """Installed as README says, with the demo's clip for a camera and its three people enrolled."""
    etc = machine.root / "etc/whosthere"
    etc.mkdir()
    (etc / "mqtt-password").write_text(PASSWORD + "\n")
    (machine.root / "root/config.yaml").write_text(config(broker))
    print(machine.run(f"{INSTALL} --config /root/config.yaml", timeout_s=900))
    for person, name in NAMES.items():
        machine.run(f"whosthere enroll --gallery {GALLERY} --person '{name}' /root/portraits/{person}/*.jpg")
    return machine


def config(broker: Broker, **sections: object) -> str:
    document = {
        "device_id": "front-door",
        "camera": {"source": CLIP, "name": "clip", "loop": True},
        "visit": {"gap_s": 2.0},
        "mqtt": {
            "host": OUTSIDE,
            "port": broker.port,
            "username": "front-door",
            "password_file": "$CREDENTIALS_DIRECTORY/mqtt-password",
            "health_interval_s": 2.0,
        },
        "runtime": {"stall_s": 8.0},
        "web": {"idle_exit_min": 1},
    }
    return typed_yaml.dump({**document, **sections})


def named(home: Listener) -> list[dict[str, Any]]:
    """The events on the visit topic that name somebody."""
    events = [decoded(message) for message in home.on(f"{TOPIC}/visit")]
    return [event for event in events if event["event_type"] == "recognized"]


def status(box: Box) -> str:
    return box.run("systemctl --no-pager --full status whosthere.service", ok=False)


def set_in_unit(box: Box, *lines: str) -> None:
    """A drop-in; none: without."""
    folder = box.root / DROP_IN.lstrip("/")
    shutil.rmtree(folder, ignore_errors=True)
    if lines:
        folder.mkdir()
        (folder / "test.conf").write_text("\n".join(["[Service]", *lines, ""]))
    box.run(
        "systemctl daemon-reload && systemctl reset-failed whosthere.service && systemctl restart whosthere.service"
    )


def restarted(box: Box, before: int) -> bool:
    return box.show("ActiveState") == ["active"] and box.main_process() not in {0, before}


def test_who_is_at_the_door_is_heard_outside(box: Box, broker: Broker) -> None:
    box.wait_for_journal("3 people, threshold")
    with Listener(broker, user=("home", "automation")) as home:
        home.wait(lambda: any(event["person_name"] == "Joe Biden" for event in named(home)), WAIT_S)
        heard = named(home)
        assert home.on(f"{TOPIC}/status")[-1].payload == b"online"
    assert {event["person_name"] for event in heard} <= set(NAMES.values())
    fields = json.loads(box.run("journalctl --quiet --unit whosthere PERSON_ID=joe-biden --output json --lines 1"))
    assert fields["VISIT_ID"] in {event["visit_id"] for event in heard}
    assert fields["CAMERA"] == heard[0]["camera"]
    assert "3 people known" in status(box)
    doctor = box.run("/usr/local/bin/whosthere doctor")
    assert "  service        active (running)" in doctor
    assert "broker connected" in doctor
    assert box.run(f"systemctl is-enabled {UNITS}").split() == ["enabled"] * 3


def test_the_password_reaches_the_service_and_nobody_else(box: Box) -> None:
    assert "connected to the broker" in box.journal()
    assert PASSWORD not in box.run("journalctl --quiet --no-pager")
    assert box.attempt("runuser -u whosthere -- cat /etc/whosthere/mqtt-password").returncode != 0
    environment = Path(f"/proc/{box.main_process()}/environ").read_text()
    assert PASSWORD not in environment
    assert "CREDENTIALS_DIRECTORY=/run/credentials/whosthere.service" in environment


def test_what_the_service_can_and_cannot_touch(box: Box) -> None:
    unit = (box.root / "etc/systemd/system/whosthere.service").read_text()
    started = "ExecStart=/opt/whosthere/current/bin/whosthere run --config /etc/whosthere/config.yaml"
    assert started in unit
    probe = unit.replace(started, "ExecStart=/usr/bin/python3 /usr/local/share/sandbox.py")
    probe = probe.replace("Type=notify", "Type=oneshot").replace("Restart=always", "Restart=no")
    # Bookworm's systemd removes the folder when the probe ends, with the daemon's socket in it.
    probe = probe.replace("RuntimeDirectory=whosthere\n", "RuntimeDirectory=probe\n")
    (box.root / "etc/systemd/system/probe.service").write_text(probe.replace("WatchdogSec=60\n", ""))
    shutil.copy(ROOT / "tests/support/sandbox.py", box.root / "usr/local/share/sandbox.py")
    box.run("systemctl daemon-reload && systemctl start probe.service")
    lines = box.run("journalctl --quiet --no-pager --output cat --unit probe.service").splitlines()
    found = json.loads(next(line for line in lines if line.startswith("{")))
    print(json.dumps(found, indent=2))
    allowed = {what for what, outcome in found.items() if outcome == "done"}
    assert allowed == {
        "write the state folder",
        "write /tmp",
        "read the config",
        "open a TCP socket",
        "read its secret",
    }


def test_the_page_starts_when_somebody_asks_and_shows_what_the_daemon_sees(box: Box) -> None:
    """From a sandbox without a network. It is off without a password, survives a kill, and stops when nobody asks."""
    assert page(box, "ActiveState", "socket") == "inactive", "without a password nothing listens"
    before = box.main_process()
    box.run("echo over the garden wall | whosthere web password")
    box.wait_until("the page's address is open", lambda: page(box, "ActiveState", "socket") == "active")
    assert page(box, "ActiveState") == "inactive", "nobody has asked yet"
    address = box.run("whosthere web token make snapshot --label box").split()[-1]
    place, path = address.removeprefix("http://").split("/", 1)
    script = (
        f"import http.client as h; c = h.HTTPConnection('{place}'); c.request('GET', '/{path}'); r = c.getresponse(); "
        "b = r.read(); print(r.status, b[:3].hex() if r.status == 200 else b)"
    )
    fetch = f'python3 -c "{script}"'
    assert box.run(fetch).split() == ["200", "ffd8ff"]
    print(box.run("systemd-analyze security --no-pager whosthere-web.service | tail -n 1", ok=False))
    [pid] = box.processes("\0web\0")
    used = Path(f"/proc/{pid}/smaps_rollup").read_text()
    print("the page's memory:", [line for line in used.splitlines() if line.startswith(("Rss", "Pss:", "Private"))])
    os.kill(pid, signal.SIGKILL)
    box.wait_until("it is gone", lambda: page(box, "ActiveState") in {"failed", "inactive"})
    assert box.run(fetch).split() == ["200", "ffd8ff"]
    assert box.main_process() == before, "the door has not noticed"
    box.wait_until("nobody asks any more", lambda: page(box, "ActiveState") == "inactive")
    assert box.run(fetch).split() == ["200", "ffd8ff"]
    assert "page failed" not in box.run("journalctl --quiet --no-pager --unit whosthere-web.service")


def page(box: Box, what: str, kind: str = "service") -> str:
    return box.run(f"systemctl show --property {what} --value whosthere-web.{kind}").strip()


def test_reload_and_a_changed_gallery_take_effect_without_a_restart(box: Box) -> None:
    before = box.main_process()
    box.run("systemctl reload whosthere.service")
    people = box.journal().count("3 people, threshold")
    assert people >= 1
    box.run(f"whosthere gallery remove --gallery {GALLERY} --yes 'Grace Hopper'")
    box.wait_for_journal("2 people, threshold")
    assert box.main_process() == before
    box.run(f"whosthere enroll --gallery {GALLERY} --person 'Grace Hopper' /root/portraits/grace-hopper/*.jpg")
    box.wait_until("three again", lambda: box.journal().count("3 people, threshold") > people)


def test_stalled_threads_are_told_and_the_service_starts_again(box: Box) -> None:
    before = box.main_process()
    with stalled_threads(before):
        box.wait_for_journal("has made no progress for")
    box.wait_until("started again", lambda: restarted(box, before))


def test_a_process_that_hangs_whole_is_ended_by_the_watchdog(box: Box) -> None:
    set_in_unit(box, "WatchdogSec=6", "TimeoutAbortSec=2")
    before = box.main_process()
    os.kill(before, signal.SIGSTOP)
    box.wait_for_journal("Watchdog timeout")
    box.wait_until("started again", lambda: restarted(box, before))
    set_in_unit(box)


def test_a_killed_service_comes_back_and_hides_nothing(box: Box, broker: Broker) -> None:
    before = box.main_process()
    with Listener(broker, user=("home", "automation")) as home:
        os.kill(before, signal.SIGKILL)
        box.wait_until("started again", lambda: restarted(box, before))
        home.wait_for(f"{TOPIC}/status", b"online", count=1)
    assert box.show("NRestarts") != ["0"]


def test_a_wrong_config_ends_in_failed_with_the_reason(box: Box, broker: Broker) -> None:
    path = box.root / "etc/whosthere/config.yaml"
    path.write_text(config(broker, camera={"source": CLIP, "rotation": 45}))
    assert box.attempt("systemctl restart whosthere.service").returncode != 0
    box.wait_until("failed", lambda: box.show("ActiveState") == ["failed"])
    told = status(box)
    print(told)
    assert "camera.rotation: found 45; allowed: 0, 90, 180 or 270" in told
    assert box.show("NRestarts") == ["0"], "a config does not mend itself"
    assert "hint: the service has failed: " in box.attempt("/usr/local/bin/whosthere doctor").stdout
    path.write_text(config(broker))
    box.run("systemctl restart whosthere.service")


def test_installing_again_upgrades_and_keeps_config_and_gallery(box: Box) -> None:
    before, kept = box.run("readlink /opt/whosthere/current"), kept_files(box)
    plant_hostile_files(box)
    shown = box.run(f"cd /root/hostile && {INSTALL}", timeout_s=900)
    # A process that was stopped would keep the box from powering off.
    box.kill("flock /run/lock/whosthere-install")
    box.kill("sleep 1000")
    print(shown)
    assert box.attempt("ls /root/hostile-ran").returncode != 0, "python3 read a module from the caller's folder"
    assert box.run("stat -c '%U %a' /run/whosthere-install.lock").split() == ["root", "600"]
    assert KEY in shown
    assert box.run(f"cat {KEYS}; stat -c '%U:%G %a' {KEYS}").splitlines() == [KEY, "root:whosthere 640"]
    assert box.attempt(f"ls {FORMER_KEYS}").returncode != 0
    assert f"AuthorizedKeysFile {KEYS}" in box.run("cat /etc/ssh/sshd_config.d/whosthere.conf")
    assert box.run("readlink /opt/whosthere/current") != before
    assert kept_files(box) == kept
    assert box.show("ActiveState") == ["active"]


def plant_hostile_files(box: Box) -> None:
    """A module in the caller's folder that must not run, a lock that anybody may hold, and keys where they were."""
    (box.root / "root/hostile").mkdir()
    (box.root / "root/hostile/platform.py").write_text("open('/root/hostile-ran', 'w')\n")
    box.run("setsid runuser -u neighbour -- flock /run/lock/whosthere-install sleep 1000 >/dev/null 2>&1 &")
    place = "install -o whosthere -g whosthere"
    box.run(f"{place} -d -m 700 {FORMER_KEYS.rpartition('/')[0]}")
    box.run(f"{place} -m 600 /dev/stdin {FORMER_KEYS} <<'END'\n{KEY}\nEND")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("raise RuntimeError('broken')", "it ended before it was ready"),
        ("__import__('time').sleep(1000)", "it was not ready after 40 s"),
    ],
    ids=["crashes", "never gets ready"],
)
def test_a_version_that_does_not_become_healthy_is_rolled_back(box: Box, broken: str, reason: str) -> None:
    before, kept = box.run("readlink /opt/whosthere/current"), kept_files(box)
    worse = box.root / "root/worse"
    shutil.rmtree(worse, ignore_errors=True)
    shutil.copytree(box.root / "root/whosthere", worse)
    break_wheel(next((worse / "wheels").glob("whosthere-*.whl")), broken)
    done = box.attempt("/root/worse/systemd/install.sh --health-timeout 40", timeout_s=900)
    print(done.stdout)
    assert done.returncode == 1
    assert reason in done.stdout
    assert "rolled back; the previous version is running again" in done.stdout
    assert box.run("readlink /opt/whosthere/current") == before
    assert kept_files(box) == kept
    assert box.show("ActiveState") == ["active"]
    assert box.run("ls /opt/whosthere/releases").count("\n") <= 2


def test_after_a_power_cut_during_an_upgrade_the_version_before_is_still_there_to_go_back_to(box: Box) -> None:
    before = box.run("readlink /opt/whosthere/current")
    box.run("setsid /root/worse/systemd/install.sh </dev/null >/dev/null 2>&1 &")
    box.wait_until("the new one is in force", lambda: box.run("readlink /opt/whosthere/current") != before)
    box.kill("worse/systemd/install.sh")
    done = box.attempt("/root/worse/systemd/install.sh --health-timeout 15", timeout_s=900)
    assert "rolled back; the previous version is running again" in done.stdout, done.stdout
    assert box.run("readlink /opt/whosthere/current") == before
    assert box.run("ls /opt/whosthere/releases").count("\n") <= 2


def test_the_user_is_in_the_groups_of_its_devices(box: Box) -> None:
    assert {"whosthere", "video", "render", "plugdev", "gpio"} <= set(box.run("id -nG whosthere").split())


def test_uninstalling_leaves_nothing_but_the_gallery_if_that_is_wanted(box: Box) -> None:
    before = {name: box.run(f"cat /etc/{name}").splitlines() for name in ("passwd", "shadow", "group", "gshadow")}
    uninstall = "cp /root/whosthere/systemd/uninstall.sh /root/ && /root/uninstall.sh"
    assert f"kept: {GALLERY}" in box.run(uninstall)
    assert box.run("ls /var/lib/whosthere").split() == ["gallery.whg"]
    box.run(f"{uninstall} --remove-gallery")
    left = box.run("find / -xdev -iname '*whosthere*' -not -path '/root/*' -not -path '/proc/*' -not -path '/sys/*'")
    assert left.split() == []
    assert box.attempt("getent passwd whosthere").returncode != 0
    for name, lines in before.items():
        after = [re.sub(r"([:,])whosthere(,|$)", r"\1", line).removesuffix(",") for line in lines]
        assert box.run(f"cat /etc/{name}").splitlines() == [line for line in after if not line.startswith("whosthere:")]
    assert set(box.run("id -nG neighbour").split()) == {"neighbour", "video", "gpio"}
    assert "could not be found" in status(box)


def kept_files(box: Box) -> str:
    return box.run(f"sha256sum /etc/whosthere/config.yaml /etc/whosthere/mqtt-password {GALLERY}")


def break_wheel(wheel: Path, statement: str) -> None:
    """The same wheel with a daemon that does not work."""
    with zipfile.ZipFile(wheel) as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    text = files["edge/commands/run.py"].decode()
    assert "    manager = notifier()\n" in text
    broken = text.replace("    manager = notifier()\n", f"    {statement}\n    manager = notifier()\n")
    files["edge/commands/run.py"] = broken.encode()
    with zipfile.ZipFile(wheel, "w") as worse:
        for name, content in files.items():
            worse.writestr(name, content)
