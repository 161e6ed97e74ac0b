"""whosthere watch"""

import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import msgspec
from msgspec.structs import replace

from edge.commands.watch_view import Boxes, document, panels
from edge.config.loading import load_config_or_defaults
from edge.config.mqtt import MqttSettings
from edge.errors import UsageError
from edge.mqtt.client import Lost
from edge.mqtt.listener import listen
from edge.terminal import NumberRange, config_option, echo, safe_json


@click.command("watch")
@click.argument("devices", nargs=-1)
@config_option
@click.option("--host", help="Connect to this broker, in place of mqtt.host.")
@click.option("--port", type=click.IntRange(1, 65535), help="Connect to this port, in place of mqtt.port.")
@click.option(
    "--username", help="Log in as this user, in place of mqtt.username. A box's own user may read that box only."
)
@click.option(
    "--password-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file whose first line is the password, in place of mqtt.password_file.",
)
@click.option("--base-topic", help="Read below this topic, in place of mqtt.base_topic.")
@click.option(
    "--for",
    "seconds",
    type=NumberRange(min=0, min_open=True),
    help="Stop after this many seconds. Without it, run until Ctrl-C.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per message and line, for a script to read."
)
@click.option("--plain", is_flag=True, help="Print one line per event in place of the live view.")
def command(
    devices: tuple[str, ...],
    config_path: Path | None,
    host: str | None,
    port: int | None,
    username: str | None,
    password_file: Path | None,
    base_topic: str | None,
    seconds: float | None,
    *,
    as_json: bool,
    plain: bool,
) -> None:
    """Follow boxes live: their visits, who is there, the doorbell, and their health.

    Shows all boxes of the broker, or only DEVICES (their device_id). Publishes nothing.

    \b
      whosthere watch --host broker.lan
      whosthere watch front-door --json --for 60
    """
    mqtt = load_config_or_defaults(config_path).config.mqtt
    given = {"host": host, "port": port, "username": username, "base_topic": base_topic}
    given["password_file"] = str(password_file) if password_file else None
    mqtt = replace(mqtt, **{key: value for key, value in given.items() if value is not None})
    if any(character in device for device in devices for character in "+#/"):
        raise UsageError(f"DEVICES: found {' '.join(devices)}; name boxes by their device_id, without + # /")
    boxes = Boxes(mqtt.base_topic)
    deadline = time.monotonic() + seconds if seconds else float("inf")
    with suppress(KeyboardInterrupt):
        if as_json:
            _watch(mqtt, devices, deadline, lambda topic, payload, old: _print_json(boxes, topic, payload, old))
            return
        with _shown(boxes, live=not plain and sys.stdout.isatty()) as show:
            _watch(mqtt, devices, deadline, lambda topic, payload, _: show(boxes.message(topic, payload)))


def _watch(
    mqtt: MqttSettings, devices: tuple[str, ...], deadline: float, take: Callable[[str, bytes, bool], None]
) -> None:
    for heard in listen(mqtt, devices, threading.Event()):
        if isinstance(heard, Lost):
            echo(f"{heard.reason.text}; retrying", err=True)
        elif heard is not None:
            take(heard.topic, heard.payload, heard.retained)
        if time.monotonic() >= deadline:
            return


def _print_json(boxes: Boxes, topic: str, payload: bytes, retained: bool) -> None:
    place = boxes.place(topic)
    if place is not None:
        click.echo(safe_json(msgspec.json.encode(document(place, payload, retained=retained)).decode()))


@contextmanager
def _shown(boxes: Boxes, *, live: bool) -> Iterator[Callable[[str | None], None]]:
    """How to show a line: in the live view if there is one, otherwise line by line on the terminal."""
    if not live or importlib.util.find_spec("rich") is None:
        yield lambda line: echo(line) if line else None
        return
    from rich.live import Live  # noqa: PLC0415  (rich is in the demo extra)

    from edge.safe_console import SafeConsole  # noqa: PLC0415

    with Live(get_renderable=lambda: panels(boxes), console=SafeConsole(), refresh_per_second=4, screen=False):
        yield lambda _: None
