"""whosthere setup"""

import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import click
from msgspec.structs import replace

from edge.capture.registry import discover_cameras, kind_of
from edge.commands.check import show_finding
from edge.commands.context import box_config
from edge.commands.picture import in_blocks
from edge.commands.setup_page import ask_page_password, store_page_password
from edge.config.camera import CameraSettings
from edge.config.config_text import Value, rewrite
from edge.config.loading import DEFAULT_PATH, LoadedConfig, default_config, load_config
from edge.config.mqtt import MqttSettings
from edge.errors import ConfigError
from edge.faces.detect import BlazeFaceDetector
from edge.faces.loading import DETECTOR, load_network
from edge.frame import Frame
from edge.inspection.findings import CheckStatus
from edge.inspection.surroundings import broker_finding, try_camera
from edge.owner import as_owner
from edge.terminal import echo, plural, safe

TEMPLATES = (Path(__file__).parents[1] / "config.yaml", Path(__file__).parents[2] / "config.yaml")
"""The commented reference, in an installed package and in a checkout."""
PICTURE_COLUMNS = 64
CREDENTIALS = "$CREDENTIALS_DIRECTORY"
Values = dict[str, Value]
Login = dict[str, str | None]
"""The settings `username` and `password_file`."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers so far, in memory only until all are there."""

    folder: Path
    """The folder of config.yaml and the passwords."""
    values: Values = field(default_factory=dict)
    passwords: dict[Path, str] = field(default_factory=dict)


@click.command("setup")
@box_config("The config.yaml to make or change; its comments are kept.")
def command(config_path: Path) -> None:
    """Ask for the few things that a box cannot know, try them, and write config.yaml.

    It asks for the box's name, for the camera (and shows a picture from it), and for the broker (and logs in to it).
    At a terminal it also asks for a password for the box's web page, which is off without one.

    Passwords go into files beside config.yaml that only their owner can read. Every other setting keeps its value. No
    file is changed before the last question, so you can stop with Ctrl-C and start over.

    \b
      sudo whosthere setup
    """
    if not os.access(config_path.parent, os.W_OK):
        raise ConfigError(f"{config_path.parent}: cannot be written; run this as root, with sudo")
    again = config_path.exists()
    loaded = load_config(config_path) if again else default_config()
    answers = Answers(config_path.parent)
    answers.values["device_id"] = _ask_name(loaded)
    _ask_camera(answers, loaded)
    _ask_broker(answers, loaded)
    page_password = ask_page_password(loaded)
    _write(config_path, answers)
    echo(f"\n{config_path} is written; it explains every other key. `whosthere check` checks all of it.")
    if page_password:
        store_page_password(config_path, page_password)
    if again:
        click.echo("Apply it with `systemctl restart whosthere`.")


def _ask_name(loaded: LoadedConfig) -> str:
    def checked(text: str) -> str:
        if not re.fullmatch("[A-Za-z0-9_-]{1,64}", text):
            raise click.BadParameter("letters, digits, _ and -, at most 64")
        return text

    name: str = click.prompt("Name of this box on MQTT", default=loaded.device_id, value_proc=checked)
    return name


def _ask_camera(answers: Answers, loaded: LoadedConfig) -> None:
    """Ask until a camera delivers a picture, or the user keeps one that does not."""
    camera = loaded.config.camera
    while True:
        answers.values["camera.source"] = source = _ask_source(camera.source)
        camera = settings = replace(camera, source=source)
        kind = kind_of(source)
        if kind is not None and kind.takes_login and "@" not in source:
            login = _ask_login("camera", answers, camera.username, camera.password_file)
            camera = replace(camera, username=login["username"])
            settings = replace(camera, **login)
        finding, frame = try_camera(settings)
        show_finding(finding)
        if frame is not None:
            _show(frame, loaded)
        if finding.verdict is CheckStatus.OK or not click.confirm("Another camera?", default=True):
            return


def _ask_source(default: str) -> str:
    found = discover_cameras()
    click.echo(
        "\nCameras found:"
        if found
        else "\nNo camera was found on this machine. A network camera is given by its address."
    )
    for number, (source, name) in enumerate(found, 1):
        click.echo(f"  {number}  {source}  {safe(name)}")
    if found and default == CameraSettings().source:
        default = "1"
    answer: str = click.prompt("Camera: a number, an address such as rtsp://..., or a file", default=default)
    if answer.isdecimal() and 1 <= int(answer) <= len(found):
        return found[int(answer) - 1][0]
    return answer


