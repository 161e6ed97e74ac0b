"""JSON Schemas of the payloads: `python -m edge.publish.schema docs/schema` writes them."""

import sys
from pathlib import Path
from typing import Any

import msgspec

from edge.publish.payloads import CommandResult, HealthPayload, VisitPayload

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, dict[str, Any]]:
    """By topic name: `visit`, `health`, `command_result`."""
    kinds: dict[str, type[msgspec.Struct]] = {
        "visit": VisitPayload,
        "health": HealthPayload,
        "command_result": CommandResult,
    }
    return {name: _schema(kind) for name, kind in kinds.items()}


def _schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    schema = msgspec.json.schema(kind)
    for part in schema["$defs"].values():
        if "properties" in part:
            # msgspec lets a field with a default be absent; we always send every field.
            part["required"] = list(part["properties"])
    return {"$schema": _DIALECT, **schema}


def files() -> dict[str, str]:
    """The text of each schema file, by file name."""
    return {
        f"{name}.json": msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
        for name, schema in json_schemas().items()
    }


def write(folder: Path) -> None:
    """Writes all of them to `folder`, which is made when it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
