"""pip, followed line by line: which package it is at, and why it failed."""

import re
import subprocess
import sys

import click

from edge.terminal import safe

STEP = re.compile(r"\s*(?:Collecting|Downloading|Using cached) (?P<what>\S+)(?P<size> \([^)]*B\))?")
CAUSES = ("No space left", "Connection", "Temporary failure", "Name or service", "No matching distribution")
"""What says more than the last line that pip writes."""


def follow(command: list[str], environment: dict[str, str], packages: int) -> str:
    """Run pip, with a bar on standard error if somebody is watching. Returns why it failed, or nothing.

    `packages`: about how many there will be.
    """
    said: list[str] = []
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
        ) as pip,
        click.progressbar(
            length=packages, label="installing", file=sys.stderr, hidden=not sys.stderr.isatty(), item_show_func=_shown
        ) as bar,
    ):
        for line in pip.stdout or ():
            said.append(line.strip())
            if found := STEP.match(line):
                bar.update(line.startswith("Collecting"), f"{found['what']}{found['size'] or ''}")
            elif line.startswith("Installing collected"):
                bar.update(0, "unpacking")
    return _problem(said) if pip.returncode else ""


def _shown(item: object) -> str:
    return safe(str(item or ""))[:60]


def _problem(said: list[str]) -> str:
    errors = [line.removeprefix("ERROR: ") for line in said if line.startswith(("ERROR: ", "error: "))]
    told = [line for line in [*errors, *said] if any(cause in line for cause in CAUSES)]
    # pip lists every version there is.
    return re.sub(r" \(from versions: [^)]*\)", "", (told or errors or said or ["it gives no reason"])[0])
