"""Command messages that nobody should send."""

import json
import os
import random

from edge.mqtt.command_payloads import KNOWN, MAX_PAYLOAD

MESSAGES = 10_000 if os.environ.get("WHOSTHERE_FULL") else 2_000


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
