"""Secrets from files or systemd credentials; config.yaml only names the file, and no log shows them."""

import os
from pathlib import Path

from edge.errors import ConfigError


def read_secret(path: str, key: str) -> str:
    """Return the first line of the file at `path`, in which environment variables are expanded.

    `key` is the config key that names the file, for errors. Raises ConfigError.
    """
    expanded = os.path.expandvars(path)
    try:
        text = Path(expanded).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: cannot read the secret in {expanded}: {error}") from error
    secret = text.splitlines()[0] if text else ""
    if not secret:
        raise ConfigError(f"{key}: {expanded} is empty; its first line must be the secret")
    return secret
