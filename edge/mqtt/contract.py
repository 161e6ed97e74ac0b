"""The contract as files: JSON Schemas of the payloads, and an AsyncAPI 3.0 document of the topics.

`python -m edge.mqtt.contract docs/schema` writes them. AsyncAPI:
https://www.asyncapi.com/docs/reference/specification/v3.0.0.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from edge.mqtt.challenge_payload import ChallengePayload
from edge.mqtt.command_payloads import KINDS, Request
from edge.mqtt.payloads import SCHEMA_VERSION, CommandResult, ControlsPayload, DoorbellPayload, HealthPayload
from edge.mqtt.topics import OFF, OFFLINE, ON, ONLINE
from edge.mqtt.visit_payloads import VisitPayload

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TEXT, _JPEG = "text/plain", "image/jpeg"


@dataclass(frozen=True, slots=True)
class Channel:
    """One topic below `<base>/<device_id>/`."""

    topic: str
    summary: str
    payload: str | dict[str, Any]
    """The name of a schema file, or a schema of its own."""
    retained: bool | Literal["configured"] = False
    content: str = "application/json"
    command: bool = False
    """True: others publish this, and the box subscribes to it."""

    @property
    def name(self) -> str:
        return self.topic.replace("/", "_").replace("{", "").replace("}", "")


def _words(*values: bytes) -> dict[str, Any]:
    return {"type": "string", "enum": [value.decode() for value in values]}


_PUBLISHED = (
    Channel(
        "status",
        "Whether the box is connected; the broker publishes offline when it vanishes",
        _words(ONLINE, OFFLINE),
        True,
        _TEXT,
    ),
    Channel("camera", "Whether the camera delivers frames", _words(ONLINE, OFFLINE), True, _TEXT),
    Channel("visit", "An event of a visit, recent enough to act on", "visit"),
    Channel("visit/late", "An event of a visit, too old to act on", "visit"),
    Channel("doorbell", "Somebody rang", "doorbell"),
    Channel("challenge", "What a challenged visitor should do, and how it ended", "challenge"),
    Channel("person/{person_id}", "Whether this person is in a visit now", _words(ON, OFF), True, _TEXT),
    Channel("last_person", "Name of the last person recognized, or none", {"type": "string"}, True, _TEXT),
    Channel("snapshot", "The best picture of a visit", {"type": "string", "format": "binary"}, "configured", _JPEG),
    Channel("health", "The state of the box", "health", True),
    Channel("controls", "Current values of everything that can be set", "controls", True),
    Channel("command/result", "The result of a command", "command_result"),
)


def _sentence(kind: type[Request]) -> str:
    return (kind.__doc__ or "").partition("\n")[0].rstrip(".")


def channels() -> list[Channel]:
    """Every topic of the contract."""
    commands = [
        Channel(f"command/{name}", _sentence(kind), f"command_{name}", command=True) for name, kind in KINDS.items()
    ]
    switch = Channel(
        "command/paused",
        "Pause or resume, for switches",
        _words(ON, OFF, b"true", b"false"),
        content=_TEXT,
        command=True,
    )
    return [*_PUBLISHED, *commands, switch]


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI document, which refers to the schema files beside it."""
    every = channels()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "whosthere",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": "What a box publishes over MQTT, and the commands that it accepts. See docs/40-mqtt.md.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {channel.name: _channel(channel) for channel in every},
        "operations": {channel.name: _operation(channel) for channel in every},
        "components": {"messages": {channel.name: _message(channel) for channel in every}},
    }


def _channel(channel: Channel) -> dict[str, Any]:
    parameters = {
        "base": {"description": "mqtt.base_topic in config.yaml", "default": "whosthere"},
        "device_id": {"description": "device_id in config.yaml", "examples": ["front-door"]},
    }
    if "{person_id}" in channel.topic:
        parameters["person_id"] = {"description": "The person's id in the gallery", "examples": ["ada-lovelace"]}
    return {
        "address": f"{{base}}/{{device_id}}/{channel.topic}",
        "parameters": parameters,
        "messages": {channel.name: {"$ref": f"#/components/messages/{channel.name}"}},
    }


def _operation(channel: Channel) -> dict[str, Any]:
    retain = {} if channel.retained == "configured" else {"retain": channel.retained}
    found: dict[str, Any] = {
        "action": "receive" if channel.command else "send",
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": channel.summary,
        "bindings": {"mqtt": {"qos": 1, **retain, "bindingVersion": "0.2.0"}},
    }
    if channel.command:
        found["reply"] = {"channel": {"$ref": "#/channels/command_result"}}
    return found


def _message(channel: Channel) -> dict[str, Any]:
    payload = {"$ref": f"./{channel.payload}.json"} if isinstance(channel.payload, str) else channel.payload
    return {"name": channel.name, "summary": channel.summary, "contentType": channel.content, "payload": payload}


def json_schemas() -> dict[str, dict[str, Any]]:
    """The schemas by file name: those of what is published, and `command_...` for each command."""
    published: dict[str, type[msgspec.Struct]] = {
        "visit": VisitPayload,
        "health": HealthPayload,
        "controls": ControlsPayload,
        "doorbell": DoorbellPayload,
        "challenge": ChallengePayload,
        "command_result": CommandResult,
    }
    commands = {f"command_{name}": _schema(kind) for name, kind in KINDS.items()}
    return {name: _complete(_schema(kind)) for name, kind in published.items()} | commands


def _schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"$schema": _DIALECT, **msgspec.json.schema(kind)}


def _complete(schema: dict[str, Any]) -> dict[str, Any]:
    """For msgspec a field with a default may be absent; the box always sends every field."""
    for part in schema["$defs"].values():
        if "properties" in part:
            part["required"] = list(part["properties"])
    return schema


def files() -> dict[str, str]:
    """The text of each file by name: the schemas, and the AsyncAPI document that refers to them."""
    documents = {**json_schemas(), "asyncapi": asyncapi()}
    return {
        f"{name}.json": msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
        for name, schema in documents.items()
    }


def write(folder: Path) -> None:
    """Write all files to `folder`, which is created when it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
