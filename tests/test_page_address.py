"""Where browsers reach the page, as links to it say."""

import ipaddress
from pathlib import Path

import pytest

from edge.config.loading import load_config
from edge.config.web import WebSettings, WebTlsSettings
from edge.daemon.page_address import CurrentPage, page_address
from edge.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """The folder of a page that has a password."""
    (tmp_path / "password").touch()
    return str(tmp_path)


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("127.0.0.1:8480", None),
        ("localhost:8480", None),
        ("[::1]:8480", None),
        ("192.168.1.9:80", "http://192.168.1.9:80"),
        ("[fd00::7]:8480", "http://[fd00::7]:8480"),
        ("door.home:8480", "http://door.home:8480"),
    ],
)
def test_it_is_where_others_reach_it(folder: str, listen: str, address: str | None) -> None:
    assert page_address(WebSettings(listen=listen, path=folder)) == address


@pytest.mark.parametrize("listen", ["0.0.0.0:8480", "[::]:8480"])
def test_on_every_network_it_is_an_address_of_this_machine(folder: str, listen: str) -> None:
    found = page_address(WebSettings(listen=listen, path=folder, tls=WebTlsSettings(enabled=True)))
    if found is None:
        pytest.skip("this machine is on no network")
    assert found.startswith("https://") and found.endswith(":8480")
    host = ipaddress.ip_address(found.removeprefix("https://").removesuffix(":8480").strip("[]"))
    assert not host.is_unspecified and not host.is_loopback


def test_the_owner_may_know_better_and_a_page_that_is_off_has_no_address(tmp_path: Path, folder: str) -> None:
    assert page_address(WebSettings(url="https://door.example/box/", path=folder)) == "https://door.example/box"
    without = str(tmp_path / "no-password")
    assert page_address(WebSettings(url="https://door.example", listen="192.168.1.9:80", path=without)) is None


def test_a_visit_has_its_place_on_the_page_once_that_has_a_password_and_where_it_is_moved(tmp_path: Path) -> None:
    settings = WebSettings(url="https://door.example", path=str(tmp_path))
    page = CurrentPage(settings)
    assert (page.address, page.of_visit("20260601T1-a")) == (None, None)
    (tmp_path / "password").touch()
    assert page.address is None
    page.update(settings)
    assert page.of_visit("20260601T1-a") == "https://door.example/visits#visit-20260601T1-a"
    page.update(WebSettings(url="https://box.example", path=str(tmp_path)))
    assert page.address == "https://box.example"


@pytest.mark.parametrize("url", ["door.example", "ftp://door.example", "https://bob:pw@door.example"])
def test_a_mistaken_address_is_told_and_not_quoted(tmp_path: Path, url: str) -> None:
    (tmp_path / "config.yaml").write_text(f"web:\n  url: {url}\n")
    with pytest.raises(ConfigError, match=r"web\.url: found .*not quoted") as caught:
        load_config(tmp_path / "config.yaml")
    assert url not in str(caught.value)
