"""openHAB's files as its own grammars have them (Thing.xtext and Items.xtext of openhab-core): enough to refuse what it
would refuse, and to know what the MQTT binding would do with the rest.
"""

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r"\s+|//[^\n]*|(?P<string>\"(?:\\.|[^\"\\])*\")|(?P<id>[A-Za-z0-9_-]+)|(?P<mark>[][{}():,=@<>#.])")
KINDS = {"string", "number", "dimmer", "switch", "contact", "color", "datetime", "image", "location", "rollershutter"}
KINDS |= {"colorRGB", "colorHSB", "trigger"}
"""The parameters of channels (channels.xml of the binding)."""
PARAMETERS = {
    "broker": {"host", "port", "secure", "protocol", "mqttVersion", "username", "password", "clientID", "qos"},
    "topic": {"availabilityTopic", "payloadAvailable", "payloadNotAvailable", "transformationPattern"},
    "trigger": {"stateTopic", "transformationPattern"},
    "image": {"stateTopic"},
    "string": {"stateTopic", "commandTopic", "transformationPattern", "formatBeforePublish", "qos", "retained"},
    "switch": {"stateTopic", "commandTopic", "transformationPattern", "formatBeforePublish", "qos", "retained"}
    | {"on", "off"},
}
"""The parameters of things that we use (the binding's config descriptions)."""
ITEMS = {"switch": "Switch", "string": "String", "image": "Image"}
"""Which item a channel may be linked to."""


@dataclass
class Part:
    """A bridge, a thing, a channel or an item."""

    kind: str
    id: str
    parameters: dict[str, str] = field(default_factory=dict)
    channels: list["Part"] = field(default_factory=list)


class Reader:
    """Tokens one by one; anything unexpected is an AssertionError."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            assert found, f"openHAB would not read this: {text[at : at + 40]!r}"
            if found.lastgroup:
                self._tokens.append(found.group())
            at = found.end()

    def more(self) -> bool:
        return bool(self._tokens)

    def next(self) -> str:
        assert self._tokens, "it ends too early"
        return self._tokens.pop(0)

    def expect(self, *wanted: str) -> None:
        for token in wanted:
            found = self.next()
            assert found == token, f"expected {token!r}, found {found!r}"

    def maybe(self, token: str) -> bool:
        if self._tokens[:1] == [token]:
            self._tokens.pop(0)
            return True
        return False

    def label(self) -> None:
        if self._tokens and self._tokens[0].startswith('"'):
            self.next()

    def uid(self) -> list[str]:
        """Segments between colons."""
        found = [self.next()]
        while self.maybe(":"):
            found.append(self.next())
        return found

    def parameters(self) -> dict[str, str]:
        found: dict[str, str] = {}
        if self.maybe("["):
            while not found or self.maybe(","):
                key = self.next()
                self.expect("=")
                found[key] = self.next().strip('"')
            self.expect("]")
        return found


def things(text: str) -> list[Part]:
    """The bridges and things of a .things file, with their channels."""
    reader, found = Reader(text), []
    while reader.more():
        assert reader.next() in {"Bridge", "Thing"}
        part = Part(*_type_and_id(reader.uid()))
        reader.label()
        if reader.maybe("("):
            assert len(reader.uid()) == 3, "of the bridge"
            reader.expect(")")
        part.parameters = reader.parameters()
        if reader.maybe("{"):
            reader.expect("Channels", ":")
            while not reader.maybe("}"):
                part.channels.append(_channel(reader))
        assert set(part.parameters) <= PARAMETERS[part.kind], part
        found.append(part)
    return found


def _type_and_id(uid: list[str]) -> tuple[str, str]:
    assert len(uid) == 3, uid
    assert uid[0] == "mqtt"
    return uid[1], ":".join(uid)


def _channel(reader: Reader) -> Part:
    reader.expect("Type")
    kind = reader.next()
    assert kind in KINDS, kind
    reader.expect(":")
    part = Part(kind, reader.next())
    reader.label()
    part.parameters = reader.parameters()
    assert set(part.parameters) <= PARAMETERS[kind], part
    return part


def items(text: str) -> list[Part]:
    """The items of an .items file; `parameters` hold their bindings."""
    reader, found = Reader(text), []
    while reader.more():
        part = Part(reader.next(), reader.next())
        reader.label()
        if reader.maybe("{"):
            key = reader.next()
            reader.expect("=")
            part.parameters[key] = reader.next().strip('"')
            reader.expect("}")
        found.append(part)
    return found
