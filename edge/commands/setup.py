"""whosthere setup"""

import os
import re
import sys
from pathlib import Path

import click
from msgspec.structs import replace

from edge.capture.address import is_address
from edge.capture.picamera import pi_cameras
from edge.capture.settings import CameraSettings
from edge.capture.v4l2 import usb_cameras
from edge.commands.check import show_finding
from edge.commands.context import box_config
from edge.commands.output import plural
from edge.commands.picture import in_blocks
from edge.detect import BlazeFaceDetector
from edge.errors import ConfigError
from edge.inspection.findings import Verdict
from edge.inspection.surroundings import broker_finding, look_through
from edge.publish.settings import MqttSettings
from edge.records import Frame
from edge.runtime.config import DEFAULT_PATH, LoadedConfig, default_config, load_config
from edge.runtime.config_text import Value, rewrite
from edge.runtime.stages import load_network

TEMPLATES = (Path(sys.prefix) / "share/whosthere/config.yaml", Path(__file__).parents[2] / "config.yaml")
"""Of an installed service, and of a checkout."""
PICTURE_COLUMNS = 64
CREDENTIALS = "$CREDENTIALS_DIRECTORY"
Values = dict[str, Value]


@click.command("setup")
@box_config("The config.yaml to make, or to change; its comments stay.")
def command(config_path: Path) -> None:
    """Ask for the few things that a box cannot know, try them out, and write config.yaml.

    Its name; its camera, of those found or by address, whose picture is shown; and the broker, which is logged in to.
    Passwords go into files beside config.yaml that only their owner can read. What is not asked keeps its value, and
    config.yaml is not touched before the end.
    """
    loaded = load_config(config_path) if config_path.exists() else default_config()
    values: Values = {"device_id": _ask_name(loaded)}
    values |= _ask_camera(config_path.parent, loaded)
    values |= _ask_broker(config_path.parent, loaded, str(values["device_id"]))
    if not config_path.exists():
        _lay_out(config_path)
    rewrite(config_path, values)
    click.echo(f"\n{config_path} is written; it explains every other key. `whosthere check` tries all of it again.")


def _ask_name(loaded: LoadedConfig) -> str:
    def checked(text: str) -> str:
        if not re.fullmatch("[A-Za-z0-9_-]{1,64}", text):
            raise click.BadParameter("letters, digits, _ and -, at most 64")
        return text

    name: str = click.prompt("Name of this box on MQTT", default=loaded.device_id, value_proc=checked)
    return name


def _ask_camera(folder: Path, loaded: LoadedConfig) -> Values:
    """Until one delivers a picture, or is to be taken all the same."""
    while True:
        source = _ask_source(loaded)
        values: Values = {"camera.source": source}
        settings = replace(loaded.config.camera, source=source)
        if is_address(source) and "@" not in source:
            login = _ask_login("camera", folder, settings.username)
            values |= login
            settings = replace(settings, **_tried(login, folder))
        finding, frame = look_through(settings)
        show_finding(finding)
        if frame is not None:
            _show(frame, loaded)
        if finding.verdict is Verdict.OK or not click.confirm("Another camera?", default=True):
            return values


def _ask_source(loaded: LoadedConfig) -> str:
    found = [*pi_cameras(), *usb_cameras()]
    click.echo("\nCameras found:" if found else "\nNo camera was found here; a network camera has an address.")
    for number, (source, name) in enumerate(found, 1):
        click.echo(f"  {number}  {source}  {name}")
    default = loaded.config.camera.source
    if found and default == CameraSettings().source:
        default = "1"
    answer: str = click.prompt("Camera: a number, an address such as rtsp://..., or a file", default=default)
    if answer.isdecimal() and 1 <= int(answer) <= len(found):
        return found[int(answer) - 1][0]
    return answer


def _show(frame: Frame, loaded: LoadedConfig) -> None:
    """What the camera sees, where a terminal can show it, and whether that holds a face."""
    if sys.stdout.isatty():
        click.echo(in_blocks(frame.preview, PICTURE_COLUMNS))
    config = loaded.config
    detector = BlazeFaceDetector(load_network(config.models, "detector", loaded.base), config.detect)
    faces = len(detector.detect(frame.preview))
    click.echo(
        f"{plural(faces, 'face')} in the picture" if faces else "no face in the picture; step in front of it to see"
    )


def _ask_broker(folder: Path, loaded: LoadedConfig, device_id: str) -> Values:
    """Until one lets us in, or is to be taken all the same."""
    mqtt = loaded.config.mqtt
    while True:
        host: str = click.prompt("\nMQTT broker (name or address)", default=mqtt.host)
        tls = click.confirm("Encrypted (TLS)?", default=mqtt.tls.enabled)
        usual = mqtt.port if tls == mqtt.tls.enabled else MqttSettings.port if not tls else 8883
        port: int = click.prompt("Port", default=usual, type=click.IntRange(1, 65535))
        login = _ask_login("mqtt", folder, mqtt.username)
        settings = replace(mqtt, host=host, port=port, tls=replace(mqtt.tls, enabled=tls), **_tried(login, folder))
        finding = broker_finding(settings, device_id)
        show_finding(finding)
        if finding.verdict is not Verdict.FAILED or not click.confirm("Another broker or login?", default=True):
            return {"mqtt.host": host, "mqtt.port": port, "mqtt.tls.enabled": tls, **login}


def _ask_login(section: str, folder: Path, default: str | None) -> Values:
    """The keys `username` and `password_file` of a section; the password itself goes into its file at once."""
    username: str = click.prompt("Login (empty: none)", default=default or "", show_default=bool(default))
    if not username:
        return {}
    name = f"{section}-password"
    password: str = click.prompt(
        "Password (empty: the one in its file)", default="", hide_input=True, show_default=False
    )
    if password:
        _keep(folder / name, password)
    kept = f"{CREDENTIALS}/{name}" if folder == DEFAULT_PATH.parent else name
    return {f"{section}.username": username, f"{section}.password_file": kept}


def _tried(login: Values, folder: Path) -> dict[str, str]:
    """The same keys for a first try: systemd hands no credentials to us."""
    keys = {key.partition(".")[2]: str(value) for key, value in login.items()}
    if "password_file" in keys:
        keys["password_file"] = str(folder / Path(keys["password_file"]).name)
    return keys


def _keep(path: Path, password: str) -> None:
    try:
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(password + "\n")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; run this as root, with sudo") from error


def _lay_out(path: Path) -> None:
    """The template, where there is one: a file that explains itself."""
    template = next((each for each in TEMPLATES if each.exists()), None)
    try:
        path.write_text(template.read_text(encoding="utf-8") if template else "", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; run this as root, with sudo") from error
