"""Reads and writes the reports in bench/."""

from pathlib import Path
from typing import Any

import msgspec

from tools.bench.records import Report

SCHEMA = "schema.json"
GUARD = "guard.json"


def save(folder: Path, part: str, report: Report) -> Path:
    """Write one part's report; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{part}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return path


def load(path: Path) -> Report:
    """Read one report. Raises SystemExit when it is not of this form."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except msgspec.MsgspecError as error:
        raise SystemExit(f"{path}: {error}; allowed: what `make bench` writes; measure this part again") from error


def load_all(folder: Path) -> dict[str, Report]:
    """Every report of a folder, by part."""
    paths = [path for path in sorted(folder.glob("*.json")) if path.name not in {SCHEMA, GUARD}]
    return {path.stem: load(path) for path in paths}


def schema() -> dict[str, Any]:
    """The JSON schema of a report."""
    document = msgspec.json.schema(Report)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A report of make bench", **document}


def write_schema(folder: Path) -> None:
    """Write the schema beside the reports."""
    (folder / SCHEMA).write_bytes(msgspec.json.format(msgspec.json.encode(schema())) + b"\n")
