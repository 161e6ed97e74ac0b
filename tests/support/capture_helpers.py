"""Real recordings and a real camera server, made on the spot for the capture tests."""

import base64
import ssl
import struct
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np

SIZE = (160, 120)
STEP = 8
"""Grey levels between one frame and the next: compression does not bridge it."""


def numbered(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A grey picture whose level tells which frame it is."""
    return np.full((size[1], size[0], 3), index * STEP, np.uint8)


def number_of(image: np.ndarray) -> int:
    """The index that `numbered` was given."""
    return round(float(image.mean()) / STEP)


def write_video(path: Path, frames: int = 20, fps: float = 10.0) -> Path:
    """A Motion-JPEG AVI."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, SIZE)
    assert writer.isOpened()
    for index in range(frames):
        writer.write(numbered(index))
    writer.release()
    return path


def write_gif(path: Path, delays_s: Sequence[float]) -> Path:
    """An animated GIF of `numbered` frames, 16 x 16, without compression (GIF89a, cleared before codes grow)."""
    palette = bytes(level for grey in range(128) for level in (grey * 2,) * 3)
    data = b"GIF89a" + struct.pack("<HHBBB", 16, 16, 0xF6, 0, 0) + palette
    for index, delay_s in enumerate(delays_s):
        data += b"!\xf9\x04\x04" + struct.pack("<HBB", round(delay_s * 100), 0, 0)
        data += b"," + struct.pack("<HHHHB", 0, 0, 16, 16, 0) + b"\x07"
        for _ in range(4):
            data += b"\x41\x80" + bytes([index * STEP // 2]) * 64
        data += b"\x01\x81\x00"
    path.write_bytes(data + b";")
    return path


class MjpegServer:
    """An HTTP camera. It sends frame `current`, over and over, or a film of JPEGs at `film_fps`, again and again."""

    def __init__(
        self,
        login: str = "",
        host: str = "127.0.0.1",
        film: Sequence[bytes] = (),
        certificate: ssl.SSLContext | None = None,
    ) -> None:
        """With a `certificate`, it speaks TLS."""
        self.current = 1
        self.instead = b""
        """Sent in place of the frame, if not empty."""
        self.film = film
        self.film_fps = 12.0
        self.connections = 0
        self.unchanged = 0
        self.logins: list[str | None] = []
        """The Authorization of each request."""
        self._expected = "Basic " + base64.b64encode(login.encode()).decode() if login else None
        self._changed = threading.Event()
        self._stopped = False
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self._server.daemon_threads = True
        if certificate:
            self._server.socket = certificate.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._stopped = True
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.logins.append(request.headers.get("Authorization"))
        if self._expected is not None and request.headers.get("Authorization") != self._expected:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.end_headers()
            return
        if request.path.startswith("/snapshot"):
            self._answer_once(request)
            return
        if not request.path.startswith("/stream"):
            request.send_error(404)
            return
        self.connections += 1
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        while not self._stopped:
            jpeg = self._jpeg()
            part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg) + jpeg + b"\r\n"
            try:
                request.wfile.write(part)
            except OSError:
                return
            self._changed.wait(0.02)

    def _answer_once(self, request: BaseHTTPRequestHandler) -> None:
        """One picture per response, as a snapshot address does."""
        self.connections += 1
        tag = f'"{self.current}"'
        if request.headers.get("If-None-Match") == tag:
            self.unchanged += 1
            request.send_response(304)
            request.end_headers()
            return
        jpeg = self._jpeg()
        request.send_response(200)
        request.send_header("Content-Type", "image/jpeg")
        request.send_header("Content-Length", str(len(jpeg)))
        request.send_header("ETag", tag)
        request.end_headers()
        request.wfile.write(jpeg)

    def _jpeg(self) -> bytes:
        if self.instead:
            return self.instead
        if self.film:
            return self.film[int(time.monotonic() * self.film_fps) % len(self.film)]
        encoded: bytes = cv2.imencode(".jpg", numbered(self.current))[1].tobytes()
        return encoded
