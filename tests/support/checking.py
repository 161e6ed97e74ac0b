"""`whosthere check`, and what it found."""

import json
import secrets
from pathlib import Path
from typing import Any

from edge.config import typed_yaml
from support.portraits import whosthere

PASSWORD = secrets.token_hex(12)
"""Whatever is checked: it must never be shown."""


def changed(path: Path, **sections: dict[str, Any]) -> Path:
    """The same with other values."""
    document = typed_yaml.read(path)
    for name, values in sections.items():
        document[name] = {**document.get(name, {}), **values}
    path.write_text(typed_yaml.dump(document))
    return path


def check(path: Path, *options: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit code, and the findings by check. No password is ever in the output, in whatever form."""
    for form in ((), ("--json",)):
        result = whosthere("check", "--config", path, *options, *form)
        assert PASSWORD not in result.output
        assert "Traceback" not in result.output
    report = json.loads(result.stdout)
    assert report["exit_code"] == result.exit_code
    findings: dict[str, list[dict[str, Any]]] = {}
    for finding in report["checks"]:
        findings.setdefault(finding["check"], []).append(finding)
    return result.exit_code, findings


def verdicts(findings: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    return {name: found[0]["verdict"] for name, found in findings.items()}
