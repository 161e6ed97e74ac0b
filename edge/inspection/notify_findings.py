"""What `check` and `doctor` find about notices. No message is sent."""

from collections.abc import Collection, Iterator
from pathlib import Path

from edge.address import Address, parse_address
from edge.config.loading import LoadedConfig
from edge.config.notify import NoticeRules, NotifySettings
from edge.errors import ConfigError
from edge.galleries.gallery import Gallery
from edge.inspection.findings import Finding, failed, ok, warning
from edge.link.client import Link
from edge.link.protocol import LinkError
from edge.notify.channels import open_channels
from edge.notify.post import NotSent
from edge.terminal import plural

CHECK = "notify"
GUESSABLE = 12
"""A topic shorter than this may be found by trying."""
_DAEMON_S = 2.0
"""How long the daemon may take to answer."""
_PUBLIC = "ntfy.sh"
_LOCAL = ("localhost", "127.0.0.1", "::1")


def connection_findings(loaded: LoadedConfig) -> Iterator[Finding]:
    """Read every secret and connect to each server, which takes seconds."""
    try:
        channels = open_channels(loaded.config.notify, lambda _: None)
    except ConfigError as error:
        yield failed(CHECK, error)
        return
    for channel in channels:
        try:
            found = f"{channel.name}: {channel.try_connection()} answers; `whosthere notify test` sends a message"
            yield ok(CHECK, found)
        except NotSent as error:
            yield failed(CHECK, error)


def rule_findings(loaded: LoadedConfig, gallery: Gallery | None) -> Iterator[Finding]:
    """Doubts about the section itself. No secret is read: doctor may run where they are not."""
    settings = loaded.config.notify
    yield from _doubts(settings)
    known = None if gallery is None else {text for person in gallery.people for text in (person.id, person.name)}
    for name, rules in settings.rules.items():
        yield from _no_effect(name, rules, known, grouped=loaded.config.strangers.group)


def delivery_findings(loaded: LoadedConfig) -> Iterator[Finding]:
    """How notices of the running daemon fared. Nothing where none runs, or where its socket is not ours to ask."""
    try:
        channels = Link(Path(loaded.config.link.path), _DAEMON_S).metrics().notices
    except LinkError:
        return
    for name, counts in channels.items():
        if counts.problem is not None or counts.dropped:
            lost = f"{plural(counts.dropped, 'notice')} given up since the daemon started"
            why = f"; the last attempt failed: {counts.problem}" if counts.problem else "; the last attempt succeeded"
            yield warning(CHECK, f"{name}: {lost}{why}", "`whosthere notify test` tries it now")


def _doubts(settings: NotifySettings) -> Iterator[Finding]:
    """What works, but not as safely as it could."""
    ntfy, webhook = settings.ntfy, settings.webhook
    if ntfy.server is not None:
        server = parse_address(ntfy.server)
        if server.host == _PUBLIC and ntfy.token_file is None and ntfy.topic and len(ntfy.topic) < GUESSABLE:
            found = (
                f"notify.ntfy.topic has {len(ntfy.topic)} characters: anyone who guesses it reads who is at your door"
            )
            yield warning(CHECK, found, f"invent one of {GUESSABLE} or more")
        yield from _in_the_clear("ntfy.server", server)
    if webhook.url is not None:
        yield from _in_the_clear("webhook.url", parse_address(webhook.url))


def _in_the_clear(key: str, address: Address) -> Iterator[Finding]:
    if address.scheme == "http" and address.host not in _LOCAL:
        found = f"notify.{key} is http://: names, pictures and tokens cross the network unencrypted"
        yield warning(CHECK, found, "use https:// if the server can")


def _no_effect(channel: str, rules: NoticeRules, known: Collection[str] | None, *, grouped: bool) -> Iterator[Finding]:
    """Rules that pick nothing. `known` are ids and names; None: the gallery cannot be read."""
    missing = [person for person in rules.people if known is not None and person not in known]
    if missing:
        found = f"notify.{channel}.people: nobody in the gallery is called {', '.join(missing)}"
        yield warning(CHECK, found, "`whosthere gallery list` shows ids and names")
    if "again" in rules.events and "unknown" not in rules.events and not grouped:
        found = f"notify.{channel}.events has again, but strangers.group is false: nobody is known to come again"
        yield warning(CHECK, found, "set strangers.group to true, or add unknown")
