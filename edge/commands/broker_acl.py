"""whosthere broker-acl"""

import re
from pathlib import Path

import click

from edge.config.loading import load_config_or_defaults
from edge.errors import UsageError
from edge.mqtt.acl import acl
from edge.terminal import config_option

_BOX = re.compile(r"(?:(?P<user>[^\s:=]+)=)?(?P<device>[A-Za-z0-9_-]{1,64})")


@click.command("broker-acl")
@click.argument("boxes", nargs=-1, metavar="[[USER=]DEVICE_ID]...")
@config_option
@click.option(
    "--home",
    "homes",
    multiple=True,
    help="A user for home automation, who may read everything and send commands. May be repeated.",
)
@click.option(
    "--watcher", "watchers", multiple=True, help="A user who may read everything and send nothing. May be repeated."
)
def command(
    boxes: tuple[str, ...], config_path: Path | None, homes: tuple[str, ...], watchers: tuple[str, ...]
) -> None:
    """Print an access control list for mosquitto that lets each box write only its own topics.

    Every box gets a user of its own, called like the box unless given as USER=DEVICE_ID. Without any boxes, the list is
    for the one that --config describes.

    \b
      whosthere broker-acl front-door garden --home homeassistant > /etc/mosquitto/acl
      mosquitto_passwd -c /etc/mosquitto/passwords front-door     (one for each user)
    """
    loaded = load_config_or_defaults(config_path)
    mqtt = loaded.config.mqtt
    prefix = mqtt.home_assistant.discovery_prefix if mqtt.home_assistant.enabled else None
    own = [(mqtt.username or loaded.device_id, loaded.device_id)]
    click.echo(acl(mqtt.base_topic, prefix, [_box(box) for box in boxes] or own, homes, watchers), nl=False)


def _box(text: str) -> tuple[str, str]:
    found = _BOX.fullmatch(text)
    if found is None:
        raise UsageError(
            f"found {text!r}; allowed: DEVICE_ID or USER=DEVICE_ID, with letters, digits, _ and - in DEVICE_ID"
        )
    return found["user"] or found["device"], found["device"]
