"""OpenSSH signatures (`ssh-keygen -Y`, PROTOCOL.sshsig), made and checked by OpenSSH itself."""

import subprocess
import tempfile
from pathlib import Path

from edge.errors import GalleryError

NAMESPACE = "whosthere-gallery"
MAX_SIGNATURE = 16_384
TIMEOUT_S = 60.0


class SignatureError(GalleryError):
    """Not signed, or not by somebody who may sign."""


def sign(message: bytes, key: Path) -> bytes:
    """The armoured signature by an SSH private key (or a public one whose private key is with the agent).

    Raises SignatureError with the message of ssh-keygen.
    """
    if not key.is_file():
        raise SignatureError(f"{key}: no such SSH key; make one with `ssh-keygen -t ed25519 -f {key}`")
    done = _ssh_keygen("sign", ["-f", str(key)], message)
    if done.returncode != 0 or not done.stdout:
        raise SignatureError(f"{key}: cannot sign: {_message(done)}")
    return done.stdout


def verify(message: bytes, signature: bytes, allowed_signers: Path) -> str:
    """The principal in `allowed_signers` who made this valid signature (ssh-keygen(1), ALLOWED SIGNERS).

    Raises SignatureError when the signature is not for this message, or not by somebody who may sign now.
    """
    if not allowed_signers.is_file():
        raise SignatureError(
            f"{allowed_signers}: no such file, but gallery.allowed_signers names it; add a line per key that may sign"
        )
    if len(signature) > MAX_SIGNATURE:
        raise SignatureError(f"found a signature of {len(signature)} bytes; allowed: {MAX_SIGNATURE}")
    with tempfile.NamedTemporaryFile(prefix="whosthere-", suffix=".sig") as file:
        file.write(signature)
        file.flush()
        who = _found(file.name, message, allowed_signers)
        checked = _ssh_keygen("verify", ["-f", str(allowed_signers), "-I", who, "-s", file.name], message)
    if checked.returncode != 0:
        raise SignatureError(f"the signature of {who} is not valid: {_message(checked)}")
    return who


def _found(signature: str, message: bytes, allowed_signers: Path) -> str:
    sound = _ssh_keygen("check-novalidate", ["-s", signature], message)
    if sound.returncode != 0:
        raise SignatureError(f"the signature does not match the contents: {_message(sound)}")
    found = _ssh_keygen("find-principals", ["-f", str(allowed_signers), "-s", signature], b"")
    principals = found.stdout.decode(errors="replace").split("\n")[0].split(",")[0].strip()
    if found.returncode != 0 or not principals:
        key = sound.stdout.decode(errors="replace").rpartition(" with ")[2].strip()
        raise SignatureError(
            f"signed with the key {key}, which {allowed_signers} does not allow, or not now: {_message(found)}"
        )
    return principals


def _ssh_keygen(what: str, arguments: list[str], message: bytes) -> "subprocess.CompletedProcess[bytes]":
    namespace = [] if what == "find-principals" else ["-n", NAMESPACE]
    command = ["ssh-keygen", "-Y", what, *arguments, *namespace]
    try:
        return subprocess.run(command, input=message, capture_output=True, check=False, timeout=TIMEOUT_S)
    except FileNotFoundError as error:
        raise SignatureError("ssh-keygen is missing; install it: apt install openssh-client") from error
    except subprocess.TimeoutExpired as error:
        raise SignatureError(f"ssh-keygen -Y {what} did not finish within {TIMEOUT_S:.0f} s") from error


def _message(done: "subprocess.CompletedProcess[bytes]") -> str:
    lines = done.stderr.decode(errors="replace").split("\n")
    said = [
        line.strip() for line in lines if line.strip() and not line.startswith(("Signing data on", "Write signature"))
    ]
    text = "; ".join(said)[-300:]
    return "".join(c if c.isprintable() else "?" for c in text) or f"ssh-keygen ended with {done.returncode}"
