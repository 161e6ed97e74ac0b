"""The rules that the broker needs, as mosquitto's `acl_file` (mosquitto.conf(5))."""

from collections.abc import Sequence

from edge.mqtt.home_assistant.discovery import discovery_topic
from edge.mqtt.topics import Topics


def box_rules(base: str, device_id: str, prefix: str | None) -> list[str]:
    """A box may write its own topics only; it may read its commands, and what it has left retained.

    `prefix` is Home Assistant's discovery prefix; None: the box is not announced.
    """
    topics = Topics(base, device_id)
    rules = [
        f"topic write {topics.root}/#",
        f"topic read {topics.commands}",
        f"topic read {topics.people}",
        f"topic read {topics.snapshot}",
    ]
    if prefix is not None:
        rules += [f"topic readwrite {discovery_topic(prefix, device_id)}", f"topic read {prefix}/status"]
    return rules


def home_rules(base: str, prefix: str | None) -> list[str]:
    """Home automation may read everything and send any command, but not publish in a box's name."""
    rules = [f"topic read {base}/#", f"topic write {base}/+/command/#"]
    return rules + ([f"topic readwrite {prefix}/#"] if prefix is not None else [])


def watcher_rules(base: str) -> list[str]:
    """A watcher may read everything."""
    return [f"topic read {base}/#"]


def acl(
    base: str,
    prefix: str | None,
    boxes: Sequence[tuple[str, str]],
    homes: Sequence[str] = (),
    watchers: Sequence[str] = (),
) -> str:
    """The text of the file. `boxes` are (user, device_id); `homes` and `watchers` are users."""
    parts = [("a box", user, box_rules(base, device, prefix)) for user, device in boxes]
    parts += [("home automation", user, home_rules(base, prefix)) for user in homes]
    parts += [("reads only", user, watcher_rules(base)) for user in watchers]
    return "\n".join("\n".join([f"# {what}", f"user {user}", *rules, ""]) for what, user, rules in parts)
