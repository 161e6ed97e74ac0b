"""`whosthere notify`"""

import secrets
import time
from pathlib import Path

import click
import msgspec

from edge.commands.context import box_config
from edge.config.loading import load_config
from edge.errors import ConfigError
from edge.notify.channel import NoticeChannel
from edge.notify.channels import open_channels
from edge.notify.notice import trial_notice, trial_picture
from edge.notify.post import NotSent
from edge.terminal import json_option, print_json, safe_lines


class NoticeAttempt(msgspec.Struct, frozen=True):
    """One line of `notify test --json`."""

    channel: str
    sent: bool
    text: str
    """Why it was not sent and what to do, or a remark."""


@click.group()
def command() -> None:
    """Try the notices of this box. Section `notify` of config.yaml says where they go and what they are about."""


@command.command("test")
@box_config("The config.yaml whose section `notify` to try.")
@click.option(
    "--channel",
    "only",
    type=click.Choice(["ntfy", "webhook"]),
    help="Send by this channel alone. Without it, every channel that has an address is tried.",
)
@json_option
@click.pass_context
def test(ctx: click.Context, config_path: Path, only: str | None, as_json: bool) -> None:
    """Send a real message by each channel, and explain what fails.

    The message says that it is a test. Channels that attach pictures get a grey one. Quiet hours and the choice of
    events do not apply. A running daemon is not disturbed.

    The exit code is 0 when every message was sent, 1 when one was not, and 3 when config.yaml has a mistake or names no
    channel.

    \b
      sudo whosthere notify test
      whosthere notify test --config config.yaml --channel ntfy
    """
    loaded = load_config(config_path)
    channels = [one for one in open_channels(loaded.config.notify, lambda _: None) if only in (None, one.name)]
    if not channels:
        found = f"found no address for {only}" if only else "found no address"
        raise ConfigError(f"{config_path}: notify: {found}; set notify.ntfy.server and topic, or notify.webhook.url")
    attempts = [_attempt(channel, loaded.device_id) for channel in channels]
    if as_json:
        print_json(attempts)
    else:
        for attempt in attempts:
            verdict = click.style("sent    ", fg="green") if attempt.sent else click.style("failed  ", fg="red")
            click.echo(f"{verdict} {attempt.channel:<8} {safe_lines(attempt.text)}")
    ctx.exit(0 if all(attempt.sent for attempt in attempts) else 1)


def _attempt(channel: NoticeChannel, device_id: str) -> NoticeAttempt:
    picture = trial_picture() if channel.pictures else None
    notice = trial_notice(device_id, secrets.token_hex(8), time.monotonic(), time.time(), picture)
    try:
        remark = channel.send(notice, 0.0)
    except NotSent as error:
        return NoticeAttempt(channel.name, sent=False, text=str(error))
    return NoticeAttempt(channel.name, sent=True, text=remark or "look at where it should arrive")
