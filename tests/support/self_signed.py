"""Certificates as cameras make them: self-signed, without the address in them."""

import ssl
import subprocess
from pathlib import Path

import trustme

from edge.capture.certificate import fingerprint


class CameraCertificate:
    """A certificate, its fingerprint and a server's context with it."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.file = certificate
        self.fingerprint = fingerprint(ssl.PEM_cert_to_DER_cert(certificate.read_text()))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)


def self_signed(folder: Path, name: str = "camera", *options: str) -> CameraCertificate:
    """What most cameras have."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=IPC", "-days", "3650"]
    subprocess.run([*new, "-keyout", key, "-out", certificate, *options], check=True, capture_output=True)
    return CameraCertificate(certificate, key)


def signed_by_another(folder: Path) -> CameraCertificate:
    """What a camera of a careful owner has."""
    made = trustme.CA().issue_cert("camera.example")
    made.cert_chain_pems[0].write_to_path(folder / "signed.pem")
    made.private_key_pem.write_to_path(folder / "signed.key")
    return CameraCertificate(folder / "signed.pem", folder / "signed.key")
