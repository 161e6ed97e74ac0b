"""A certificate that the box signs itself, made by OpenSSL's command line: no Python package for it is needed."""

import logging
import os
import subprocess
from pathlib import Path

from edge.config.web import WebTlsSettings
from edge.errors import ConfigError
from edge.owner import as_owner

log = logging.getLogger("whosthere.web")
DAYS = 825
"""Apple's devices refuse certificates that are valid for longer."""
RENEW_S = 30 * 86400


def certificate(settings: WebTlsSettings, folder: Path, host: str) -> tuple[Path, Path]:
    """The files of certificate and key: the owner's, or the box's own, renewed in time. Raises ConfigError."""
    if settings.certificate_file is not None and settings.key_file is not None:
        return Path(settings.certificate_file), Path(settings.key_file)
    paths = folder / "certificate.pem", folder / "key.pem"
    with as_owner(folder):
        if not _is_good(*paths):
            _make(*paths, host)
    return paths


def fingerprint(path: Path) -> str:
    """SHA-256 of a certificate, as browsers show it. Raises ConfigError."""
    return _openssl("x509", "-in", str(path), "-noout", "-fingerprint", "-sha256").strip().partition("=")[2]


def _is_good(path: Path, key: Path) -> bool:
    if not path.exists() or not key.exists():
        return False
    check = ("openssl", "x509", "-in", str(path), "-noout", "-checkend", str(RENEW_S))
    try:
        return subprocess.run(check, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return True


def _make(path: Path, key: Path, host: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = f"subjectAltName=DNS:{host},DNS:{host}.local,DNS:localhost,IP:127.0.0.1"
    mask = os.umask(0o077)
    try:
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256",
            "-days", str(DAYS), "-subj", f"/CN={host}", "-addext", names, "-keyout", str(key), "-out", str(path),
        )  # fmt: skip
    finally:
        os.umask(mask)
    log.info("made a certificate for %s, valid for %d days: %s", host, DAYS, fingerprint(path))


def _openssl(*arguments: str) -> str:
    try:
        done = subprocess.run(("openssl", *arguments), capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise ConfigError(
            "web.tls: found no program openssl; install Debian's package openssl, or set web.tls.certificate_file and "
            "web.tls.key_file"
        ) from error
    except subprocess.CalledProcessError as error:
        raise ConfigError(f"web.tls: openssl failed: {error.stderr.strip()}") from error
    return done.stdout
