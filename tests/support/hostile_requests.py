"""Requests that no browser of the household sends, at a real page; what came of each is counted."""

import contextlib
import http.client
import random
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from edge.web.registry import PAGES
from support import bombs
from support.http_client import Answer, Client

ENDLESS_BYTES = 300_000_000
"""A body without an end is given up on our side after so much, which would be a failure."""
NASTY = (
    *("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "${7*7}", "\x00", "a\x1b[31mb"),
    *("\r\nSet-Cookie: x=y", "\u202egpj.exe", "../../etc/passwd", "x" * 20_000, "' OR 1=1 --", "%00", "\ud800"),
    *("--config=/etc/shadow", "-h", ""),
)
TRICKS = (
    *("/static/../style.css", "/static/..%2f..%2fserver.py", "/static/%2e%2e/%2e%2e/server.py", "/static//etc/passwd"),
    *("/..%2f..%2f..%2fetc/passwd", "//etc/passwd", "/./visits", "/visits/..", "/visits/%2e%2e%2fetc/picture.jpg"),
    *("/visits/%00", "/visits/%25/picture.jpg", "/strangers/..%2f1/1.jpg", "/strangers/stranger-1/../2.jpg"),
    *("/strangers/stranger-99999999999999999999/1.jpg", "/strangers/stranger-1/99999999999999999999.jpg", "/login%00"),
    *("/LOGIN", "/login/", "/static", "/static/", "/api", "/api/", "/api/../visits", "/visits;x=1", "/visits?who=%00"),
    *("/visits?until=nan", "/visits?until=1e999", "/visits?who=" + "x" * 3000, "/corrections?" + "a=1&" * 500),
    *("http://elsewhere.example/visits", "/\\..\\..\\etc\\passwd", "/static/.htmx.js", "/static/style.css%00.js"),
)
FILLED = {"visit": "last", "what": "reject", "stranger": "stranger-1", "place": "1", "name": "style.css"}


@dataclass
class Tally:
    """How many of each kind were answered how."""

    outcomes: Counter[str] = field(default_factory=Counter)
    let_in: list[str] = field(default_factory=list)
    """What should have been refused, and was not."""

    def note(self, kind: str, answer: Answer | None, allowed: frozenset[int], what: str) -> None:
        """`None`: the connection was closed, which is always right."""
        status = answer.status if answer else 0
        self.outcomes[f"{kind}: {status or 'closed'}"] += 1
        if answer is not None and status not in allowed:
            self.let_in.append(f"{kind}: {what}: {status} {answer.text[:200]!r}")

    @property
    def count(self) -> int:
        return self.outcomes.total()


REFUSED = frozenset({303, 400, 401, 403, 404, 405, 408, 413, 414, 422, 429, 503})
"""Any of these is a refusal, as long as a redirection leads to the log-in."""


def addresses(method: str) -> list[str]:
    """Every route of the page, filled in, but for those that anybody may ask for."""
    found = []
    for page in PAGES:
        for route in page.routes:
            path = re.sub(r"{(\w+)(:\w+)?}", lambda part: FILLED.get(part[1], "1"), route.path)
            if method in (route.methods or ()) and not path.startswith(tuple(page.public)):
                found.append(path)
    return found


def ask(client: Client, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer | None:
    """A request; None when the server hung up, or it could not even be sent."""
    try:
        return client.ask(method, path, body, **headers)
    except (OSError, http.client.HTTPException, ValueError):
        return None


def without_session(address: str, count: int, tally: Tally, rng: random.Random) -> None:
    paths = [("GET", path) for path in addresses("GET")] + [("POST", path) for path in addresses("POST")]
    for number in range(count):
        method, path = paths[number % len(paths)]
        cookie = rng.choice(
            ["", "whosthere=1", f"whosthere-{rng.randbytes(4).hex()}={rng.randbytes(32).hex()}", "=;;=" * 50]
        )
        stranger = Client(address)
        body = urlencode({"csrf": rng.randbytes(32).hex(), "person": "Eve"}).encode() if method == "POST" else None
        answer = ask(
            stranger, method, path, body, Cookie=cookie, Origin=address if method == "POST" else "",
            Content_Type="application/x-www-form-urlencoded" if body else "", X_CSRF_Token=rng.randbytes(32).hex(),
            X_Forwarded_For="127.0.0.1", X_Ingress_Path="/api/hassio_ingress/x", X_Remote_User_Id="1",
        )  # fmt: skip
        if answer is not None and answer.status == 303 and "/login" not in answer.headers.get("location", ""):
            tally.let_in.append(f"without a session: {path} led to {answer.headers.get('location')}")
        tally.note("without a session", answer, REFUSED, f"{method} {path}")


def forged(client: Client, count: int, tally: Tally, rng: random.Random) -> None:
    """With the session's cookie, as another site would: without its token, or from elsewhere."""
    paths = addresses("POST")
    origins = ["https://elsewhere.example", "null", "", client.address + ".elsewhere.example", "http://127.0.0.1:1"]
    for number in range(count):
        path = paths[number % len(paths)]
        own = number % 3 == 0
        headers = {"Origin": client.address if own else rng.choice(origins)}
        token = "" if own else client.csrf
        fields = {"csrf": token, "person": "Barack Obama", "name": "Eve", "password": "x" * 12}
        if not own and rng.random() < 0.3:
            headers = {"Origin": client.address, "Sec_Fetch_Site": "cross-site"}
        headers["X_CSRF_Token"] = token
        kind = rng.choice(["application/x-www-form-urlencoded", "text/plain", "application/json"])
        answer = ask(client, "POST", path, urlencode(fields).encode(), Content_Type=kind, **headers)
        tally.note("forged", answer, frozenset({400, 403}), f"{path} {headers}")


def tricks(client: Client, count: int, tally: Tally) -> None:
    """Paths that lead elsewhere, with a session and without: none may show a file or break the page."""
    for number in range(count):
        path = TRICKS[number % len(TRICKS)]
        one = client if number % 2 else Client(client.address)
        answer = raw(
            client.address, f"GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie_of(one)}\r\nConnection: close\r\n\r\n"
        )
        leak = answer is not None and ("root:" in answer.text or "become_decider" in answer.text)
        allowed = REFUSED | {200} if number % 2 and not leak else REFUSED
        tally.note("path tricks", answer, allowed, path)


def nasty_names(client: Client, count: int, tally: Tally, rng: random.Random) -> None:
    """Markup and control characters wherever a text can be given, with session and token."""
    paths = addresses("POST")
    for number in range(count):
        path, text = rng.choice(paths), NASTY[number % len(NASTY)]
        if path == "/logout" or path.endswith("/api/session"):
            path = "/strangers/stranger-1/name"
        path = path.replace("last", quote(text[:50], safe="", errors="surrogatepass")) if rng.random() < 0.3 else path
        fields = {
            "csrf": client.csrf,
            "person": text,
            "name": text,
            "correction": text,
            "password": text,
            "until": text,
        }
        answer = ask(
            client, "POST", path, urlencode(fields, errors="surrogatepass").encode(), Origin=client.address,
            Content_Type="application/x-www-form-urlencoded",
        )  # fmt: skip
        echoed = answer is not None and any(raw_text in answer.text for raw_text in ("<script>alert", "<img src=x"))
        cookie = answer is not None and "set-cookie" in answer.headers and "x=y" in answer.headers["set-cookie"]
        allowed = frozenset() if echoed or cookie else REFUSED | {200}
        tally.note("nasty names", answer, allowed, f"{path} {text[:40]!r}")


def bombs_sent(client: Client, count: int, tally: Tally) -> None:
    """Uploads that would take gigabytes: of pixels, of bytes, of parts, and of a size that they lie about."""
    upload = next((path for path in addresses("POST") if path.endswith("/add")), "/visits/last/confirm")
    huge = bombs.gif(60_000, 60_000)
    for number in range(count):
        form = multipart({"csrf": client.csrf, "name": f"Eve {number}"}, [("photos", "a.png", huge)])
        if number % 4 == 1:
            form = multipart({"csrf": client.csrf, "name": "Eve"}, [("photos", f"{i}.jpg", b"x") for i in range(500)])
        elif number % 4 == 2:
            form = multipart({f"field{i}": "x" * 100 for i in range(500)}, [])
        elif number % 4 == 3:
            form = (form[0], b"\0" * 70_000 + form[1])
        path = "/visits/last/confirm" if number % 4 == 3 else upload
        answer = ask(client, "POST", path, form[1], Origin=client.address, Content_Type=form[0])
        refused = answer is not None and answer.status == 303 and "/added/" in answer.headers.get("location", "")
        tally.note("upload bombs", answer, REFUSED | ({303} if refused else frozenset()), path)


def endless(client: Client, count: int, tally: Tally) -> None:
    """Bodies without an end, in chunks, with a session and without."""
    paths = ["/login", "/visits/last/confirm", "/people/+/add", "/api/visits/last/reject", "/nothing"]
    for number in range(count):
        path, cookie = paths[number % len(paths)], cookie_of(client) if number % 2 else ""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {urlsplit(client.address).netloc}\r\nOrigin: {client.address}\r\n"
            f"Cookie: {cookie}\r\nX-CSRF-Token: {client.csrf}\r\nTransfer-Encoding: chunked\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        sent = flood(client.address, head.encode())
        tally.outcomes[f"endless bodies: {'closed' if sent < ENDLESS_BYTES else 'taken'}"] += 1
        if sent >= ENDLESS_BYTES:
            tally.let_in.append(f"endless bodies: {path} took {sent} bytes")


def slow(address: str, count: int, tally: Tally, wait_s: float) -> list[threading.Thread]:
    """Clients that send a byte now and then, or nothing; returns the threads, which end when they are hung up on."""

    def drip(place: int) -> None:
        began = time.monotonic()
        closed = False
        with contextlib.suppress(OSError), connected(address, wait_s) as connection:
            pieces: Iterator[bytes] = iter(
                b"GET /visits HTTP/1.1\r\nX-Slow: ".ljust(10_000, b"x")[i : i + 1] for i in range(10_000)
            )
            if place % 3 == 1:
                connection.sendall(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n")
            while time.monotonic() - began < wait_s:
                if place % 3 != 2:
                    connection.sendall(next(pieces))
                time.sleep(0.5)
                connection.settimeout(0.01)
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(4096):
                        break
        closed = time.monotonic() - began < wait_s
        tally.outcomes[f"slow clients: {'closed' if closed else 'kept'}"] += 1
        if not closed:
            tally.let_in.append(f"slow clients: number {place} was kept for {wait_s} s")

    threads = [threading.Thread(target=drip, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    return threads


def many_logins(address: str, count: int, tally: Tally, right: str) -> None:
    """Wrong passwords, and then the right one, which comes too late."""
    for number in range(count):
        answer = Client(address).log_in(right if number == count - 1 else f"wrong {number:04}")
        tally.note("log-ins", answer, frozenset({403, 429}), f"attempt {number}")


def cookie_of(client: Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


def multipart(fields: dict[str, str], files: list[tuple[str, str, bytes]]) -> tuple[str, bytes]:
    """A form with files: its content type and its bytes."""
    edge = "----edge"
    head = f"--{edge}\r\nContent-Disposition: form-data; name="
    parts = [f'{head}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    for name, file, content in files:
        parts.append(f'{head}"{name}"; filename="{file}"\r\n\r\n'.encode() + content + b"\r\n")
    return f"multipart/form-data; boundary={edge}", b"".join(parts) + f"--{edge}--\r\n".encode()


def raw(address: str, request: str) -> Answer | None:
    """Bytes as they are, which no client library would send."""
    try:
        with connected(address, 60) as connection:
            connection.sendall(request.encode("latin-1", "replace"))
            response = http.client.HTTPResponse(connection)
            response.begin()
            content = response.read(2_000_000)
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content, ())
    except (OSError, http.client.HTTPException):
        return None


def flood(address: str, head: bytes) -> int:
    """Chunks until the server hangs up; how many bytes it took."""
    chunk = b"10000\r\n" + b"a=b&" * 0x4000 + b"\r\n"
    sent = 0
    with contextlib.suppress(OSError), connected(address, 60) as connection:
        connection.sendall(head)
        while sent < ENDLESS_BYTES:
            connection.sendall(chunk)
            sent += len(chunk)
    return sent


@contextlib.contextmanager
def connected(address: str, timeout_s: float) -> Iterator[socket.socket]:
    place = urlsplit(address)
    with socket.create_connection((place.hostname or "", place.port or 80), timeout_s) as connection:
        yield connection
