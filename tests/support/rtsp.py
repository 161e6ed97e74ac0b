"""A real RTSP server next to the test, and a network in between that can be disturbed."""

import random
import socket
import ssl
import subprocess
import threading
from pathlib import Path

CHUNK = 65536
HURT = 0.02
"""Part of the bytes that a bad line changes."""


def why_not() -> str | None:
    """What keeps this machine from serving RTSP; None: nothing."""
    check = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer, Gst;"
    check += "Gst.init(None); assert Gst.ElementFactory.find('x264enc') and Gst.ElementFactory.find('rtph264pay')"
    try:
        done = subprocess.run(["/usr/bin/python3", "-c", check], capture_output=True, check=False)
    except FileNotFoundError:
        return "needs /usr/bin/python3 with GstRtspServer"
    if done.returncode:
        return "needs GstRtspServer: apt install gir1.2-gst-rtsp-server-1.0 python3-gst-1.0 and its plugins"
    return None


class RtspServer:
    """The server process; it keeps its port over restarts."""

    def __init__(self, *login: str) -> None:
        self.port = 0
        self.start(*login)

    def start(self, *login: str, size: str = "320x240") -> None:
        script = Path(__file__).with_name("rtsp_server.py")
        command = ["/usr/bin/python3", str(script), str(self.port), size, *login]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.port = int(self.process.stdout.readline())

    def resize(self, size: str) -> None:
        """Change the size of the running stream."""
        assert self.process.stdin
        self.process.stdin.write(f"{size}\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            pipe.close()


class Line:
    """A TCP proxy in front of a server; with a `certificate`, it speaks TLS."""

    def __init__(self, port: int, certificate: ssl.SSLContext | None = None) -> None:
        self._certificate = certificate
        self.bad = False
        """True: some of what the server sends arrives changed."""
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self._random = random.Random(4)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Every connection ends; new ones may be made."""
        while self._open:
            connection = self._open.pop()
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                camera, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._certificate:
                    camera = self._certificate.wrap_socket(camera, server_side=True)
            except OSError:
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._server))
            except OSError:
                return
            self._open += [camera, server]
            for source, sink, disturbed in ((camera, server, False), (server, camera, True)):
                threading.Thread(target=self._pass, args=(source, sink, disturbed), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, disturbed: bool) -> None:
        try:
            while data := bytearray(source.recv(CHUNK)):
                if disturbed and self.bad:
                    for _ in range(max(1, round(HURT * len(data)))):
                        data[self._random.randrange(len(data))] = self._random.randrange(256)
                sink.sendall(data)
        except OSError:
            pass
        for connection in (source, sink):
            connection.close()
