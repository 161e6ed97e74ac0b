"""A client of the page that can also do what no browser does. It keeps cookies and knows its CSRF token."""

import http.client
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from support.web import PASSWORD


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    """Names in lower case; the last of each."""
    content: bytes
    cookies: tuple[str, ...]
    """Every Set-Cookie."""

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


@dataclass
class Client:
    """One browser, as far as the server can see."""

    address: str
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request; `headers` have `_` for `-`, and an empty one is left out."""
        place = urlsplit(self.address)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        usual = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        wanted = usual | {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, {name: value for name, value in wanted.items() if value})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        cookies = tuple(response.headers.get_all("Set-Cookie") or ())
        for cookie in cookies:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content, cookies)

    def get(self, path: str, **headers: str) -> Answer:
        answer = self.ask("GET", path, **headers)
        if found := re.search(r'name="csrf" value="([0-9a-f]+)"', answer.text):
            self.csrf = found[1]
        return answer

    def post(self, path: str, fields: dict[str, str] | None = None, *, token: bool = True, **headers: str) -> Answer:
        """A form as one of the page's own sends it, unless `headers` say otherwise."""
        content = (fields or {}) | ({"csrf": self.csrf} if token and self.csrf else {})
        usual = {"Origin": self.address, "Content_Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode(content).encode(), **{**usual, **headers})

    def log_in(self, password: str = PASSWORD, **headers: str) -> Answer:
        """Log in and fetch the token."""
        answer = self.post("/login", {"password": password}, **headers)
        if answer.status == 303:
            self.get("/visits")
        return answer
