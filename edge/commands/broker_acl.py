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
@click.option("--home", "homes", multiple=True, help="A user of home automation: reads all, sends commands.")
@click.option("--watcher", "watchers", multiple=True, help="A user who reads all.")
def command(
    boxes: tuple[str, ...], config_path: Path | None, homes: tuple[str, ...], watchers: tuple[str, ...]
) -> None:
    """Print an ACL file for mosquitto that lets each box write its own topics alone.

    One user a box; it has the box's name unless it is given as USER=DEVICE_ID. Without any, the box of --config.

    \b
      whosthere broker-acl front-door garden --home homeassistant > /etc/mosquitto/acl
      mosquitto_passwd -c /etc/mosquitto/passwords front-door     (and so on for each user)
    """
    loaded = load_config_or_defaults(config_path)
    mqtt = loaded.config.mqtt
    prefix = mqtt.home_assistant.discovery_prefix if mqtt.home_assistant.enabled else None
    own = [(mqtt.username or loaded.device_id, loaded.device_id)]
    click.echo(acl(mqtt.base_topic, prefix, [_box(box) for box in boxes] or own, homes, watchers), nl=False)


def _box(text: str) -> tuple[str, str]:
    found = _BOX.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r}: expected DEVICE_ID or USER=DEVICE_ID; letters, digits, _ and - make a DEVICE_ID")
    return found["user"] or found["device"], found["device"]
