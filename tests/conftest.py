"""Fixtures that several test files share."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

import edge.__main__  # noqa: F401  (first, as it keeps numpy to one thread: several spin after each product)
from edge.config.mqtt import MqttSettings
from edge.demo.box import NAMES, PORTRAITS
from support.broker import Broker, running_broker
from support.browser import Browser, Visitor, running_browser
from support.fuzzing import FULL, MAX_MB, MAX_MORE_MB, forget_peak, memory_mb
from support.one_thread import one_thread
from support.portraits import whosthere
from support.publishing import settings
from support.rtsp import RtspServer, why_not
from support.web import WebPage

# On a busy machine the time that an example takes means nothing.
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")


def pytest_configure() -> None:
    """What a test finds is the same on every machine, whatever its time zone is and however pytest was started."""
    # A shell starts background jobs with ^C ignored, and what they start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["TZ"] = "UTC"
    time.tzset()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest of the slow tests come first: the cheapest end the run, and are left out where time is short.

    After them, tests that load TensorFlow come together: few workers load it then, which takes each 8 s and 1 GB. With
    `--dist loadgroup`, slow tests that do not say how long they take stay with their file, and its fixtures.
    """
    items.sort(key=lambda item: (-_cpu_s(item), item.get_closest_marker("tensorflow") is None))
    for item in items:
        if item.get_closest_marker("slow") and not _cpu_s(item):
            item.add_marker(pytest.mark.xdist_group(item.path.name))


def _cpu_s(item: pytest.Item) -> float:
    """What a test says that it takes; 0: it does not say."""
    slow = item.get_closest_marker("slow")
    return float(slow.args[0]) if slow and slow.args else 0.0


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """CI has a limit of its own: on a slow machine, it leaves out slow tests that would begin too late."""
    until = float(os.environ.get("WHOSTHERE_SLOW_UNTIL", "inf"))
    if item.get_closest_marker("slow") and time.time() > until:
        pytest.skip("no time left (WHOSTHERE_SLOW_UNTIL): `make test-slow` runs it")


@pytest.fixture(autouse=True)
def little_memory(request: pytest.FixtureRequest) -> Iterator[None]:
    """Bounds the memory of tests that are marked `fuzz`, and prints it."""
    if request.node.get_closest_marker("fuzz") is None:
        yield
        return
    # The first time, Hypothesis makes a table of all characters, which takes 200 MB for a moment.
    st.text().validate()
    # pytest would keep all that is logged, with the frames of every error.
    logging.disable()
    forget_peak()
    before = memory_mb("VmRSS")
    yield
    peak = memory_mb()
    logging.disable(logging.NOTSET)
    print(f"{request.node.name}: at most {peak} MB of memory, {before} MB of them before")
    assert peak < (MAX_MB if FULL else before + MAX_MORE_MB)


@pytest.fixture(scope="session", autouse=True)
def networks_on_one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="session")
def demo_gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's: three people, enrolled from one portrait each. Tests must not change it: copy it."""
    path = tmp_path_factory.mktemp("gallery") / "demo.whg"
    for person, name in NAMES.items():
        done = whosthere("enroll", "--gallery", path, "--person", name, *sorted((PORTRAITS / person).glob("*.jpg")))
        assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; tests that use it are skipped where there is none."""
    with running_browser() as running:
        yield running


@pytest.fixture
def owner(browser: Browser, page: WebPage) -> Iterator[Visitor]:
    """The owner's phone, logged in to the `page` of a test file."""
    with browser.visitor(page.address) as visitor:
        visitor.log_in()
        yield visitor


@pytest.fixture(scope="session")
def rtsp_possible() -> None:
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture
def rtsp(rtsp_possible: None) -> Iterator[Callable[..., RtspServer]]:
    """Starts RTSP servers, with a login or without."""
    servers: list[RtspServer] = []

    def start(*login: str) -> RtspServer:
        servers.append(RtspServer(*login))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """One without logins, which keeps its messages when it is stopped and started again."""
    with running_broker(tmp_path / "broker", persistence=True) as running:
        yield running


@pytest.fixture
def mqtt(broker: Broker, tmp_path: Path) -> MqttSettings:
    return settings(broker, tmp_path)
