"""Checks every message in the tests against the published contract."""

import functools
import json
import re
from typing import Any

import jsonschema

from edge.mqtt.contract import Channel, channels, json_schemas

_DISCOVERY = re.compile(r"homeassistant/device/[A-Za-z0-9_-]+/config")


def breach(topic: str, payload: bytes, *, base: str = "whosthere") -> str | None:
    """What is wrong with a message; None: nothing, or it is not ours. An empty payload clears a retained topic."""
    if _DISCOVERY.fullmatch(topic) and payload:
        found = json.loads(payload).keys()
        return None if found == {"dev", "o", "cmps"} else f"{topic}: has {sorted(found)}"
    prefix, _, rest = topic.partition("/")
    if prefix != base or "/" not in rest:
        return None
    channel = _channel(rest.partition("/")[2])
    if channel is None:
        return None if "/command/" in topic else f"{topic}: no such topic in the contract"
    if channel.command or (channel.retained and not payload):
        return None
    try:
        _validator(channel.name).validate(_document(channel, payload))
    except (jsonschema.ValidationError, ValueError) as error:
        return f"{topic}: {str(error)[:500]}"
    return None


@functools.cache
def _channel(level: str) -> Channel | None:
    for channel in channels():
        if re.fullmatch(re.sub(r"\{.*?\}", "[^/]+", channel.topic), level):
            return channel
    return None


@functools.cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    channel = next(channel for channel in channels() if channel.name == name)
    schema = json_schemas()[channel.payload] if isinstance(channel.payload, str) else channel.payload
    return jsonschema.Draft202012Validator(schema)


def _document(channel: Channel, payload: bytes) -> Any:
    if channel.content == "application/json":
        document = json.loads(payload)
        if channel.topic.startswith("visit") and document.get("late") is not (channel.topic == "visit/late"):
            raise ValueError(f"late is {document.get('late')}")
        return document
    if channel.content == "image/jpeg":
        if not payload.startswith(b"\xff\xd8\xff"):
            raise ValueError(f"not a JPEG: {payload[:20]!r}")
        return ""
    return payload.decode()
