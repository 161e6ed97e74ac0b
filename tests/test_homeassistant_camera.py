"""The page's pictures in a real Home Assistant: its integration MJPEG IP Camera. Run by `make test-homeassistant`."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.web.stream_tokens import StreamTokens
from support.broker import running_broker
from support.home_assistant import HomeAssistant, running_home_assistant
from support.linked import LONG_S, Linked, linked, listens
from support.publishing import until
from support.web import WebPage, running_page, write_web_config

pytestmark = [pytest.mark.homeassistant, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    folder = tmp_path_factory.mktemp("home")
    with running_broker(folder / "broker") as broker, running_home_assistant(folder / "config", broker, ()) as running:
        yield running
        assert running.complaints() == []


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Linked]:
    with linked(tmp_path) as found:
        until(lambda: listens(found.path))
        found.frame()
        yield found


@pytest.fixture
def page(tmp_path: Path, box: Linked) -> Iterator[WebPage]:
    with running_page(write_web_config(tmp_path, link={"path": str(box.path)}), tmp_path) as running:
        yield running


def test_the_mjpeg_camera_shows_the_stream_and_single_pictures(home: HomeAssistant, page: WebPage, box: Linked) -> None:
    tokens = StreamTokens(page.folder / "web")
    live, snapshot = tokens.make("live", "home assistant")[1], tokens.make("snapshot", "home assistant")[1]
    answers = {
        "name": "Front door",
        "mjpeg_url": f"{page.address}/live.mjpg?boxes=1&token={live}",
        "still_image_url": f"{page.address}/snapshot.jpg?token={snapshot}",
        "verify_ssl": True,
    }
    flow = home.post("/api/config/config_entries/flow", {"handler": "mjpeg"})
    result = home.post(f"/api/config/config_entries/flow/{flow['flow_id']}", answers)
    assert result["type"] == "create_entry", result
    home.until(lambda: home.state("camera.front_door") is not None, "the camera is there")
    still = cv2.imdecode(np.frombuffer(home.fetch("/api/camera_proxy/camera.front_door"), np.uint8), cv2.IMREAD_COLOR)
    assert still.shape == (480, 640, 3)
    token = home.states()["camera.front_door"]["attributes"]["access_token"]
    address = f"http://127.0.0.1:{home.port}/api/camera_proxy_stream/camera.front_door?token={token}"
    with urllib.request.urlopen(address, timeout=LONG_S) as stream:
        assert stream.headers["Content-Type"].startswith("multipart/x-mixed-replace")
        assert b"Content-Type: image/jpeg" in stream.read(2000)
        until(lambda: box.view.watched)
    until(lambda: not box.view.watched)


def test_a_wrong_key_is_refused_while_it_is_set_up(home: HomeAssistant, page: WebPage) -> None:
    flow = home.post("/api/config/config_entries/flow", {"handler": "mjpeg"})
    answers = {"name": "x", "mjpeg_url": f"{page.address}/live.mjpg?token=guessed", "verify_ssl": True}
    result = home.post(f"/api/config/config_entries/flow/{flow['flow_id']}", answers)
    assert result["errors"] == {"username": "invalid_auth"}
