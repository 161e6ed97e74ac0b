"""whosthere check"""

from pathlib import Path

import click
import msgspec

from edge.commands.context import box_config
from edge.inspection.checks import Checkup
from edge.inspection.findings import CheckStatus, Finding, exit_code
from edge.terminal import json_option, plural, print_json, safe_lines

COLOURS = {
    CheckStatus.OK: "green",
    CheckStatus.WARNING: "yellow",
    CheckStatus.FAILED: "red",
    CheckStatus.SKIPPED: "cyan",
}


class CheckReport(msgspec.Struct, frozen=True):
    """What `check --json` prints."""

    config: str
    exit_code: int
    checks: list[Finding]


@click.command("check")
@box_config("The config.yaml to check, with everything that it names.")
@click.option(
    "--skip",
    type=click.Choice(["camera", "broker", "notify"]),
    multiple=True,
    help="Leave out the camera, the broker or the notices; may be given more than once. Skip the camera while the "
    "service uses it.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, config_path: Path, skip: tuple[str, ...], as_json: bool) -> None:
    """Check config, models, gallery, camera, broker and notices, and say what to do.

    Every check runs, whatever fails before it. The camera is opened and read, the broker is logged in to, and the
    servers of notices are connected to. Nothing is changed or sent, and a running service is not disturbed.

    The exit code is that of the most fundamental failure: 3 config, 4 model or gallery, 5 camera, 6 broker, 1 anything
    else. Warnings leave it at 0.

    \b
      sudo whosthere check
      whosthere check --config config.yaml --skip camera
    """
    found = []
    for finding in Checkup(config_path, frozenset(skip)).findings():
        found.append(finding)
        if not as_json:
            show_finding(finding)
    code = exit_code(finding.exit_code for finding in found)
    if as_json:
        print_json(CheckReport(str(config_path), code, found))
    else:
        click.echo(_summary(found))
    ctx.exit(code)


def show_finding(finding: Finding) -> None:
    """Print a finding: one line, or more for a config with several mistakes. Colours are for terminals only."""
    verdict = click.style(f"{finding.verdict.value:<8}", fg=COLOURS[finding.verdict])
    text = "; ".join(part for part in (finding.found, finding.advice) if part)
    click.echo(f"{verdict} {finding.check:<13} {safe_lines(text)}")


def _summary(found: list[Finding]) -> str:
    failures = sum(finding.verdict is CheckStatus.FAILED for finding in found)
    warnings = sum(finding.verdict is CheckStatus.WARNING for finding in found)
    if failures:
        return f"{failures} of {len(found)} checks failed"
    return f"nothing failed, {plural(warnings, 'warning')}" if warnings else "all is well"
