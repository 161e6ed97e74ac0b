"""Find out over a plain socket why a stream cannot be opened; the video library gives no reason."""

import socket

from edge.address import Address

_VERSIONS = {"rtsp": "RTSP/1.0", "http": "HTTP/1.0"}


def why_not(address: Address, timeout_s: float) -> str:
    """Return a clause with the reason and what to do. Never raises, never shows a login."""
    try:
        with socket.create_connection((address.host, address.port), timeout_s) as connection:
            return _from_status(_ask(connection, address), address)
    except socket.gaierror:
        return f"the name {address.host} is not known on this network; check it, or use the IP address"
    except TimeoutError:
        return f"{address.place} does not answer; is the camera on, and reachable from this machine?"
    except ConnectionRefusedError:
        return f"nothing listens on {address.place}; is the camera's stream switched on and the port right?"
    except OSError as error:
        return f"{address.place} cannot be reached: {error.strerror or error}"


def _ask(connection: socket.socket, address: Address) -> int | None:
    """Return the status of a request without login; None when there is no answer or the scheme cannot be asked."""
    version = _VERSIONS.get(address.scheme)
    if version is None:
        return None
    if address.scheme == "rtsp":
        request = f"DESCRIBE {address.bare_url} {version}\r\nCSeq: 1\r\nAccept: application/sdp\r\n\r\n"
    else:
        request = f"GET {address.target or '/'} {version}\r\nHost: {address.place}\r\n\r\n"
    connection.sendall(request.encode("ascii", "replace"))
    words = connection.makefile("rb").readline(500).split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


def _from_status(status: int | None, address: Address) -> str:
    if status in (401, 403):
        if not address.login:
            return "it requires a login; set camera.username and camera.password_file"
        return "it refuses the login; check camera.username, the password in camera.password_file and the path"
    if status in (404, 454):
        return "it has no stream at this path; look up the path in the camera's manual"
    if status == 200:
        return "it answers, but sends no video that can be decoded"
    if status is not None:
        return f"it refuses the request with status {status}"
    return f"{address.place} accepts connections, but sends no video stream"
