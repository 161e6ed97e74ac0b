"""Secrets from files or systemd credentials; config.yaml only names the file, and no log shows them."""

import codecs
import os
import re
from pathlib import Path

from edge.errors import ConfigError
from edge.regular_file import open_regular

_MAX_BYTES = 64_000


def read_secret(path: str, key: str) -> str:
    """Return the first line of the file at `path`, in which environment variables are expanded.

    `key` is the config key that names the file, for errors. Raises ConfigError.
    """
    expanded = os.path.expandvars(path)
    try:
        with open_regular(Path(expanded)) as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{key}: cannot read the secret in {expanded}: {reason}") from error
    if len(content) > _MAX_BYTES:
        raise ConfigError(
            f"{key}: {expanded}: found more than {_MAX_BYTES // 1000} kB; its first line must be the secret"
        )
    # Not str.splitlines: it also splits at characters that a password may contain.
    secret = re.split(r"\r\n|\r|\n", _decoded(content, f"{key}: {expanded}"), maxsplit=1)[0]
    if not secret:
        raise ConfigError(f"{key}: {expanded} is empty; its first line must be the secret")
    return secret


def _decoded(content: bytes, where: str) -> str:
    """Text as editors save it: UTF-8, or with a byte order mark UTF-8 or UTF-16. The mark is no part of the secret."""
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text.partition("\n")[0]:
        # Not chained: the error quotes the secret.
        raise ConfigError(f"{where} is not text in UTF-8; save it as UTF-8, or with a byte order mark as UTF-16")
    return text
