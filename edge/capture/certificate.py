"""The certificate of a camera over TLS.

Nearly all of them are self-signed, so no authority vouches for them: they are trusted by their fingerprint, or not at
all.
"""

import functools
import hashlib
import re
import socket
import ssl
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2

from edge.address import Address
from edge.capture.video_io import open_address
from edge.errors import CameraError

SCHEMES = frozenset({"https", "rtsps"})
KEY = "camera.certificate_sha256"
_CONTROL_S = 10.0
_UNTRUSTED = Path(__file__).with_name("untrusted.pem")
_UNABLE = (
    f"OpenCV {cv2.__version__} opens streams without checking their certificates, so {KEY} is no use; take OpenCV 5, "
    "the camera's snapshot address if it has one, or remove the key"
)


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 fingerprint of a certificate in DER form, as browsers and openssl show it: `AB:CD:...`."""
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(certificate).digest())


def unchecked() -> ssl.SSLContext:
    """A context that accepts every certificate: only a fingerprint then says whose it is."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def fetch(address: Address, timeout_s: float) -> bytes:
    """Ask a camera for its certificate, in DER form; no login is sent. Raises OSError."""
    return _handshake(address, timeout_s, unchecked())


def require(address: Address, certificate: bytes, pinned: str) -> None:
    """Raise CameraError unless a certificate in DER form has the pinned fingerprint."""
    found = fingerprint(certificate)
    if _bare(found) != _bare(pinned):
        raise CameraError(
            f"{address}: found a certificate with the fingerprint {found}; allowed by {KEY}: {pinned}. No login was "
            "sent. If the camera was replaced or has made a new certificate, set the new fingerprint"
        )


@contextmanager
def trusted(address: Address, pinned: str, timeout_s: float) -> Iterator[Path]:
    """Yield a PEM file with the camera's certificate, once it is known to be the pinned one and FFmpeg to check it.

    Raises CameraError.
    """
    if not ffmpeg_checks(address.scheme):
        raise CameraError(f"{address}: {_UNABLE}")
    try:
        certificate = fetch(address, timeout_s)
    except OSError as error:
        raise CameraError(f"{address}: no certificate came: {_reason(error)}") from None
    require(address, certificate, pinned)
    with tempfile.TemporaryDirectory(prefix="whosthere-") as folder:
        path = Path(folder) / "camera.pem"
        path.write_text(ssl.DER_cert_to_PEM_cert(certificate), encoding="ascii")
        yield path


def why_refused(address: Address, trusted_file: Path, timeout_s: float) -> str | None:
    """Why FFmpeg does not accept a pinned certificate, which it takes for an authority's; None: it does.

    That happens where another certificate has signed it, and out of its dates.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(trusted_file)
    try:
        _handshake(address, timeout_s, context)
    except ssl.SSLCertVerificationError as error:
        return (
            f"its certificate is the one of {KEY}, but FFmpeg does not accept it: {error.verify_message}; give the "
            "camera a self-signed certificate that is in date, or use its snapshot address"
        )
    except OSError:
        return None
    return None


@functools.cache
def ffmpeg_checks(scheme: str) -> bool:
    """Whether OpenCV's FFmpeg checks certificates over `https` or `rtsps`, by an attempt on a server of our own.

    Nobody trusts that server's certificate. FFmpeg must hang up instead of asking it for a stream.
    """
    within = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(_CONTROL_S * 1000)]
    with (
        tempfile.TemporaryDirectory(prefix="whosthere-") as folder,
        ThreadPoolExecutor(1) as pool,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        refused = pool.submit(_is_refused, listener)
        address = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"
        open_address(address, within, trusted=Path(folder) / "missing.pem").release()
        return refused.result()


def _is_refused(listener: socket.socket) -> bool:
    """Whether a client hangs up when it sees our certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_UNTRUSTED)
    listener.settimeout(_CONTROL_S)
    try:
        connection, _ = listener.accept()
        connection.settimeout(_CONTROL_S)
        with context.wrap_socket(connection, server_side=True) as secure:
            return not secure.recv(1)
    except ssl.SSLError:
        return True
    except OSError:
        return False


def _handshake(address: Address, timeout_s: float, context: ssl.SSLContext) -> bytes:
    """Return the camera's certificate. Raises OSError."""
    host = address.host.partition("%")[0]
    with (
        socket.create_connection((address.host, address.port), timeout_s) as connection,
        context.wrap_socket(connection, server_hostname=host) as secure,
    ):
        return secure.getpeercert(binary_form=True) or b""


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{error.reason or error}; does this port speak TLS?"
    return str(error.strerror or error)


def _bare(text: str) -> str:
    return re.sub(r"[^0-9A-F]", "", text.upper())
