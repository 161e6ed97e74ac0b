"""Addresses of cameras whose scheme is missing or garbled, so that they look like files that do not exist."""

import re
from pathlib import Path
from typing import Any

import click

_BARE = re.compile(
    r"(?P<scheme>(?:rtsps?|https?)(?::/{0,2}|//)|//)?"
    r"(?P<login>[^/\s]*@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+(?:%[\w.~-]+)?\]|[\w-]+(?:\.[\w-]+)*)"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?P<rest>[/?].*)?",
    re.DOTALL,
)
_DEVICE = re.compile(r"(v4l2|picamera2):[^@]+")
_NUMBERS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_HOME = (".local", ".lan", ".home", ".internal", ".arpa", ".box")
"""How names of devices end in networks at home."""
_HTTP_PORTS = frozenset({"80", "81", "8000", "8080", "8081"})
_HTTPS_PORTS = frozenset({"443", "8443"})


def address_meant(text: str) -> str | None:
    """The address that somebody probably meant, without login, path and query; None: this looks like a file.

    Ask only about what is no file. The scheme is a guess, by the port, where none is given.
    """
    found = _BARE.fullmatch(text.strip())
    if found is None or not _is_host(found):
        return None
    port = f":{found['port']}" if found["port"] else ""
    return f"{_scheme(found)}://{found['host']}{port}{'/...' if (found['rest'] or '').strip('/') else ''}"


def hint(text: str) -> str:
    """A clause for an error about a file that does not exist: `; did you mean ...`, or nothing."""
    if _DEVICE.fullmatch(text):
        return f"; if you mean a camera, put {text} in camera.source"
    meant = address_meant(text)
    return f"; if you mean a camera, its address begins like {meant}, and goes in camera.source" if meant else ""


class ExistingPath(click.Path):
    """A file or folder that is there, for a command line. The error for what looks like a camera's address says so."""

    def __init__(self, *, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(exists=True, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            raise click.BadParameter(f"{error.message}{hint(str(value))}", ctx, param) from None


def _is_host(found: re.Match[str]) -> bool:
    host = found["host"]
    certain = found["scheme"] or found["login"] or host.startswith("[") or _NUMBERS.fullmatch(host)
    named = host == "localhost" or host.endswith(_HOME)
    return bool(certain or named or len(found["port"] or "") > 1)


def _scheme(found: re.Match[str]) -> str:
    word = re.match(r"[a-z]+", found["scheme"] or "")
    if word:
        return word[0]
    if found["port"] in _HTTPS_PORTS:
        return "https"
    return "http" if found["port"] in _HTTP_PORTS else "rtsp"
