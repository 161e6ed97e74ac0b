"""Commands that nobody should send, and the calm after them."""

import json
import os
import random
from contextlib import suppress

from edge.mqtt.command_payloads import KNOWN, MAX_PAYLOAD
from support.broker import Listener

MESSAGES = 10_000 if os.environ.get("WHOSTHERE_FULL") else 2_000

CALM_S = 6.0
"""Commands are carried out again after so long without one."""


def hostile(chance: random.Random) -> tuple[str, bytes]:
    """A command and its payload: torn, deeply nested, binary, huge, of wrong types, of unknown names."""
    bad = [
        chance.randbytes(chance.randrange(200)),
        b'{"for_s":' * chance.randrange(400),
        b"[" * chance.randrange(MAX_PAYLOAD),
        json.dumps({"for_s": chance.choice([[], {}, "x", None, -1, 1e308, True])}).encode(),
        b"\x00" * chance.randrange(3 * MAX_PAYLOAD),
        b'{"correlation_id":"' + "\U0001f6aa".encode() * chance.randrange(300) + b'"}',
        b"x" * 200_000 if chance.random() < 0.02 else b"",
    ]
    names = [*KNOWN, "open_door", "x" * chance.randrange(1, 300), "a/b/c", "\u202e", "result/x"]
    return chance.choice(names), chance.choice(bad)


def answered_again(listener: Listener, root: str) -> None:
    """Return once the flood is over for the box too: a command is carried out again, of those sent now and then."""
    for number in range(40):
        mark = f"afterwards-{number}"
        listener.publish(f"{root}/command/resume", json.dumps({"correlation_id": mark}).encode())
        with suppress(AssertionError):
            listener.wait(lambda mark=mark: any(_carried_out(m.payload, mark) for m in listener.heard), CALM_S)
            return
    raise AssertionError("commands are still dropped long after the flood")


def _carried_out(payload: bytes, mark: str) -> bool:
    return mark.encode() in payload and b'"ok":true' in payload
