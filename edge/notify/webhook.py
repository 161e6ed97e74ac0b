"""Each event as JSON, as in the MQTT contract, to an address of the owner's."""

import hashlib
import hmac
import secrets
from base64 import b64encode
from urllib.parse import unquote

import msgspec

from edge import __version__
from edge.address import Address, parse_address
from edge.config.notify import WebhookSettings
from edge.config.secret_file import read_secret
from edge.config.web_address import web_address_mistake
from edge.errors import ConfigError
from edge.mqtt.visit_payloads import marked
from edge.notify.notice import Notice
from edge.notify.post import WebServer, bearer
from edge.notify.words import FRESH_S

KEY = "notify.webhook"
SIGNATURE = "X-Whosthere-Signature"
_EXAMPLE = "https://home.example/hooks/door"


class WebhookChannel:
    """Posts to one address."""

    name = "webhook"

    def __init__(self, settings: WebhookSettings) -> None:
        """Raises ConfigError."""
        self.rules = settings
        self.pictures = settings.picture != "none"
        self._settings = settings
        address = _address(settings)
        self._headers = _authorization(settings, address)
        secret = read_secret(settings.secret_file, f"{KEY}.secret_file") if settings.secret_file else None
        self._secret = None if secret is None else secret.encode()
        self._server = WebServer(address, settings.ca_file, KEY)

    def send(self, notice: Notice, age_s: float) -> str:
        """Raises NotSent."""
        content_type, body = _body(notice, age_s, self._settings.picture)
        headers = {
            "Content-Type": content_type,
            "User-Agent": f"whosthere/{__version__}",
            "X-Whosthere-Age": f"{age_s:.1f}",
            **self._headers,
        }
        if self._secret is not None:
            headers[SIGNATURE] = signature(self._secret, body)
        self._server.send("POST", headers, body)
        return ""

    def try_connection(self) -> str:
        self._server.connect()
        return str(self._server.address)


def signature(secret: bytes, body: bytes) -> str:
    """The signature of a request's body: `sha256=` and the HMAC in hexadecimal digits."""
    return f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"


def _address(settings: WebhookSettings) -> Address:
    """Raises ConfigError, which does not quote it."""
    if settings.url is not None:
        return parse_address(settings.url)
    if settings.url_file is None:
        raise ConfigError(f"{KEY}.url: found nothing; allowed: an address such as {_EXAMPLE}")
    text = read_secret(settings.url_file, f"{KEY}.url_file")
    if mistake := web_address_mistake(text, _EXAMPLE, login_allowed=True):
        raise ConfigError(f"{KEY}.url_file: {settings.url_file}: {mistake}")
    return parse_address(text)


def _authorization(settings: WebhookSettings, address: Address) -> dict[str, str]:
    if address.login and settings.token_file is None:
        return {"Authorization": f"Basic {b64encode(unquote(address.login).encode()).decode()}"}
    return bearer(settings.token_file, f"{KEY}.token_file")


def _body(notice: Notice, age_s: float, picture: str) -> tuple[str, bytes]:
    """The content type and the body. What is sent late is marked as `delayed`, as after an outage of the broker."""
    event = marked(notice.payload, delayed=True) if age_s >= FRESH_S else notice.payload
    if notice.picture is None or picture == "none":
        return "application/json", event
    if picture == "base64":
        document = msgspec.json.decode(event) | {"picture": b64encode(notice.picture).decode()}
        return "application/json", msgspec.json.encode(document)
    boundary = secrets.token_hex(16)
    parts = [
        _part(boundary, 'name="event"', "application/json", event),
        _part(boundary, 'name="picture"; filename="visit.jpg"', "image/jpeg", notice.picture),
        f"--{boundary}--\r\n".encode(),
    ]
    return f"multipart/form-data; boundary={boundary}", b"".join(parts)


def _part(boundary: str, disposition: str, content_type: str, content: bytes) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: {content_type}\r\n\r\n"
    return head.encode() + content + b"\r\n"
