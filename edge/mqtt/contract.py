"""JSON Schemas of the payloads, and the AsyncAPI document: `python -m edge.mqtt.contract docs/schema` writes them."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from edge.mqtt.asyncapi import document
from edge.mqtt.command_payloads import KINDS
from edge.mqtt.payloads import CommandResult, ControlsPayload, DoorbellPayload, HealthPayload, VisitPayload

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, dict[str, Any]]:
    """By file name: `visit`, `health`, `controls`, `doorbell`, `command_result`, and `command_...` of what is asked."""
    said: dict[str, type[msgspec.Struct]] = {
        "visit": VisitPayload,
        "health": HealthPayload,
        "controls": ControlsPayload,
        "doorbell": DoorbellPayload,
        "command_result": CommandResult,
    }
    asked = {f"command_{name}": _schema(kind) for name, kind in KINDS.items()}
    return {name: _complete(_schema(kind)) for name, kind in said.items()} | asked


def _schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"$schema": _DIALECT, **msgspec.json.schema(kind)}


def _complete(schema: dict[str, Any]) -> dict[str, Any]:
    """msgspec lets a field with a default be absent; we always send every field."""
    for part in schema["$defs"].values():
        if "properties" in part:
            part["required"] = list(part["properties"])
    return schema


def files() -> dict[str, str]:
    """The text of each file, by its name: the schemas, and the AsyncAPI document that refers to them."""
    documents = {**json_schemas(), "asyncapi": document()}
    return {
        f"{name}.json": msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
        for name, schema in documents.items()
    }


def write(folder: Path) -> None:
    """Writes all of them to `folder`, which is made when it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
