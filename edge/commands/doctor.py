"""whosthere doctor"""

from collections.abc import Iterator
from pathlib import Path

import click

from edge.config.loading import DEFAULT_PATH
from edge.errors import UsageError
from edge.inspection.doctor import Doctor
from edge.inspection.doctor_report import DoctorReport, Hardware, NameRule, Service
from edge.inspection.findings import strangers
from edge.inspection.issue import issue_report
from edge.owner import as_owner
from edge.terminal import echo, json_option, print_json, safe_lines

Row = tuple[str, str]


@click.command("doctor")
@click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The config.yaml of this box. Without it, {DEFAULT_PATH} if there is one, or else the defaults.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write a report with config and log to this file, for an issue, without names, logins and addresses.",
)
@json_option
@click.pass_context
def command(ctx: click.Context, config_path: Path | None, report: Path | None, as_json: bool) -> None:
    """Report everything in force on this box: service, runtime, models, threshold, gallery.

    Made for bug reports and curious owners; it shows no password and no picture. Camera and broker are not tried: for
    that, see `whosthere check`.

    The exit code is 0, or 3 when the config is broken, or 4 when a model or the gallery is.

    \b
      whosthere doctor
      sudo whosthere doctor --report report.md
    """
    path = config_path or _installed()
    doctor = Doctor(path)
    found = doctor.report()
    if as_json:
        print_json(found)
    else:
        click.echo(_shown(found))
    if report is not None:
        text = issue_report(click.unstyle(_shown(found)), path, doctor.loaded)
        try:
            with as_owner(report):
                report.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{report}: cannot be written: {error.strerror}") from error
        echo(f"{report}: read it before you send it", err=True)
    ctx.exit(found.exit_code)


def _installed() -> Path | None:
    """The box's own config, even if this user may not read it."""
    try:
        DEFAULT_PATH.stat()
    except FileNotFoundError:
        return None
    except OSError:
        pass
    return DEFAULT_PATH


def _shown(report: DoctorReport) -> str:
    sections = {
        "This box": [*_who(report), *_box(report.box), *_service(report.service)],
        "Software": list(_software(report)),
        "Networks": [(n.role, f"{n.name} {n.sha256[:12]}, {n.licence}") for n in report.networks],
        "Deciding": [*_calibration(report), *_name_rule(report.deciding)],
    }
    lines = []
    for title, rows in sections.items():
        lines += [click.style(title, bold=True), *(f"  {name:<14} {safe_lines(value)}" for name, value in rows)]
    lines += [click.style(f"broken: {safe_lines(problem)}", fg="red") for problem in report.problems]
    lines += [click.style(f"hint: {safe_lines(hint)}", fg="yellow") for hint in report.hints]
    return "\n".join(lines)


def _who(report: DoctorReport) -> list[Row]:
    return [
        ("config", report.config),
        ("device_id", report.device_id),
        ("camera", report.camera),
        ("broker", report.broker),
    ]


def _box(box: Hardware) -> Iterator[Row]:
    if box.board is not None:
        yield "board", box.board
    yield "cores", str(box.cpus)
    if box.memory_mb is not None:
        yield "memory", f"{box.memory_mb:,} MB, {box.memory_available_mb or 0:,} MB available"
    yield "temperature", "unknown" if box.temperature_c is None else f"{box.temperature_c} °C"
    if box.outbox_free_mb is not None:
        yield "disk", f"{box.outbox_free_mb:,} MB free on the disk that holds the outbox"


def _service(service: Service | None) -> Iterator[Row]:
    if service is not None:
        again = f", restarted {service.restarts} times" if service.restarts else ""
        yield "service", f"{service.active} ({service.sub}){again}"
        if service.status:
            yield "", service.status


def _software(report: DoctorReport) -> Iterator[Row]:
    software = report.software
    yield "whosthere", software.whosthere
    yield "python", software.python
    yield "system", f"{software.system}, {software.arch}"
    yield "runtime", software.runtime or "none"
    yield "packages", ", ".join(f"{name} {version}" for name, version in software.packages.items())


def _calibration(report: DoctorReport) -> Iterator[Row]:
    known, calibration = report.gallery, report.calibration
    if known is None:
        yield "gallery", "none"
    else:
        yield "gallery", f"{known.path}: version {known.version}, people {known.people}, templates {known.templates}"
    if calibration is None:
        yield "calibration", "none"
        return
    (s0, s1), (f0, f1) = calibration.similarity, calibration.false_match_rate
    yield "calibration", calibration.data
    yield "", f"{calibration.points} points, from similarity {s0:.2f} (rate {f0:.1e}) to {s1:.2f} (rate {f1:.1e})"


def _name_rule(rule: NameRule | None) -> Iterator[Row]:
    if rule is None:
        return
    source = f"for {strangers(rule.false_alarm_target)}" if rule.from_calibration else "set by match.threshold"
    reach = "" if rule.within_data else ", the strictest that was measured"
    yield "threshold", f"{rule.threshold:.3f} in force, {source}{reach}; margin {rule.min_margin:g}"
    for other in rule.at_other_targets:
        beyond = "" if other.within_data else ", which the calibration has too little data for"
        yield "", f"{other.threshold:.3f} would be {strangers(other.false_alarm_target)}{beyond}"
