"""The topics as an AsyncAPI 3.0 document (https://www.asyncapi.com/docs/reference/specification/v3.0.0)."""

from dataclasses import dataclass
from typing import Any, Literal

from edge.mqtt.command_payloads import KINDS, Request
from edge.mqtt.payloads import SCHEMA_VERSION
from edge.mqtt.topics import OFF, OFFLINE, ON, ONLINE

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
    asked: bool = False
    """True: others publish here, and the box listens."""

    @property
    def name(self) -> str:
        return self.topic.replace("/", "_").replace("{", "").replace("}", "")


def _words(*values: bytes) -> dict[str, Any]:
    return {"type": "string", "enum": [value.decode() for value in values]}


_SAID = (
    Channel("status", "The box is there; the broker says offline in its place", _words(ONLINE, OFFLINE), True, _TEXT),
    Channel("camera", "The camera delivers frames", _words(ONLINE, OFFLINE), True, _TEXT),
    Channel("visit", "One event of a visit, fresh enough to act upon", "visit"),
    Channel("visit/late", "The same, but too old to act upon", "visit"),
    Channel("doorbell", "Somebody rang", "doorbell"),
    Channel("person/{person_id}", "Is this person in a visit now", _words(ON, OFF), True, _TEXT),
    Channel("last_person", "Name of whoever was recognized last, or none", {"type": "string"}, True, _TEXT),
    Channel("snapshot", "The visit's best picture", {"type": "string", "format": "binary"}, "configured", _JPEG),
    Channel("health", "How the box is", "health", True),
    Channel("controls", "What can be set from outside, as it is in force", "controls", True),
    Channel("command/result", "What became of a command", "command_result"),
)


def _sentence(kind: type[Request]) -> str:
    return (kind.__doc__ or "").partition("\n")[0].rstrip(".")


def channels() -> list[Channel]:
    """Every topic of the contract."""
    asked = [Channel(f"command/{name}", _sentence(kind), f"command_{name}", asked=True) for name, kind in KINDS.items()]
    switch = Channel(
        "command/paused", "For switches: pause or resume", _words(ON, OFF, b"true", b"false"), content=_TEXT, asked=True
    )
    return [*_SAID, *asked, switch]


def document() -> dict[str, Any]:
    """The AsyncAPI document; it refers to the schema files beside it."""
    every = channels()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "whosthere",
            "version": f"{SCHEMA_VERSION}.0.0",
            "description": "What a box says over MQTT, and what may be asked of it. docs/40-mqtt.md explains it.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {channel.name: _channel(channel) for channel in every},
        "operations": {channel.name: _operation(channel) for channel in every},
        "components": {"messages": {channel.name: _message(channel) for channel in every}},
    }


def _channel(channel: Channel) -> dict[str, Any]:
    parameters = {
        "base": {"description": "mqtt.base_topic of config.yaml", "default": "whosthere"},
        "device_id": {"description": "device_id of config.yaml", "examples": ["front-door"]},
    }
    if "{person_id}" in channel.topic:
        parameters["person_id"] = {"description": "Of the gallery", "examples": ["ada-lovelace"]}
    return {
        "address": f"{{base}}/{{device_id}}/{channel.topic}",
        "parameters": parameters,
        "messages": {channel.name: {"$ref": f"#/components/messages/{channel.name}"}},
    }


def _operation(channel: Channel) -> dict[str, Any]:
    retain = {} if channel.retained == "configured" else {"retain": channel.retained}
    found: dict[str, Any] = {
        "action": "receive" if channel.asked else "send",
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": channel.summary,
        "bindings": {"mqtt": {"qos": 1, **retain, "bindingVersion": "0.2.0"}},
    }
    if channel.asked:
        found["reply"] = {"channel": {"$ref": "#/channels/command_result"}}
    return found


def _message(channel: Channel) -> dict[str, Any]:
    payload = {"$ref": f"./{channel.payload}.json"} if isinstance(channel.payload, str) else channel.payload
    return {"name": channel.name, "summary": channel.summary, "contentType": channel.content, "payload": payload}