def _show(frame: Frame, loaded: LoadedConfig) -> None:
    """Show what the camera sees, where a terminal can, and say whether there is a face in it."""
    if sys.stdout.isatty():
        click.echo(in_blocks(frame.preview, PICTURE_COLUMNS))
    config = loaded.config
    detector = BlazeFaceDetector(load_network(config.models, DETECTOR, loaded.base), config.detect)
    faces = len(detector.detect(frame.preview))
    click.echo(
        f"{plural(faces, 'face')} in the picture"
        if faces
        else "no face in the picture; stand in front of the camera to try"
    )


def _ask_broker(answers: Answers, loaded: LoadedConfig) -> None:
    """Ask until a broker accepts the login, or the user keeps one that does not."""
    mqtt = loaded.config.mqtt
    while True:
        host: str = click.prompt("\nMQTT broker (name or address)", default=mqtt.host)
        tls = click.confirm("Encrypted (TLS)?", default=mqtt.tls.enabled)
        usual = mqtt.port if tls == mqtt.tls.enabled else MqttSettings.port if not tls else 8883
        port: int = click.prompt("Port", default=usual, type=click.IntRange(1, 65535))
        answers.values.update({"mqtt.host": host, "mqtt.port": port, "mqtt.tls.enabled": tls})
        login = _ask_login("mqtt", answers, mqtt.username, mqtt.password_file)
        mqtt = replace(mqtt, host=host, port=port, tls=replace(mqtt.tls, enabled=tls), username=login["username"])
        settings = replace(mqtt, **login)
        finding = broker_finding(settings, str(answers.values["device_id"]))
        show_finding(finding)
        if finding.verdict is not CheckStatus.FAILED or not click.confirm("Another broker or login?", default=True):
            return


def _ask_login(section: str, answers: Answers, username: str | None, password_file: str | None) -> Login:
    """Ask for a login. Returns the settings to try it with: systemd passes no credentials to this command."""
    name_key, file_key = f"{section}.username", f"{section}.password_file"
    path = answers.folder / f"{section}-password"
    if password_file is not None and CREDENTIALS not in password_file:
        path = Path(password_file)
    answers.passwords.pop(path, None)
    hint = "empty for none" if username is None else "- for none"
    name: str = click.prompt(f"Login ({hint})", default=username or "", show_default=username is not None)
    if name in {"", "-"}:
        for key in (name_key, file_key):
            answers.values.pop(key, None)
            if username is not None:
                answers.values[key] = None
        return {"username": None, "password_file": None}
    kept = path.exists()
    hint = "empty: keep the old one" if kept else "not shown as you type"
    password: str = click.prompt(f"Password ({hint})", default="", hide_input=True, show_default=False)
    answers.values[name_key] = name
    if not password and not kept:
        return {"username": name, "password_file": None}
    in_etc = path.parent == DEFAULT_PATH.parent
    answers.values[file_key] = f"{CREDENTIALS}/{path.name}" if in_etc else os.path.relpath(path, answers.folder)
    if password:
        answers.passwords[path] = password
    return {"username": name, "password_file": _in_memory(password) if password else str(path)}


def _in_memory(password: str) -> str:
    """The path of a file that lives in memory, as long as this process."""
    handle = os.memfd_create("password")
    os.write(handle, f"{password}\n".encode())
    return f"/proc/self/fd/{handle}"


def _write(config_path: Path, answers: Answers) -> None:
    """Replace each file as a whole. config.yaml comes last, so one that exists is complete."""
    try:
        with as_owner(config_path):
            _write_files(config_path, answers)
    except OSError as error:
        raise ConfigError(f"{error.filename or config_path}: cannot be written: {error.strerror}") from error


def _write_files(config_path: Path, answers: Answers) -> None:
    draft = config_path
    try:
        for path, password in answers.passwords.items():
            handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(password + "\n")
            Path(beside).replace(path)
        if not config_path.exists():
            handle, beside = tempfile.mkstemp(dir=config_path.parent, prefix=f".{config_path.name}.")
            os.close(handle)
            draft = Path(beside)
            template = next((each for each in TEMPLATES if each.exists()), None)
            draft.write_text(template.read_text(encoding="utf-8") if template else "", encoding="utf-8")
        rewrite(draft, answers.values)
        draft.replace(config_path)
    finally:
        if draft != config_path:
            draft.unlink(missing_ok=True)
