"""Takes the pictures of the page that README and docs show, from the demo's clip.

    cd tests && ../.venv/bin/python -m support.page_pictures          # all of them, into docs/pictures/; two minutes

Look at each before you commit it.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from edge.commands.demo_web import PASSWORD
from edge.records import Image
from edge.web.registry import PAGES
from support.browser import Browser, Visitor, running_browser
from support.http_client import Client

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
VISITS = 7
"""With so many, the clip has begun again, and its stranger is known as one."""
KEPT = {"door", "strangers"}
"""The pages whose pictures stand alone."""
GAP_PX = 24
NEARER_MS = 2500
"""In this time, the visitor has come near."""
QUALITY = 82


def main() -> None:
    """Run the demo, wait for visits, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-P", "-m", "edge", "demo", "--web", "--output", f"{folder}/out"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as demo:
            assert demo.stdout is not None
            address = next(line.split()[1] for line in demo.stdout if line.startswith("Open http")).rstrip("/")
            try:
                _await_visits(address)
                with running_browser() as browser:
                    _take_all(browser, address)
            finally:
                demo.send_signal(signal.SIGINT)


def _await_visits(address: str) -> None:
    client = Client(address)
    client.log_in(PASSWORD)
    while len(json.loads(client.get("/api/visits").text)) < VISITS or not json.loads(client.get("/api/strangers").text):
        time.sleep(1)


def _await_somebody_new(address: str) -> None:
    """Wait until somebody who has just come is recognised, and so stands before the camera."""
    client = Client(address)
    client.log_in(PASSWORD)
    before: set[str] | None = None
    while True:
        here = json.loads(client.get("/api/door").text)["here"]
        known = {one["visit_id"] for one in here if one["event_type"] == "recognized"}
        if before is not None and known - before:
            return
        before = known
        time.sleep(0.2)


def _take_all(browser: Browser, address: str) -> None:
    paths = {page.name: page.path for page in PAGES if page.path}
    with browser.visitor(address) as visitor:
        visitor.log_in(PASSWORD)
        phones = {name: _shot(visitor, path) for name, path in paths.items() if name != "door"}
        visitor.open("/door")
        _await_somebody_new(address)
        visitor.page.wait_for_timeout(NEARER_MS)
        phones["door"] = _picture(visitor)
        visitor.open("/visits")
        visitor.page.locator("article.visit", has_text="unknown").get_by_role("link", name="Why?").first.click()
        visitor.page.locator("svg.chart").wait_for()
        phones["why"] = _picture(visitor)
        visitor.open("/visits")
        card = visitor.page.locator("article.visit", has_text="Right").first
        card.locator(".actions a").first.click()
        card.locator(".panel").wait_for()
        card.scroll_into_view_if_needed()
        phones["price"] = _picture(visitor)
    for name in KEPT & phones.keys():
        _write(f"page-{name}", phones[name])
    _write("page", _beside([phones[name] for name in ("door", "visits", "price", "why")]))
    with browser.visitor(address, "desktop", "dark") as visitor:
        visitor.log_in(PASSWORD)
        _write("page-desktop", _shot(visitor, "/visits"))


def _shot(visitor: Visitor, path: str) -> Image:
    visitor.open(path)
    visitor.page.wait_for_timeout(1500)
    return _picture(visitor)


def _picture(visitor: Visitor) -> Image:
    image = cv2.imdecode(np.frombuffer(visitor.page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


def _beside(pictures: list[Image]) -> Image:
    """Next to each other on white, each 800 pixels high."""
    parts: list[Image] = []
    for picture in pictures:
        small = cv2.resize(picture, (round(picture.shape[1] * 800 / len(picture)), 800), interpolation=cv2.INTER_AREA)
        parts += [small.astype(np.uint8), np.full((800, GAP_PX, 3), 255, np.uint8)]
    return np.hstack(parts[:-1]).astype(np.uint8)


def _write(name: str, picture: Image) -> None:
    path = PICTURES / f"{name}.jpg"
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    print(path.name, picture.shape)


if __name__ == "__main__":
    main()
